"""Which transport leads to a controller, and a session's link over it."""

from __future__ import annotations

from typing import Any, TypeAlias

from photonlink import _core
from photonlink.errors import ProgramError, TargetUnavailable, Unavailable
from photonlink.program import Precision, Program
from photonlink.qsc import protocol
from photonlink.qsc.protocol import TRANSPORTS, Transport

__all__ = ["LINK_NAMES", "Link", "choose", "connect"]

Link: TypeAlias = _core.ShmSession | _core.UdpSession

LINK_NAMES = {_core.ShmSession: "shared memory", _core.UdpSession: "UDP"}


def choose(target: str, status: dict[str, Any], asked: Transport | None) -> Transport:
    """The transport to ask for: `asked`, or the best one that the service offers and that leads there.

    Raises:
        ProgramError: There is no such transport.
        TargetUnavailable: None leads there; the message says why, for each.
    """
    if asked is not None and asked not in TRANSPORTS:
        raise ProgramError(f"transport is {asked!r}, expected one of {', '.join(TRANSPORTS)}", target=target)
    obstacles = []
    for kind in TRANSPORTS if asked is None else (asked,):
        obstacle = _obstacle(kind, [offer for offer in status["transports"] if offer.get("kind") == kind])
        if obstacle is None:
            return kind
        obstacles.append(f"{kind}: {obstacle}")
    raise TargetUnavailable(
        f"controller {target} cannot be reached by {'any' if asked is None else 'this'} transport of this version: "
        f"{'; '.join(obstacles)}",
        reason=Unavailable.UNSUPPORTED,
        target=target,
    )


def _obstacle(kind: Transport, offers: list[dict[str, Any]]) -> str | None:
    """Why a transport does not lead to the service, if it does not."""
    if not offers:
        return "it is not offered"
    here = [offer for offer in offers if offer.get("machine") == protocol.machine()]
    if not here:
        return "the service runs on another machine, or in another network namespace"
    if kind == "shm" and all(offer.get("user") != protocol.user() for offer in here):
        return "the memory belongs to another user: run client and service as the same user"
    return None


def connect(grant: dict[str, Any], program: Program, precision: Precision) -> Link:
    """The link of a session that was granted."""
    where = grant["transport"]
    if where["kind"] == "shm":
        return _core.ShmSession(
            where["address"],
            program.encoder,
            output_size=grant["output_size"],
            max_counts=grant["max_counts"],
            precision=precision,
        )
    host, _, port = where["address"].rpartition(":")
    return _core.UdpSession(
        host,
        int(port),
        int(where["key"], 16),
        program.encoder,
        slots=grant["slots"],
        output_size=grant["output_size"],
        max_counts=grant["max_counts"],
        precision=precision,
    )
