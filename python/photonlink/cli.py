"""The ``photonlink`` command: demo, doctor, controller service, benchmarks, traces, and a reader of captured frames.

Exit codes: 0 success, 1 a typed error (its text says what to do), 2 wrong arguments, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from photonlink.errors import PhotonLinkError

INTERRUPTED = 130


def _parser() -> argparse.ArgumentParser:
    from photonlink import __version__
    from photonlink.bench import command as bench
    from photonlink.demo import command as demo
    from photonlink.qsc import command as qsc

    parser = argparse.ArgumentParser(
        prog="photonlink",
        description="Photonic quantum processors as real-time accelerators inside GPU and CUDA-Q kernels. Where "
        "no other target is named, the processor is simulated in this process, and results say so.",
    )
    parser.add_argument("--version", action="version", version=f"photonlink {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    demo_parser = commands.add_parser(
        "demo",
        help="the main job: read handwritten digits through the whole data path",
        description="Sends 1797 handwritten digits through a photonic reservoir, one datapoint each, over the "
        "link to a simulated processor; compares a linear readout of the results with controls, and reports latencies.",
    )
    demo.add_arguments(demo_parser)
    demo_parser.set_defaults(execute=demo.execute)

    doctor_parser = commands.add_parser(
        "doctor",
        help="report versions, targets, and what is missing and why",
        description="Reports versions, targets, and what is missing and why. Put its output into bug reports.",
    )
    doctor_parser.add_argument("--json", action="store_true", help="print one JSON object")
    doctor_parser.set_defaults(execute=_doctor)

    qsc_parser = commands.add_parser(
        "qsc",
        help="run a quantum system controller (QSC) as a service, ask it, end it",
        description="A quantum system controller (QSC) owns a processor and lends it to one session at a time.",
    )
    qsc.add_arguments(qsc_parser)

    bench_parser = commands.add_parser(
        "bench",
        help="measure this machine, beside other programs and the bare limit",
        description="Measures photonlink, the programs that it is compared with and the bare limit of the machine, in "
        "one run. The photonic processor is simulated.",
    )
    bench.add_arguments(bench_parser)

    trace = commands.add_parser(
        "trace",
        help="record where the time of datapoints goes, for Perfetto",
        description="Sends datapoints over the link and writes where their time went: encode, transport, queue, phase "
        "update, acquisition, readout, decode. Open the file in https://ui.perfetto.dev or chrome://tracing.",
    )
    bench.add_trace_arguments(trace)

    decode = commands.add_parser(
        "decode",
        help="print captured CUDA-Q realtime frames",
        description="Reads a network capture and prints the CUDA-Q realtime requests and responses in it, with their "
        "latencies and whatever breaks the format. Functions of photonlink and of NVIDIA's QEC decoder are known.",
    )
    decode.add_argument("file", help="pcap, pcapng, or text of hexadecimal digits; - for standard input")
    decode.add_argument(
        "--signature",
        action="append",
        default=[],
        metavar="TEXT",
        help="one more function, as in 'add(i64 a, i64 b) -> i64'",
    )
    decode.add_argument(
        "--encoding",
        choices=("A", "B"),
        default="B",
        help="how those functions pack arguments; B is what CUDA-Q's compiler emits (default %(default)s)",
    )
    decode.add_argument("--port", type=int, metavar="N", help="show everything on this UDP port, frames or not")
    decode.add_argument("--json", action="store_true", help="print one JSON object")
    decode.set_defaults(execute=_decode)
    return parser


def _doctor(arguments: argparse.Namespace) -> int:
    import json

    from photonlink.doctor import doctor, render

    report = doctor()
    print(json.dumps(report) if arguments.json else render(report))
    return 0


def _decode(arguments: argparse.Namespace) -> int:
    from photonlink.realtime.listing import decode_file

    chosen = {"encoding": arguments.encoding, "port": arguments.port, "as_json": arguments.json}
    print(decode_file(arguments.file, arguments.signature, **chosen))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.execute(arguments)
    except PhotonLinkError as error:
        print(f"photonlink: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # an output that was checked before the work: the disk is full, the folder went away
        print(f"photonlink: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        # The session's own exit has released the controller; its tokens up to here stay accounted.
        print("photonlink: interrupted; the session was released, run the command again to start over", file=sys.stderr)
        return INTERRUPTED
    return code


if __name__ == "__main__":
    sys.exit(main())
