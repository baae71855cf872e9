"""From bytes and wishes to a session that can be used: limits first, then the processor, then the data plane."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass
from typing import Any, Literal

from photonlink import _checks, _core, _options
from photonlink.errors import ProgramError
from photonlink.processors.registry import chip_of
from photonlink.program import Precision, Program
from photonlink.qsc import protocol
from photonlink.qsc.config import ServiceConfig
from photonlink.qsc.protocol import Transport

__all__ = ["Gateways", "Opened", "OverGateway", "Wish", "open_session", "read_program"]


@dataclass(frozen=True)
class Wish:
    """What a client asks for, as in :func:`photonlink.reserve`; limits of the service may grant less."""

    shots: int | None = None
    seed: int = 0
    clock: Literal["virtual", "realtime", "none"] | None = None
    preset: str | None = None
    precision: Precision = "float64"
    token_budget: int | None = None
    idle_timeout: float | None = None
    max_duration: float | None = None
    slots: int = 64
    wait: float = 0.0
    transport: Transport | None = None


@dataclass(frozen=True)
class Gateways:
    """What outlives sessions and serves one after the other, where the service has it."""

    udp: _core.UdpGateway | None = None
    bridge: _core.BridgeGateway | None = None


class OverGateway:
    """The session that a gateway serves, as a data plane of its own."""

    def __init__(self, gateway: _core.UdpGateway | _core.BridgeGateway) -> None:
        self._gateway = gateway

    @property
    def accepted(self) -> int:
        """Clients so far."""
        return self._gateway.accepted

    def close(self) -> None:
        """Nothing: the gateway answers for a session that has ended until the next one is opened."""


@dataclass
class Opened:
    """A session with its data plane.

    Attributes:
        session: Its number.
        lease: What whoever wants to end or renew it must know.
        data_plane: Listens for the client.
        grant: What the client is told.
        connect_timeout: Time that the client has to come, in seconds. The peer of a bridge may have to be told first
            what to connect to: it has the idle time.
    """

    session: int
    lease: str
    data_plane: _core.ShmService | OverGateway
    grant: dict[str, Any]
    connect_timeout: float


def read_program(data: bytes, config: ServiceConfig) -> Program:
    """The program in `data`, if it is one and within the limits."""
    program = Program.from_bytes(data)
    limits = {"modes": (program.modes, config.max_modes), "photons": (program.photons, config.max_photons)}
    for name, (found, most) in limits.items():
        if found > most:
            raise ProgramError(f"the program has {found} {name}; this controller takes at most {most}")
    return program


def _chosen(name: str, asked: str | None, fixed: str | None, otherwise: str) -> str:
    if fixed is not None and asked not in (None, fixed):
        raise ProgramError(f"{name} is {asked!r}, and this controller has only {fixed!r}: leave {name} away")
    return fixed or asked or otherwise


def _granted(asked: float | None, most: float) -> float:
    """Limit in seconds: what was asked for, but not more than the service allows."""
    return most if asked is None else min(asked, most)


def _transport(config: ServiceConfig, wish: Wish) -> Transport:
    if wish.transport is not None and wish.transport not in config.offered:
        raise ProgramError(
            f"transport is {wish.transport!r}, and this controller offers {', '.join(config.offered)}: leave it away"
        )
    return wish.transport or config.offered[0]


def open_session(
    controller: _core.Controller,
    gateways: Gateways,
    config: ServiceConfig,
    program: Program,
    wish: Wish,
) -> Opened:
    """Reserve the controller and offer the session over shared memory, or through a gateway.

    Raises:
        ProgramError: The program or an option cannot be executed as given.
        SessionBusy: Maintenance holds the controller.
        ServiceError: The bridge has failed.
        LedgerError, ProcessorError, LinkClosed: See ``Service.reserve``.
    """
    clock = _chosen("clock", wish.clock, config.clock, "virtual")
    preset = _chosen("preset", wish.preset, config.preset, chip_of(config.processor) or "article")
    options = _options.session_options(
        program,
        program.fit(preset),
        shots=wish.shots,
        seed=wish.seed,
        clock=clock,
        precision=wish.precision,
        token_budget=wish.token_budget,
        idle_timeout=_granted(wish.idle_timeout, config.idle_timeout),
        max_duration=_granted(wish.max_duration, config.max_duration),
    )
    slots = min(_checks.integer("slots", wish.slots, 1, 4096), config.slots)
    kind = _transport(config, wish)
    granted = controller.reserve(program.spec, options)
    data_plane: _core.ShmService | OverGateway
    transport: dict[str, str | int]
    try:
        if kind == "udp":
            assert gateways.udp is not None
            secret = gateways.udp.open(granted, options, program.encoder, slots)
            data_plane = OverGateway(gateways.udp)
            transport = {
                "kind": kind,
                "address": f"{gateways.udp.host}:{gateways.udp.port}",
                "slot_bytes": gateways.udp.slot_bytes,
                **protocol.encode_secret(secret),
            }
        elif kind == "bridge":
            assert gateways.bridge is not None
            secret = gateways.bridge.open(granted, options, program.encoder)
            data_plane = OverGateway(gateways.bridge)
            slots = min(slots, gateways.bridge.slots)
            transport = {
                "kind": kind,
                "address": gateways.bridge.endpoint,
                "slot_bytes": gateways.bridge.slot_bytes,
                **protocol.encode_secret(secret),
            }
        else:
            address = f"@{config.name}.{secrets.token_hex(8)}"
            data_plane = _core.ShmService.of_grant(controller, granted, options, program.encoder, address, slots)
            transport = {"kind": kind, "address": address}
    except BaseException as error:
        controller.release(granted.session)
        if isinstance(error, ValueError):
            raise ProgramError(f"no link can carry this session: {error}") from None
        raise
    grant = {
        "session": granted.session,
        "digest": program.digest,
        "output_size": granted.output_size,
        "max_counts": min(options.shots, granted.basis_size),
        "clock": clock,
        "preset": preset,
        "slots": slots,
        "idle_timeout": options.idle_timeout_s,
        "max_duration": options.max_duration_s,
        "transport": transport,
    }
    patience = math.inf if kind == "bridge" else config.connect_timeout
    return Opened(granted.session, secrets.token_hex(16), data_plane, grant, patience)
