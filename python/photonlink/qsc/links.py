"""Which transport leads to a controller, and a session's link over it."""

from __future__ import annotations

import socket
from typing import Any, TypeAlias

from photonlink import _core
from photonlink.errors import ProgramError, TargetUnavailable, Unavailable
from photonlink.program import Precision, Program
from photonlink.qsc import protocol
from photonlink.qsc.protocol import TRANSPORTS, Transport

__all__ = ["LINK_NAMES", "Link", "choose", "connect"]

Link: TypeAlias = _core.ShmSession | _core.UdpSession

_EVERYWHERE = "0.0.0.0"
_LOOPBACK = "127.0.0.1"  # where providers of CUDA-Q receive datagrams
# Seconds. Providers use their slots in order: a sign of life may have to wait for the acquisition before it.
_HELD_UP = 60.0

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
    if kind == "bridge" and all(_speaks(offer.get("address")) != "udp" for offer in offers):
        return (
            f"this client does not speak {_speaks(offers[0].get('address')) or 'what its provider does'}: reserve over "
            "the control plane, and let the peer of the provider send with the session's key"
        )
    if kind == "udp" and any(offer.get("tags") for offer in offers):
        return None
    here = [offer for offer in offers if offer.get("machine") == protocol.machine()]
    if not here:
        return "the service runs on another machine, or in another network namespace"
    if kind == "shm" and all(offer.get("user") != protocol.user() for offer in here):
        return "the memory belongs to another user: run client and service as the same user"
    return None


def _endpoint(address: str) -> dict[str, str]:
    """The key=value words that a provider has for its endpoint."""
    return dict(word.split("=", 1) for word in address.split() if "=" in word)


def _speaks(address: Any) -> str:
    """The transport of a provider, as it says."""
    return _endpoint(str(address)).get("transport", "")


def _address(host: str, control: str) -> str:
    """Where datagrams go: a service that listens on every address is where its control plane was found.

    Raises:
        TargetUnavailable: The control plane's host has no IPv4 address.
    """
    if host != _EVERYWHERE:
        return host
    try:
        return str(socket.getaddrinfo(control, None, socket.AF_INET, socket.SOCK_DGRAM)[0][4][0])
    except OSError as error:
        raise TargetUnavailable(
            f"the controller at {control} has no IPv4 address, which UDP needs: {error}", reason=Unavailable.UNREACHABLE
        ) from None


def connect(
    grant: dict[str, Any], program: Program, precision: Precision, control: str, *, stall_limit: float | None = None
) -> Link:
    """The link of a session that was granted by the service on host `control`.

    Args:
        grant: What the service answered.
        program: What it configured.
        precision: Of the results.
        control: Host of the control plane.
        stall_limit: Seconds of silence after which the service counts as lost; ``None``: that of the transport.
    """
    where = grant["transport"]
    patience = {} if stall_limit is None else {"stall_limit": stall_limit}
    if where["kind"] == "shm":
        return _core.ShmSession(
            where["address"],
            program.encoder,
            output_size=grant["output_size"],
            max_counts=grant["max_counts"],
            precision=precision,
            **patience,
        )
    if where["kind"] == "bridge":
        host, port = _LOOPBACK, _endpoint(where["address"])["port"]
        patience.setdefault("stall_limit", _HELD_UP)
    else:
        host, _, port = where["address"].rpartition(":")
    return _core.UdpSession(
        _address(host, control),
        int(port),
        protocol.decode_secret(where),
        program.encoder,
        slots=grant["slots"],
        output_size=grant["output_size"],
        max_counts=grant["max_counts"],
        precision=precision,
        **patience,
    )
