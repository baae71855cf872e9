"""``photonlink bench``: arguments and output."""

from __future__ import annotations

import argparse
import json
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add one subcommand per benchmark."""
    benchmarks = parser.add_subparsers(title="benchmarks", required=True, metavar="BENCHMARK")

    link = benchmarks.add_parser("link", help="echo round trip beside a bare cache-line ping-pong")
    link.add_argument("--rounds", type=int, default=200_000, help="round trips per measurement (default 200000)")
    link.add_argument("--device", action="store_true", help="called from a GPU, beside a bare mapped-memory ping-pong")
    link.set_defaults(execute=_link)

    optics = benchmarks.add_parser("optics", help="distributions and samples beside the peers and the machine's limits")
    optics.add_argument("--quick", action="store_true", help="only sizes up to (10,5)")
    optics.add_argument(
        "--sizes", nargs="+", type=_size, metavar="M,N", help="modes and photons of the distributions instead"
    )
    optics.add_argument("--threads", type=int, default=2, help="threads that each program may use (default 2)")
    optics.set_defaults(execute=_optics)

    gradients = benchmarks.add_parser("gradients", help="forward and backward passes beside MerLin")
    gradients.add_argument("--quick", action="store_true", help="only small sizes and batches")
    gradients.add_argument("--threads", type=int, default=2, help="threads that each program may use (default 2)")
    gradients.set_defaults(execute=_gradients)

    layers = benchmarks.add_parser("torch", help="torch layers beside MerLin's, forward and backward")
    layers.add_argument("--quick", action="store_true", help="only small sizes and batches")
    layers.add_argument("--large", action="store_true", help="also (16,8)")
    layers.add_argument("--threads", type=int, default=2, help="threads that torch may use (default 2)")
    layers.set_defaults(execute=_layers)

    for benchmark in (link, optics, gradients, layers):
        benchmark.add_argument("--json", action="store_true", help="print one JSON object")


def _size(text: str) -> tuple[int, int]:
    """``"12,6"`` as (12, 6); argparse reports a ValueError in its own words."""
    modes, photons = (int(number) for number in text.split(","))
    if not 1 <= photons <= modes:
        raise ValueError(text)
    return modes, photons


def _show(arguments: argparse.Namespace, report: dict[str, Any], text: str) -> int:
    from photonlink.bench.machine import machine

    print(json.dumps({"machine": machine(), **report}) if arguments.json else text)
    return 0


def _link(arguments: argparse.Namespace) -> int:
    if arguments.device:
        from photonlink.bench import device

        report = device.run(arguments.rounds)
        return _show(arguments, report, device.render(report))

    from photonlink.bench import link

    report = link.run(arguments.rounds)
    return _show(arguments, report, link.render(report))


def _gradients(arguments: argparse.Namespace) -> int:
    from photonlink.bench import gradients

    sizes = gradients.SIZES[:2] if arguments.quick else gradients.SIZES
    report = gradients.run(sizes, threads=arguments.threads)
    return _show(arguments, report, gradients.render(report))


def _layers(arguments: argparse.Namespace) -> int:
    from photonlink.bench import layers

    sizes = layers.SIZES[:2] if arguments.quick else layers.SIZES
    report = layers.run(sizes + (layers.LARGE,) * arguments.large, threads=arguments.threads)
    return _show(arguments, report, layers.render(report))


def _optics(arguments: argparse.Namespace) -> int:
    from photonlink.bench import optics

    sizes = arguments.sizes or (optics.SIZES[:3] if arguments.quick else optics.SIZES)
    report = optics.run(tuple(sizes), threads=arguments.threads, quick=arguments.quick)
    return _show(arguments, report, optics.render(report))
