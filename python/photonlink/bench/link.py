"""``photonlink bench link``: the link's echo round trip beside the bare limits, in the same run.

The echo is answered by the dispatcher that answers inferences, with the same key check. The bare limit is two threads
that bounce a cache line and do nothing else; for UDP, two sockets. Bare and echo alternate, so that a noisy moment of
the machine hits both.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

import photonlink as phl
from photonlink._checks import integer

REPEATS = 5
KINDS = ("bare", "in_process", "cross_process", "udp_bare", "udp")
BARE = {"in_process": "bare", "cross_process": "bare", "udp": "udp_bare"}
PAYLOAD_BYTES = 32  # arg_len of the echo: key, element count and 16 bytes
PEER_SLACK_SECONDS = 60.0


def run(rounds: int) -> dict[str, Any]:
    """Measure ``rounds`` round trips of each kind, in ``REPEATS`` alternating parts.

    Returns:
        ``bare``, ``in_process``, ``cross_process``, ``udp_bare`` and ``udp``, each with p50, p99 and max in nanoseconds
        (medians over the parts for p50 and p99, the worst for max), and ``ratio``: p50 over the p50 of what is bare.

    Raises:
        ProgramError: `rounds` is below ``REPEATS``.
    """
    from photonlink import _core
    from photonlink.bench import link_udp

    part = integer("rounds", rounds, REPEATS, 100_000_000) // REPEATS
    program = phl.Program.reservoir(modes=2, photons=1, features=2, seed=0, readout=phl.Readout.mode_expectations())
    samples: dict[str, list[NDArray[Any]]] = {kind: [] for kind in KINDS}
    address = f"@photonlink-bench-{os.getpid()}"
    with phl.reserve("sim", program, clock="none") as session:
        service = _core.ShmService(session._core_session, address, slots=session.slots)
        peer = Peer(address, part)
        try:
            for _ in range(REPEATS):
                samples["bare"].append(_core.bare_ping_pong(part))
                samples["in_process"].append(session.echo_latency(part) * 1e9)
                samples["cross_process"].append(peer.measure())
        finally:
            peer.close()
            service.close()
    datagram_bytes = 0
    for _ in range(REPEATS):
        datagram_bytes, bare, gateway = link_udp.measure(part)
        samples["udp_bare"].append(bare)
        samples["udp"].append(gateway)
    rows = {kind: summary(parts) for kind, parts in samples.items()}
    for kind, bare_kind in BARE.items():
        rows[kind]["ratio"] = rows[kind]["p50_ns"] / rows[bare_kind]["p50_ns"]
    sizes = {"payload_bytes": PAYLOAD_BYTES, "datagram_bytes": datagram_bytes, "rounds": part * REPEATS}
    return {**sizes, **rows}


def summary(parts: list[NDArray[Any]]) -> dict[str, float]:
    """Of round trips in nanoseconds: medians of p50 and p99 over the parts, and the worst of all."""
    return {
        "p50_ns": float(np.median([np.percentile(part, 50) for part in parts])),
        "p99_ns": float(np.median([np.percentile(part, 99) for part in parts])),
        "max_ns": float(max(part.max() for part in parts)),
    }


class Peer:
    """A client in a process of its own, over shared memory.

    Args:
        address: Abstract Unix socket that hands the memory over.
        rounds: Echoes of each measurement.
    """

    def __init__(self, address: str, rounds: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "photonlink.bench.peer", address, str(rounds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def measure(self) -> NDArray[Any]:
        """(rounds,) round trips in nanoseconds.

        Raises:
            LinkClosed: The process has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("measure\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise phl.errors.LinkClosed(f"the client process ended with code {self._process.wait(PEER_SLACK_SECONDS)}")
        return np.asarray(json.loads(line))

    def close(self) -> None:
        """End the process."""
        try:
            self._process.communicate(timeout=PEER_SLACK_SECONDS)  # end of input tells it to leave
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()


def render(report: dict[str, Any]) -> str:
    """The report as a table."""
    sizes = f"arg_len {report['payload_bytes']}, datagrams of {report['datagram_bytes']} bytes"
    lines = [
        f"echo round trip, {sizes}, {report['rounds']} rounds of each, alternating",
        f"{'':<42}{'p50 ns':>10}{'p99 ns':>10}{'max ns':>12}{'p50 / bare':>12}",
    ]
    for kind, label in (
        ("bare", "bare two-thread cache-line ping-pong"),
        ("in_process", "photonlink, controller in this process"),
        ("cross_process", "photonlink, client in another process"),
        ("udp_bare", "bare UDP echo, two sockets on loopback"),
        ("udp", "photonlink, datagrams through its gateway"),
    ):
        row = report[kind]
        ratio = f"{row['ratio']:.2f}" if "ratio" in row else "1"
        lines.append(f"{label:<42}{row['p50_ns']:>10.0f}{row['p99_ns']:>10.0f}{row['max_ns']:>12.0f}{ratio:>12}")
    return "\n".join(lines)
