"""``photonlink demo``: arguments, progress and exit codes."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from photonlink import _packages
from photonlink._outputs import output_file
from photonlink.errors import PhotonLinkError

PACKAGES = ("sklearn", "matplotlib", "tqdm")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the demo's options."""
    for name, default, text in (
        ("--modes", 10, "modes of the interferometer (default %(default)s)"),
        ("--photons", 3, "photons per shot (default %(default)s)"),
        ("--shots", 1000, "kept samples per datapoint, 0 for exact probabilities (default %(default)s)"),
        ("--seed", 7, "seed of split, interferometer and samples (default %(default)s)"),
        ("--limit", None, "use only N images"),
    ):
        parser.add_argument(name, type=int, default=default, metavar="N", help=text)
    parser.add_argument("--target", default="sim", help="where the photonic layer runs (default %(default)s)")
    parser.add_argument(
        "--via",
        choices=["cpu", "cuda", "cudaq"],
        default="cpu",
        help="who calls the link: Python, a CUDA kernel, or a CUDA-Q kernel while it runs (default %(default)s)",
    )
    parser.add_argument(
        "--chip",
        default="belenos",
        metavar="NAME",
        help="chip that the program is checked against, and whose time is modelled (default %(default)s)",
    )
    parser.add_argument(
        "--png",
        type=output_file,
        default=Path("photonlink-demo.png"),
        metavar="FILE",
        help="where the picture goes (default ./%(default)s)",
    )
    parser.add_argument("--no-png", action="store_true", help="write no picture")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the report")


def _progress(rows: Iterable[int], label: str) -> Iterable[int]:
    from tqdm import tqdm

    # tqdm's own rule: nothing is shown when the output is not a terminal.
    bar: Iterable[int] = tqdm(rows, desc=label, unit="image", disable=None, leave=False, file=sys.stderr)
    return bar


def execute(arguments: argparse.Namespace) -> int:
    """Run the demo and print its report.

    Raises:
        PhotonLinkError: Bad arguments or anything the session raises.
    """
    _packages.require(PACKAGES, "demo", by="the demo")
    from photonlink.demo import report
    from photonlink.demo.job import run

    if arguments.shots < 0:
        raise PhotonLinkError(f"--shots {arguments.shots} is negative; give a number of samples, or 0 for exact")
    result = run(
        modes=arguments.modes,
        photons=arguments.photons,
        shots=arguments.shots or None,
        seed=arguments.seed,
        limit=arguments.limit,
        target=arguments.target,
        via=arguments.via,
        chip=arguments.chip,
        progress=_progress,
    )
    if not arguments.no_png:
        report.figure(result, arguments.png)
    if arguments.json:
        print(json.dumps(result.as_json()))
    else:
        print(report.text(result))
        if not arguments.no_png:
            print(f"picture: {arguments.png}")
    return 0
