"""``photonlink qsc``: run a controller service, ask it, end it."""

from __future__ import annotations

import argparse
import contextlib
import json
import shlex
import time
from pathlib import Path
from typing import Any

from photonlink import latency
from photonlink.errors import LinkClosed, LinkTimeout, ServiceError, TargetUnavailable, Unavailable
from photonlink.qsc.client import ControlClient
from photonlink.qsc.config import ServiceConfig, default_ledger, read_token
from photonlink.qsc.protocol import DEFAULT_PORT

_LOOK_SECONDS = 0.1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add one subcommand per task."""
    tasks = parser.add_subparsers(title="tasks", required=True, metavar="TASK")
    _add_serve(
        tasks.add_parser(
            "serve",
            help="own a processor and lend it to one client at a time",
            description="Owns a processor and lends it to one client at a time, until SIGTERM or `photonlink qsc "
            "stop`. When it can be used it prints one line that begins with PHOTONLINK_QSC_READY.",
        )
    )
    for name, run, text in (
        ("status", _status, "show what the service is and does"),
        ("usage", _usage, "show what its sessions have used: tokens (datapoints), shots, quantum and wall time"),
        ("drain", _drain, "take no new sessions; the running one is not touched"),
        ("stop", _stop, "end the service; the running session finishes what was accepted"),
    ):
        task = tasks.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        task.add_argument(
            "target",
            nargs="?",
            default=f"qsc://127.0.0.1:{DEFAULT_PORT}",
            help="qsc://host:port or shm://name (default %(default)s)",
        )
        task.add_argument("--token-file", type=Path, metavar="FILE", help="file that holds the bearer token")
        task.add_argument("--json", action="store_true", help="print one JSON object")
        task.set_defaults(execute=run)
        if name == "usage":
            task.add_argument("--session", type=int, metavar="N", help="one session only")
            task.add_argument("--limit", type=int, default=20, metavar="N", help="latest sessions to show (default 20)")
        if name == "drain":
            task.add_argument("--off", action="store_true", help="take new sessions again")
        if name in ("drain", "stop"):
            task.add_argument(
                "--wait", type=float, default=0.0, metavar="S", help="wait until it is done, at most S seconds"
            )


def _words(text: str) -> tuple[str, ...]:
    if not (words := tuple(shlex.split(text))):
        raise argparse.ArgumentTypeError("expected a provider, and its arguments if it needs any")
    return words


def _add_serve(serve: argparse.ArgumentParser) -> None:
    of = ServiceConfig.__dataclass_fields__
    add = serve.add_argument
    add(
        "--processor",
        default="sim",
        metavar="NAME",
        help="what executes programs: sim, the native simulator (default); perceval:slos or perceval:PRESET; "
        "quandela:PLATFORM, on Quandela's cloud; MODULE:FACTORY, a driver of your own",
    )
    add("--host", default="127.0.0.1", help="address to listen on (default %(default)s); others need --token-file")
    add("--port", type=int, default=DEFAULT_PORT, metavar="N", help="TCP port, 0 for any (default %(default)s)")
    add("--name", help="name of the service on this machine, for shm://NAME (default photonlink-<process id>)")
    add(
        "--transports",
        type=lambda text: tuple(text.split(",")),
        metavar="NAMES",
        help="how datapoints may travel, separated by commas: shm (shared memory), udp, bridge (--bridge); all that "
        "the address permits if not given",
    )
    add("--udp-port", type=int, default=0, metavar="N", help="UDP port, 0 for any (default %(default)s)")
    add("--udp-tags", action="store_true", help="authenticate UDP frames on loopback, too; elsewhere they always are")
    add(
        "--bridge",
        type=_words,
        default=(),
        metavar="'PROVIDER ARGUMENTS'",
        help="transport provider of CUDA-Q realtime: a path, a file name or its short name (udp, cpu_roce), and its "
        "own arguments, in one word of the shell",
    )
    add("--bridge-slots", type=int, metavar="N", help="slots of a provider that does not say how many it has")
    add("--token-file", type=Path, metavar="FILE", help="file that holds the bearer token of clients")
    add("--ledger", type=Path, metavar="FILE", help=f"usage ledger (default {default_ledger()})")
    add("--clock", choices=("virtual", "realtime", "none"), help="clock of every session (default: the client's)")
    add("--preset", metavar="NAME", help="chip whose timing every session models (default: the client's)")
    for option, kind, text in (
        ("slots", int, "most datapoints in flight per session"),
        ("idle_timeout", float, "seconds without a request after which a session is released"),
        ("max_duration", float, "longest session, in seconds"),
        ("drain", float, "seconds that the end of a session may spend on what was accepted"),
        ("queue", int, "reservations that may wait"),
        ("max_program_bytes", int, "largest program that is read, in bytes"),
        ("max_modes", int, "most modes of a program"),
        ("max_photons", int, "most photons of a program"),
    ):
        default = of[option].default
        unit = "N" if kind is int else "S"
        add(
            f"--{option.replace('_', '-')}",
            type=kind,
            default=default,
            metavar=unit,
            help=f"{text} (default {default:.0f})",
        )
    add("--memory-limit", type=int, metavar="BYTES", help="memory that one program may need (default half of all)")
    latency.add_arguments(serve)
    add(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="info",
        help="least severe lines of the log (default %(default)s)",
    )
    serve.set_defaults(execute=_serve)


def _serve(arguments: argparse.Namespace) -> int:
    from photonlink.qsc.server import require_packages, serve

    require_packages()
    given = {name: value for name, value in vars(arguments).items() if name in ServiceConfig.__dataclass_fields__}
    given["ledger"] = arguments.ledger or default_ledger()
    given["latency"] = latency.given(arguments)
    if arguments.name is None:
        del given["name"]
    if arguments.token_file is not None:
        given["token"] = read_token(arguments.token_file)
    serve(ServiceConfig(**given))
    return 0


def _client(arguments: argparse.Namespace) -> ControlClient:
    return ControlClient(arguments.target, None if arguments.token_file is None else read_token(arguments.token_file))


def _show(arguments: argparse.Namespace, report: dict[str, Any], lines: list[str]) -> int:
    print(json.dumps(report) if arguments.json else "\n".join(lines))
    return 0


def _status(arguments: argparse.Namespace) -> int:
    report = _client(arguments).call("GET", "/status")
    lines = []
    for name, value in report.items():
        if name == "latency":
            lines += [f"latency: {_granted(outcome)}" for outcome in value]
        elif name == "transports":
            lines += [f"transport: {', '.join(f'{key} {entry}' for key, entry in offer.items())}" for offer in value]
        elif isinstance(value, dict):
            lines += [name, *(f"  {key}: {'-' if entry is None else entry}" for key, entry in value.items())]
        else:
            lines.append(f"{name}: {'-' if value in (None, '') else value}")
    return _show(arguments, report, lines)


def _granted(outcome: dict[str, Any]) -> str:
    granted = "granted" if outcome["granted"] else "refused"
    return f"{outcome['measure']} {outcome['asked']}: {granted}, {outcome['detail']}"


def _seconds(nanoseconds: int | None) -> str:
    return "-" if nanoseconds is None else f"{nanoseconds * 1e-9:.6g} s"


def _usage_line(usage: dict[str, Any]) -> str:
    return (
        f"session {usage['session']}  {usage['started']}  {usage['tokens']} tokens  {usage['shots']} shots  "
        f"quantum {_seconds(usage['quantum_ns'])}  wall {_seconds(usage['wall_ns'])}  {usage['end'] or 'running'}"
    )


def _usage(arguments: argparse.Namespace) -> int:
    client = _client(arguments)
    if arguments.session is not None:
        report = client.call("GET", f"/sessions/{arguments.session}")
        return _show(arguments, report, [_usage_line(report)])
    report = client.call("GET", "/usage", query={"limit": arguments.limit})
    total = report["total"]
    head = (
        f"{total['sessions']} sessions, {total['tokens']} tokens, {total['shots']} shots, "
        f"quantum {_seconds(total['quantum_ns'])}"
    )
    return _show(arguments, report, [head, *map(_usage_line, report["sessions"])])


def _drain(arguments: argparse.Namespace) -> int:
    client = _client(arguments)
    client.call("POST", "/drain", query={"on": not arguments.off})
    end = time.monotonic() + arguments.wait
    while (running := client.call("GET", "/status")["session"]) is not None and time.monotonic() < end:
        time.sleep(_LOOK_SECONDS)
    if arguments.wait > 0 and running is not None:
        raise ServiceError(f"session {running['session']} still runs after {arguments.wait:g} s; no new one is taken")
    state = "takes new sessions again" if arguments.off else "takes no new sessions"
    more = f"; session {running['session']} still runs" if running is not None else ""
    return _show(arguments, {"draining": not arguments.off, "session": running}, [f"{client.target} {state}{more}"])


def _stop(arguments: argparse.Namespace) -> int:
    client = _client(arguments)
    client.call("POST", "/stop")
    end = time.monotonic() + arguments.wait
    ended = False
    while arguments.wait > 0 and not (ended := _has_ended(client)):
        if time.monotonic() >= end:
            raise ServiceError(f"{client.target} still answers after {arguments.wait:g} s")
        time.sleep(_LOOK_SECONDS)
    return _show(arguments, {"stopped": ended}, [f"{client.target} {'has ended' if ended else 'is ending'}"])


def _has_ended(client: ControlClient) -> bool:
    with contextlib.suppress(LinkClosed, LinkTimeout):
        try:
            client.call("GET", "/health")
        except TargetUnavailable as error:
            return error.reason is Unavailable.UNREACHABLE
    return False
