"""``photonlink demo``: arguments, progress and exit codes."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from photonlink import _packages
from photonlink.errors import PhotonLinkError

PACKAGES = ("sklearn", "matplotlib", "tqdm")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the demo's options."""
    parser.add_argument("--modes", type=int, default=10, help="modes of the interferometer (default 10)")
    parser.add_argument("--photons", type=int, default=3, help="photons per shot (default 3)")
    parser.add_argument(
        "--shots", type=int, default=1000, help="kept samples per datapoint, 0 for exact probabilities (default 1000)"
    )
    parser.add_argument("--seed", type=int, default=7, help="seed of split, interferometer and samples (default 7)")
    parser.add_argument("--limit", type=int, default=None, metavar="N", help="use only N images")
    parser.add_argument("--target", default="sim", help="where the photonic layer runs (default sim)")
    parser.add_argument(
        "--via", choices=["cpu", "cuda", "cudaq"], default="cpu", help="who calls the link (default cpu)"
    )
    parser.add_argument("--device", default="belenos", help="chip that the program is checked against")
    parser.add_argument(
        "--png", type=Path, default=Path("photonlink-demo.png"), help="where the picture goes (default ./%(default)s)"
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
        chip=arguments.device,
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
