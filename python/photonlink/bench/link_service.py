"""``photonlink bench link --service``: what a control plane beside the data plane costs an echo.

The same client, in a process of its own, sends echoes over shared memory: to a controller that has no control plane; to
``photonlink qsc serve``, whose control plane nobody asks for anything; and to the same service while its status and its
metrics are asked for again and again. The three take turns, so that a noisy moment of the machine hits all. Where there
are two CPUs, clients have one and dispatchers the other; the control plane, and who polls it, may be on both.
"""

from __future__ import annotations

import http.client
import itertools
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

import photonlink as phl
from photonlink._checks import integer
from photonlink.bench.link import REPEATS, Peer, summary
from photonlink.bench.pinning import pinned, two_cpus
from photonlink.errors import ProgramError, ServiceError
from photonlink.latency import Latency
from photonlink.qsc.client import ControlClient
from photonlink.qsc.launching import ServiceProcess
from photonlink.qsc.opening import Wish
from photonlink.qsc.protocol import API

__all__ = ["POLLS", "render", "run"]

POLLS = 100.0  # requests per second
TURN_SECONDS = 0.5  # at least, or no request would fall into it
MOST_POLLS = 10_000.0
PATIENCE_SECONDS = 60.0
ASKED = (f"{API}/status", f"{API}/metrics")
KINDS = {
    "without": "controller without a control plane",
    "idle": "qsc serve, control plane idle",
    "polled": "qsc serve, control plane polled",
}


def run(rounds: int, polls: float = POLLS, *, turn_seconds: float = TURN_SECONDS) -> dict[str, Any]:
    """Measure ``REPEATS`` turns of each kind, each of `turn_seconds` and ``rounds / REPEATS`` round trips at least.

    Args:
        rounds: Round trips of each kind, at least.
        polls: Requests to the control plane per second, in turn for its status and for its metrics.
        turn_seconds: Length of a turn in seconds, at least.

    Returns:
        ``without``, ``idle`` and ``polled``, each with ``rounds`` and with p50, p99 and max in nanoseconds (medians of
        the turns, for max the worst), the latter two with ``ratio``: p50 over that without a control plane. Also
        ``polls_per_second``, as answered while it was polled.

    Raises:
        ProgramError: A number is out of range.
        ServiceError: The service did not start, or its control plane did not answer as it should.
    """
    part = integer("rounds", rounds, REPEATS, 100_000_000) // REPEATS
    if not 0 < polls <= MOST_POLLS:
        raise ProgramError(f"polls is {polls}, expected a number of requests per second, at most {MOST_POLLS:g}")
    turns: dict[str, list[NDArray[Any]]] = {kind: [] for kind in KINDS}
    answered: list[float] = []
    program = phl.Program.reservoir(modes=2, photons=1, features=2, seed=0, readout=phl.Readout.mode_expectations())
    with _without(program, part) as alone, _service(program, part) as (served, address):
        for _ in range(REPEATS):
            turns["without"].append(_turn(alone, turn_seconds))
            turns["idle"].append(_turn(served, turn_seconds))
            with _polling(address, polls, answered):
                turns["polled"].append(_turn(served, turn_seconds))
    rows = {kind: {"rounds": sum(map(len, parts)), **summary(parts)} for kind, parts in turns.items()}
    for kind in ("idle", "polled"):
        rows[kind]["ratio"] = rows[kind]["p50_ns"] / rows["without"]["p50_ns"]
    return {"polls_per_second": float(np.median(answered)), **rows}


def _turn(peer: Peer, seconds: float) -> NDArray[Any]:
    end = time.monotonic() + seconds
    parts = [peer.measure()]
    while time.monotonic() < end:
        parts.append(peer.measure())
    return np.concatenate(parts)


def _client(address: str, rounds: int) -> Peer:
    with pinned(set(two_cpus()[:1])):  # its process stays there
        return Peer(address, rounds)


@contextmanager
def _without(program: phl.Program, rounds: int) -> Iterator[Peer]:
    """A client of a controller in this process, whose main thread only waits for what the client says."""
    from photonlink import _core

    address = f"@photonlink-bench-{os.getpid()}"
    dispatcher = two_cpus()[1:]
    with (
        phl.Controller(latency=Latency(dispatcher_cpus=dispatcher) if dispatcher else None) as controller,
        phl.reserve("sim", program, clock="none", controller=controller) as session,
        closing(_core.ShmService(session._core_session, address, slots=session.slots)),
        closing(_client(address, rounds)) as peer,
    ):
        yield peer


@contextmanager
def _service(program: phl.Program, rounds: int) -> Iterator[tuple[Peer, str]]:
    """A client of a session of a service, and host:port of its control plane."""
    options = [f"--dispatcher-cpus={cpu}" for cpu in two_cpus()[1:]]
    with (
        tempfile.TemporaryDirectory() as folder,
        ServiceProcess("--ledger", f"{folder}/ledger.sqlite", *options) as service,
    ):
        client = ControlClient(service.target)
        wish = Wish(clock="none", transport="shm")
        grant = client.call("POST", "/sessions", query=asdict(wish), body=program.to_bytes())
        try:
            with closing(_client(grant["transport"]["address"], rounds)) as peer:
                yield peer, service.target.removeprefix("qsc://")
        finally:
            client.call("DELETE", f"/sessions/{grant['session']}", lease=grant["lease"])


@contextmanager
def _polling(address: str, rate: float, answered: list[float]) -> Iterator[None]:
    """Requests to the control plane for as long as the context lasts; adds their number per second to `answered`."""
    over = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        polling = pool.submit(_poll, address, rate, over)
        try:
            yield
        finally:
            over.set()
        answered.append(polling.result())


def _poll(address: str, rate: float, over: threading.Event) -> float:
    """Ask, at least once, until it is over; returns requests per second."""
    begun = time.monotonic()
    with closing(http.client.HTTPConnection(address, timeout=PATIENCE_SECONDS)) as connection:
        for count in itertools.count(1):
            connection.request("GET", ASKED[count % len(ASKED)])
            response = connection.getresponse()
            response.read()
            if response.status != http.client.OK:
                raise ServiceError(f"the control plane at {address} answered with status {response.status}")
            if over.wait(max(0.0, begun + count / rate - time.monotonic())):
                break
    return count / (time.monotonic() - begun)


def render(report: dict[str, Any]) -> str:
    """The report as a table."""
    lines = [
        f"echo round trip over shared memory, in turns; polled {report['polls_per_second']:.0f} times per second",
        f"{'':<42}{'p50 ns':>10}{'p99 ns':>10}{'max ns':>12}{'p50 ratio':>12}{'rounds':>12}",
    ]
    for kind, label in KINDS.items():
        row = report[kind]
        ratio = f"{row.get('ratio', 1):.2f}"
        figures = f"{row['p50_ns']:>10.0f}{row['p99_ns']:>10.0f}{row['max_ns']:>12.0f}{ratio:>12}{row['rounds']:>12}"
        lines.append(f"{label:<42}{figures}")
    return "\n".join(lines)
