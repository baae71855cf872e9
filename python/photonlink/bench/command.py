"""``photonlink bench``: arguments and output."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from photonlink import latency
from photonlink._outputs import output_file
from photonlink.errors import ProgramError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add one subcommand per benchmark."""
    benchmarks = parser.add_subparsers(title="benchmarks", required=True, metavar="BENCHMARK")

    link = _benchmark(benchmarks, "link", "round trip of an echo, beside two threads that bounce a bare cache line")
    link.add_argument(
        "--rounds", type=int, default=200_000, metavar="N", help="round trips of each kind (default 200000)"
    )
    link.add_argument("--device", action="store_true", help="called from a GPU, beside a bare mapped-memory ping-pong")
    link.add_argument(
        "--clock", action="store_true", help="what the controller adds to the times that its clock models"
    )
    link.add_argument("--datapoints", type=int, metavar="N", help="datapoints (with --clock; default 200)")
    link.add_argument("--jitter", action="store_true", help="histogram in this process, with the worst cases explained")
    link.add_argument(
        "--service", action="store_true", help="what the control plane of a service adds, idle and while it is polled"
    )
    link.add_argument(
        "--polls", type=float, metavar="N", help="requests per second to it (with --service; default 100)"
    )
    link.add_argument("--caller-cpu", type=int, metavar="N", help="pin the calling thread (with --jitter)")
    link.add_argument("--png", type=output_file, metavar="FILE", help="write the histogram (with --jitter)")
    latency.add_arguments(link)
    link.set_defaults(execute=_link)

    soak = _benchmark(benchmarks, "soak", "very many inferences on a service: every result, every token, memory")
    soak.add_argument(
        "--shm", type=int, default=1_000_000, metavar="N", help="inferences over shared memory (default 1000000)"
    )
    soak.add_argument("--udp", type=int, default=100_000, metavar="N", help="inferences over UDP (default 100000)")
    soak.add_argument("--loss", type=float, default=0.05, metavar="P", help="share of datagrams lost (default 0.05)")
    soak.add_argument(
        "--sessions", type=int, default=10, metavar="N", help="sessions of each transport (default %(default)s)"
    )
    soak.add_argument(
        "--seed", type=int, default=7, metavar="N", help="of features, samples and losses (default %(default)s)"
    )
    soak.set_defaults(execute=_soak)

    optics = _benchmark(
        benchmarks, "optics", "distributions and samples beside Perceval, MerLin and others, and the machine's limits"
    )
    optics.add_argument("--quick", action="store_true", help="only sizes up to 10 modes and 5 photons")
    optics.add_argument(
        "--sizes", nargs="+", type=_size, metavar="M,N", help="these modes and photons of the distributions instead"
    )
    _add_threads(optics, "each program")
    optics.set_defaults(execute=_optics)

    noise = _benchmark(benchmarks, "noise", "distributions behind imperfect sources beside Perceval's Processor")
    noise.add_argument("--quick", action="store_true", help="only 6 modes and 3 photons")
    _add_threads(noise, "each program")
    noise.set_defaults(execute=_noise)

    gradients = _benchmark(benchmarks, "gradients", "forward and backward passes beside MerLin, which is needed")
    gradients.add_argument("--quick", action="store_true", help="only small sizes and batches")
    _add_threads(gradients, "each program")
    gradients.set_defaults(execute=_gradients)

    layers = _benchmark(benchmarks, "torch", "torch layers beside MerLin's, which is needed: forward and backward")
    layers.add_argument("--quick", action="store_true", help="only small sizes and batches")
    layers.add_argument("--large", action="store_true", help="also 16 modes with 8 photons")
    _add_threads(layers, "torch")
    layers.set_defaults(execute=_layers)

    cloud = _benchmark(benchmarks, "cloud", "the link beside a small job service in front of the same processor")
    _add_work(cloud, datapoints=64)
    for name, default, text in (
        ("--queue-delay", 1.0, "time that jobs of the delayed pass wait in the queue"),
        ("--scheduling-delay", 0.5, "time that scheduling them takes"),
        ("--poll", 0.05, "time between questions whether they are done"),
    ):
        cloud.add_argument(name, type=float, default=default, metavar="S", help=f"{text} (default %(default)s s)")
    cloud.add_argument(
        "--delayed", type=int, metavar="N", help="datapoints of the delayed pass (default 4, or all if they are fewer)"
    )
    cloud.add_argument("--png", type=output_file, metavar="FILE", help="write a picture")
    cloud.add_argument("--trace", type=output_file, metavar="FILE", help="write a trace for Perfetto")
    cloud.set_defaults(execute=_cloud)

    for benchmark in (link, soak, optics, noise, gradients, layers, cloud):
        benchmark.add_argument("--json", action="store_true", help="print one JSON object")


def _benchmark(benchmarks: Any, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = benchmarks.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}. The photonic processor is simulated."
    )
    return parser


def _add_threads(parser: argparse.ArgumentParser, who: str) -> None:
    parser.add_argument("--threads", type=int, default=2, metavar="N", help=f"threads that {who} may use (default 2)")


def add_trace_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``photonlink trace``."""
    _add_work(parser, datapoints=16)
    parser.add_argument("--rows", type=int, default=1, metavar="N", help="datapoints per call (default 1)")
    parser.add_argument(
        "--out",
        type=output_file,
        default=Path("photonlink-trace.json"),
        metavar="FILE",
        help="where the trace goes (default ./%(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(execute=_trace)


def _add_work(parser: argparse.ArgumentParser, *, datapoints: int) -> None:
    add = parser.add_argument
    for name, default, text in (
        ("--datapoints", datapoints, "datapoints"),
        ("--modes", 10, "modes of the interferometer"),
        ("--photons", 3, "photons per shot"),
        ("--shots", 1000, "kept samples per datapoint"),
        ("--seed", 7, "seed of features, interferometer and samples"),
    ):
        add(name, type=int, default=default, metavar="N", help=f"{text} (default %(default)s)")
    add("--preset", default="article", metavar="NAME", help="chip whose timing the clock models (default %(default)s)")
    add(
        "--clock",
        choices=("realtime", "virtual"),
        default="realtime",
        help="realtime waits modelled times out, virtual adds them up (default %(default)s)",
    )


def _size(text: str) -> tuple[int, int]:
    """``"12,6"`` as (12, 6)."""
    modes, _, photons = text.partition(",")
    if not (modes.isdecimal() and photons.isdecimal() and 1 <= int(photons) <= int(modes)):
        raise argparse.ArgumentTypeError(f"{text!r}: expected modes and photons as in 12,6, no more photons than modes")
    return int(modes), int(photons)


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

    if arguments.service:
        from photonlink.bench import link_service

        report = link_service.run(arguments.rounds, link_service.POLLS if arguments.polls is None else arguments.polls)
        return _show(arguments, report, link_service.render(report))

    if arguments.polls is not None:
        raise ProgramError("--polls belongs to --service: add that, or leave it away")
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


def _noise(arguments: argparse.Namespace) -> int:
    from photonlink.bench import noise

    report = noise.run(noise.SIZES[:1] if arguments.quick else noise.SIZES, threads=arguments.threads)
    return _show(arguments, report, noise.render(report))


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
    delayed = min(4, arguments.datapoints) if arguments.delayed is None else arguments.delayed
    report, trace = cloud.run(_work(arguments), delays, delayed=delayed)
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
