"""The UDP rows of ``photonlink bench link``: a gateway's echo beside two bare sockets.

The caller is the same for both: one datagram out and one back, socket calls of its own, no session and nothing in
between. What answers is a thread that sends datagrams back as they came, or the controller through its gateway, with
the checks that every request meets. Both look again and again while they wait, datagrams are of one size, and where
there are two CPUs the caller has one and what answers the other.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

import photonlink as phl
from photonlink import _core, _options
from photonlink.bench.pinning import pinned, two_cpus
from photonlink.errors import ProtocolError
from photonlink.latency import Latency
from photonlink.realtime import PHOTONLINK_FUNCTIONS, Response

__all__ = ["Samples", "measure"]

Samples = NDArray[np.uint32]
ECHO = next(function for function in PHOTONLINK_FUNCTIONS if function.name == "photonlink_echo")
DATA = bytes(16)  # with the key and its length, as much as a session's own echo sends
SLOTS = 16


def measure(rounds: int) -> tuple[int, Samples, Samples]:
    """Round trips of a bare echo, and of a gateway's.

    Each has the machine for itself: the gateway is gone before the bare echo begins.

    Returns:
        Bytes of a datagram, and (rounds,) nanoseconds of each.

    Raises:
        ProtocolError: The gateway answered with something else than the echo.
        LinkTimeout: A datagram was not answered.
    """
    cpus = two_cpus()
    caller, answering = (set(cpus[:1]), set(cpus[1:]))
    with _gateway(tuple(answering)) as (port, key):
        request = ECHO.request(key, struct.pack("<Q", len(DATA)) + DATA).encode()
        slot_bytes = len(_ask(port, request, 1)[1])
        with pinned(caller):
            gateway, answer = _ask(port, request.ljust(slot_bytes, b"\0"), rounds)
        _require_echo(answer)
    with pinned(answering):
        echo = _core.UdpEcho(slot_bytes)  # its thread stays there
    try:
        with pinned(caller):
            bare, _ = _ask(echo.port, request.ljust(slot_bytes, b"\0"), rounds)
    finally:
        echo.close()
    return slot_bytes, bare, gateway


def _ask(port: int, request: bytes, rounds: int) -> tuple[Samples, bytes]:
    return _core.udp_ping_pong("127.0.0.1", port, request, rounds)


def _require_echo(answer: bytes) -> None:
    response = Response.decode(answer)
    if response.status != 0 or not response.payload.endswith(DATA):
        raise ProtocolError(f"the gateway answered with status {response.status} and not with the echo: not measured")


@contextmanager
def _gateway(cpus: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Port of a gateway, and key of the session that it serves."""
    program = phl.Program.reservoir(modes=2, photons=1, features=2, seed=0, readout=phl.Readout.mode_expectations())
    options = _options.session_options(
        program,
        program.fit("article"),
        shots=None,
        seed=0,
        clock="none",
        precision="float64",
        token_budget=None,
        idle_timeout=None,
        max_duration=None,
    )
    with phl.Controller(latency=Latency(dispatcher_cpus=cpus) if cpus else None) as controller:
        grant = controller.core.reserve(program.spec, options)
        gateway = _core.UdpGateway(controller.core, "127.0.0.1", 0)
        try:
            secret = gateway.open(grant, options, program.encoder, SLOTS)
            yield gateway.port, int.from_bytes(secret, "little", signed=True)
        finally:
            controller.core.release(grant.session)
            gateway.close()
