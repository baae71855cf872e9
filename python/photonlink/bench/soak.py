"""``photonlink bench soak``: very many inferences on a service in another process, over a network that loses datagrams.

Every result is compared, bit by bit, with the simulator's for the same datapoint id: an inference that was executed
under another id, or whose answer was another's, is found. Tokens are counted four times: what sessions report at their
end, what ``photonlink qsc usage`` prints, what the ledger on disk holds when the service is gone, and what was sent.
Memory is read from the kernel while this goes on, of the service's process and of this one.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import photonlink as phl
from photonlink._checks import integer
from photonlink.bench.network import BadNetwork
from photonlink.errors import PhotonLinkError, ProgramError
from photonlink.qsc import remote
from photonlink.qsc.launching import ServiceProcess
from photonlink.qsc.links import Link, connect
from photonlink.qsc.opening import Wish
from photonlink.qsc.protocol import Transport

__all__ = ["MOST_GROWTH_KIB", "SHORTEST", "render", "run"]

SHOTS = 20
SLOTS = 64
CHUNK = 1000  # inferences between two looks
SINGLE_CALLS = 50  # of a chunk, one datapoint each; as many more as futures, and the rest in one call
SAMPLES = 50  # of memory, about
# Less cannot be told from what allocators keep. A million inferences that leak one byte each grow by about this much.
MOST_GROWTH_KIB = 1024
SHORTEST = 20_000  # inferences below which nothing can be said of growth
PATIENCE_SECONDS = 120.0

Floats = NDArray[np.float64]


@dataclass
class _Watch:
    """Memory of processes over time."""

    processes: dict[str, int]
    every: int
    rows: list[dict[str, int]] = field(default_factory=list)

    def look(self, inferences: int) -> None:
        if not self.rows or inferences - self.rows[-1]["inferences"] >= self.every:
            found = {name: _rss_kib(process) for name, process in self.processes.items()}
            self.rows.append({"inferences": inferences, **found})

    def growth_kib(self) -> dict[str, int]:
        """From the second tenth of the run, when everything has been touched, to the last; medians."""
        tenth = max(len(self.rows) // 10, 1)
        early, late = self.rows[tenth : 2 * tenth] or self.rows[-1:], self.rows[-tenth:]
        medians = [
            {name: int(np.median([row[name] for row in part])) for name in self.processes} for part in (early, late)
        ]
        return {name: medians[1][name] - medians[0][name] for name in self.processes}


def _rss_kib(process: int) -> int:
    """Resident memory, counted page by page; what /proc/PID/status says is brought up to date in steps."""
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1])
    raise PhotonLinkError(f"the kernel does not say how much memory process {process} has")


def run(
    shared_memory: int = 1_000_000, udp: int = 100_000, *, loss: float = 0.05, sessions: int = 10, seed: int = 7
) -> dict[str, Any]:
    """Send so many inferences over each transport, none where the number is 0.

    Args:
        shared_memory: Inferences over shared memory.
        udp: Inferences over UDP.
        loss: Share of datagrams that is lost, in each direction.
        sessions: Sessions of each transport, one after the other.
        seed: Of features, samples and losses.

    Returns:
        A JSON-serialisable report; ``sound`` says whether all of it is as it should be.

    Raises:
        ProgramError: A number is out of range.
        PhotonLinkError: An inference failed, or returned another result than the simulator's.
    """
    integer("shared_memory", shared_memory, 0, 10**9)
    integer("udp", udp, 0, 10**9)
    integer("sessions", sessions, 1, 10_000)
    if not 0 <= loss < 1:
        raise ProgramError(f"loss is {loss}, expected a share of datagrams, at least 0 and below 1")
    passes = []
    if shared_memory:
        passes.append(_soak("shm", shared_memory, 0.0, sessions, seed))
    if udp:
        passes.append(_soak("udp", udp, loss, sessions, seed))
    return {"shots": SHOTS, "seed": seed, "sound": all(each["sound"] for each in passes), "passes": passes}


def _soak(transport: Transport, inferences: int, loss: float, sessions: int, seed: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        ledger = Path(folder, "ledger.sqlite")
        service = stack.enter_context(ServiceProcess("--ledger", str(ledger), "--transports", transport))
        network = None
        if transport == "udp":
            assert service.udp is not None
            network = stack.enter_context(BadNetwork(service.udp, lost=loss, seed=seed))
        watch = _Watch({"service": service.process.pid, "client": os.getpid()}, max(inferences // SAMPLES, 1))
        begun = time.monotonic()
        reported = _send(service, transport, network, inferences, sessions, seed, watch)
        seconds = time.monotonic() - begun
        listed = _usage(service.target)
        service.stop()
        tokens = {"reported": reported, "qsc_usage": listed, "ledger": _ledger(ledger)}
    growth = watch.growth_kib()
    flat = max(growth.values()) <= MOST_GROWTH_KIB if inferences >= SHORTEST else None
    counted = all(count == inferences for count in tokens.values())
    return {
        "transport": transport,
        "inferences": inferences,
        "sessions": sessions,
        "equal_results": True,  # anything else was raised
        "tokens": tokens,
        "lost_or_double_tokens": max(abs(count - inferences) for count in tokens.values()),
        "datagrams": None if network is None else {"forwarded": network.forwarded, "lost": network.disturbed},
        "seconds": round(seconds, 3),
        "rss_growth_kib": growth,
        "rss_flat": flat,
        "rss_kib": watch.rows,
        "sound": counted and flat is not False,
    }


def _send(
    service: ServiceProcess,
    transport: Transport,
    network: BadNetwork | None,
    inferences: int,
    sessions: int,
    seed: int,
    watch: _Watch,
) -> int:
    """Send everything; returns the tokens that the sessions report."""

    def connector(grant: dict[str, Any], program: phl.Program, precision: Any, control: str) -> Link:
        if network is not None:
            grant = {**grant, "transport": {**grant["transport"], "address": network.address}}
        return connect(grant, program, precision, control, stall_limit=PATIENCE_SECONDS)

    program = phl.Program.reservoir(6, 2, features=6, seed=seed)
    wish = Wish(shots=SHOTS, seed=seed, slots=SLOTS, transport=transport)
    random = np.random.default_rng(seed)
    tokens = sent = 0
    watch.look(sent)
    for number in range(sessions):
        rows = inferences // sessions + (number < inferences % sessions)
        session = remote.reserve(
            service.target, program, wish, token=None, asked=None, timeout=PATIENCE_SECONDS, connector=connector
        )
        with session:
            for first in range(0, rows, CHUNK):
                x = random.uniform(0, np.pi, (min(CHUNK, rows - first), 6))
                _compare(program, x, first, seed, _infer(session, x))
                sent += len(x)
                watch.look(sent)
        tokens += session.usage.tokens
    return tokens


def _infer(session: phl.Session, x: Floats) -> Floats:
    """The ways to call, in turn: single datapoints, futures that are in flight together, and rows."""
    singles, futures, rest = np.split(x, [SINGLE_CALLS, 2 * SINGLE_CALLS])
    results = [session.infer(row)[np.newaxis] for row in singles]
    pending = [session.infer_async(row) for row in futures]
    results += [future.result(PATIENCE_SECONDS)[np.newaxis] for future in pending]
    results.append(session.infer(rest))
    return np.concatenate(results)


def _compare(program: phl.Program, x: Floats, first: int, seed: int, y: Floats) -> None:
    expected = program.simulate(x, shots=SHOTS, seed=seed, ids=np.arange(first, first + len(x), dtype=np.uint64))
    wrong = np.flatnonzero((y != expected).any(axis=1))
    if len(wrong):
        raise PhotonLinkError(
            f"{len(wrong)} of {len(x)} inferences returned other results than the simulator, the first with datapoint "
            f"id {first + int(wrong[0])}"
        )


def _usage(target: str) -> int:
    """Tokens of all sessions, as the command prints them."""
    command = [sys.executable, "-m", "photonlink.cli", "qsc", "usage", target, "--json", "--limit", "10000"]
    done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=PATIENCE_SECONDS)
    return sum(session["tokens"] for session in json.loads(done.stdout)["sessions"])


def _ledger(path: Path) -> int:
    """Tokens of all sessions, as the database has them."""
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute("SELECT SUM(tokens) FROM sessions").fetchone()[0])


def render(report: dict[str, Any]) -> str:
    """The report as text."""
    return "\n".join(line for each in report["passes"] for line in _lines(each))


def _lines(each: dict[str, Any]) -> Iterator[str]:
    rate = each["inferences"] / each["seconds"]
    yield (
        f"{each['inferences']} inferences over {each['transport']} in {each['sessions']} sessions, "
        f"{each['seconds']:.1f} s ({rate:.0f}/s with the comparison)"
    )
    if each["datagrams"] is not None:
        yield "  {forwarded} datagrams, of which {lost} were lost".format(**each["datagrams"])
    yield "  every result is the simulator's for its datapoint id, bit by bit"
    yield "  tokens: " + ", ".join(f"{count} ({where.replace('_', ' ')})" for where, count in each["tokens"].items())
    first, last = each["rss_kib"][0], each["rss_kib"][-1]
    for who, growth in each["rss_growth_kib"].items():
        yield f"  memory of the {who}: {first[who]} KiB at first, {last[who]} KiB at last; since warm {growth:+d} KiB"
    flat = {True: "flat", False: "GROWING", None: "too few inferences to tell whether it grows"}[each["rss_flat"]]
    yield f"  memory is {flat}; {'sound' if each['sound'] else 'NOT SOUND'}"
