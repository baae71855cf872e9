"""``photonlink bench``: arguments and output."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from photonlink import latency
from photonlink.errors import ProgramError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add one subcommand per benchmark."""
    benchmarks = parser.add_subparsers(title="benchmarks", required=True, metavar="BENCHMARK")

    link = benchmarks.add_parser("link", help="echo round trip beside a bare cache-line ping-pong")
    link.add_argument("--rounds", type=int, default=200_000, help="round trips per measurement (default 200000)")
    link.add_argument("--device", action="store_true", help="called from a GPU, beside a bare mapped-memory ping-pong")
    link.add_argument("--clock", action="store_true", help="what the controller adds to modelled times")
    link.add_argument("--datapoints", type=int, metavar="N", help="datapoints (with --clock; default 200)")
    link.add_argument("--jitter", action="store_true", help="histogram in this process, with the worst cases explained")
    link.add_argument("--caller-cpu", type=int, metavar="N", help="pin the calling thread (with --jitter)")
    link.add_argument("--png", type=Path, metavar="FILE", help="write the histogram (with --jitter)")
    latency.add_arguments(link)
    link.set_defaults(execute=_link)

    soak = benchmarks.add_parser("soak", help="very many inferences on a service: tokens, results, memory")
    soak.add_argument("--shm", type=int, default=1_000_000, metavar="N", help="over shared memory (default 1000000)")
    soak.add_argument("--udp", type=int, default=100_000, metavar="N", help="over UDP (default 100000)")
    soak.add_argument("--loss", type=float, default=0.05, metavar="P", help="share of datagrams lost (default 0.05)")
    soak.add_argument("--sessions", type=int, default=10, help="sessions of each transport (default %(default)s)")
    soak.add_argument("--seed", type=int, default=7, help="of features, samples and losses (default %(default)s)")
    soak.set_defaults(execute=_soak)

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

    cloud = benchmarks.add_parser("cloud", help="the link beside a job service in front of the same processor")
    _add_work(cloud, datapoints=64)
    cloud.add_argument("--queue-delay", type=float, default=1.0, metavar="S", help="configured delay (default 1 s)")
    cloud.add_argument(
        "--scheduling-delay", type=float, default=0.5, metavar="S", help="configured delay (default 0.5 s)"
    )
    cloud.add_argument(
        "--poll", type=float, default=0.05, metavar="S", help="between polls in the delayed pass (default 0.05 s)"
    )
    cloud.add_argument("--delayed", type=int, default=4, metavar="N", help="datapoints of that pass (default 4)")
    cloud.add_argument("--png", type=Path, metavar="FILE", help="write a picture")
    cloud.add_argument("--trace", type=Path, metavar="FILE", help="write a Chrome/Perfetto trace")
    cloud.set_defaults(execute=_cloud)

    for benchmark in (link, soak, optics, gradients, layers, cloud):
        benchmark.add_argument("--json", action="store_true", help="print one JSON object")


def add_trace_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``photonlink trace``."""
    _add_work(parser, datapoints=16)
    parser.add_argument("--rows", type=int, default=1, help="datapoints per call (default 1)")
    parser.add_argument(
        "--out", type=Path, default=Path("photonlink-trace.json"), help="where the trace goes (default ./%(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(execute=_trace)


def _add_work(parser: argparse.ArgumentParser, *, datapoints: int) -> None:
    add = parser.add_argument
    add("--datapoints", type=int, default=datapoints, help="datapoints (default %(default)s)")
    add("--modes", type=int, default=10, help="modes of the interferometer (default %(default)s)")
    add("--photons", type=int, default=3, help="photons per shot (default %(default)s)")
    add("--shots", type=int, default=1000, help="kept samples per datapoint (default %(default)s)")
    add("--seed", type=int, default=7, help="seed of features, interferometer and samples (default %(default)s)")
    add("--preset", default="article", help="figures that the clock models (default %(default)s)")
    add(
        "--clock",
        choices=("realtime", "virtual"),
        default="realtime",
        help="realtime waits modelled times out, virtual adds them up (default %(default)s)",
    )


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

    if arguments.jitter:
        from photonlink.bench import link_jitter

        report = link_jitter.run(arguments.rounds, latency.given(arguments), caller_cpu=arguments.caller_cpu)
        if arguments.png is not None:
            link_jitter.figure(report, arguments.png)
        return _show(arguments, report, link_jitter.render(report))

    if (arguments.caller_cpu, arguments.png) != (None, None):
        raise ProgramError("--caller-cpu and --png belong to --jitter: add that, or leave them away")
    if arguments.clock:
        from photonlink.bench import link_clock

        datapoints = 200 if arguments.datapoints is None else arguments.datapoints
        report = link_clock.run(datapoints, latency.given(arguments))
        return _show(arguments, report, link_clock.render(report))

    if latency.given(arguments) is not None or arguments.datapoints is not None:
        raise ProgramError(
            "CPUs, memory and priority belong to --jitter or --clock, and --datapoints to --clock: add that, or leave "
            "them away"
        )
    from photonlink.bench import link

    report = link.run(arguments.rounds)
    return _show(arguments, report, link.render(report))


def _soak(arguments: argparse.Namespace) -> int:
    from photonlink.bench import soak

    amounts = {"loss": arguments.loss, "sessions": arguments.sessions, "seed": arguments.seed}
    report = soak.run(arguments.shm, arguments.udp, **amounts)
    _show(arguments, report, soak.render(report))
    return 0 if report["sound"] else 1


def _gradients(arguments: argparse.Namespace) -> int:
    from photonlink.bench import gradients

    sizes = gradients.SIZES[:2] if arguments.quick else gradients.SIZES
    report = gradients.run(sizes, threads=arguments.threads)
    return _show(arguments, report, gradients.render(report))


def _layers(arguments: argparse.Namespace) -> int:
    from photonlink.bench import layers

    sizes = layers.SIZES[:2] if arguments.quick else layers.SIZES
    report = layers.run(sizes + layers.LARGE * arguments.large, threads=arguments.threads)
    return _show(arguments, report, layers.render(report))


def _work(arguments: argparse.Namespace) -> Any:
    from photonlink.bench.cloud_paths import Work

    names = ("modes", "photons", "shots", "seed", "clock")
    options = {name: getattr(arguments, name) for name in names}
    return Work.reservoir(arguments.datapoints, timing=arguments.preset, **options)


def _cloud(arguments: argparse.Namespace) -> int:
    from photonlink.bench import cloud, cloud_report

    delays = cloud.Delays(arguments.queue_delay, arguments.scheduling_delay, arguments.poll)
    report, trace = cloud.run(_work(arguments), delays, delayed=arguments.delayed)
    if arguments.png is not None:
        cloud_report.figure(report, arguments.png)
    if arguments.trace is not None:
        trace.write(arguments.trace)
    return _show(arguments, report, cloud_report.render(report))


def _trace(arguments: argparse.Namespace) -> int:
    from photonlink.bench import cloud

    report, trace = cloud.trace_link(_work(arguments), rows=arguments.rows)
    trace.write(arguments.out)
    text = (
        f"{len(trace.spans)} spans of {report['datapoints']} datapoints: {arguments.out}, for https://ui.perfetto.dev"
    )
    return _show(arguments, {**report, "trace": str(arguments.out)}, text)


def _optics(arguments: argparse.Namespace) -> int:
    from photonlink.bench import optics

    sizes = arguments.sizes or (optics.SIZES[:3] if arguments.quick else optics.SIZES)
    report = optics.run(tuple(sizes), threads=arguments.threads, quick=arguments.quick)
    return _show(arguments, report, optics.render(report))
