"""How a service is set up, checked before anything starts."""

from __future__ import annotations

import ipaddress
import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from photonlink.errors import ServiceError
from photonlink.latency import Latency
from photonlink.presets import preset
from photonlink.qsc.protocol import DEFAULT_PORT, TRANSPORTS, Transport

__all__ = ["ServiceConfig", "default_ledger", "read_token"]

_CLOCKS = ("virtual", "realtime", "none")
_SHORTEST_TOKEN = 16
_LONGEST_TOKEN = 4096


def default_ledger() -> Path:
    """The ledger of a service that was given none: in the user's state folder."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "photonlink" / "ledger.sqlite"


def read_token(path: Path) -> str:
    """The bearer token in a file: its content without surrounding white space.

    Raises:
        ServiceError: The file cannot be read, or its content cannot be a token.
    """
    try:
        with path.open(encoding="ascii") as file:
            token = file.read(_LONGEST_TOKEN + 1).strip()  # a device has no end
    except (OSError, ValueError) as error:  # text of another encoding, a path that is none
        raise ServiceError(f"token file {str(path)!r} cannot be read: {error}") from None
    if not _SHORTEST_TOKEN <= len(token) <= _LONGEST_TOKEN or any(character.isspace() for character in token):
        raise ServiceError(
            f"token file {str(path)!r} holds {len(token)} characters, expected one word of {_SHORTEST_TOKEN} to "
            f"{_LONGEST_TOKEN}; make one with: head -c 32 /dev/urandom | base64 > FILE"
        )
    return token


@dataclass(frozen=True)
class ServiceConfig:
    """Set-up of a service.

    Attributes:
        ledger: SQLite database of the usage ledger.
        processor: What executes programs: "sim", the native simulator, or another; see
            :func:`photonlink.processors.registry.make`.
        host: Address to listen on; one beyond loopback needs a token.
        port: TCP port; 0 takes any free one.
        name: Of the service on this machine, as in ``shm://name``.
        transports: Ways of the data plane that clients may choose from: "shm", "udp", "bridge". ``None``: all that the
            address permits; UDP needs an IPv4 address in numbers, or loopback, and "bridge" a provider.
        udp_port: UDP port; 0 takes any free one.
        udp_tags: Whether UDP frames carry authentication tags; beyond loopback they always do.
        bridge: Transport provider of CUDA-Q realtime, and its arguments: a path, a file name, or the provider's short
            name. Empty: none.
        bridge_slots: Slots of a provider that does not say how many it has.
        token: Bearer token that clients must present, or ``None``.
        clock: Clock of every session; ``None`` lets each client choose.
        preset: Timing preset of every session; ``None`` lets each client choose.
        slots: Most datapoints in flight that a session gets.
        idle_timeout: Longest time without a request before a session is released, in seconds.
        max_duration: Longest session, in seconds.
        connect_timeout: Time between a reservation and the client's connection, in seconds.
        drain: Time that a release may spend on requests accepted before it, in seconds.
        queue: Reservations that may wait.
        longest_wait: Most seconds that a reservation may wait.
        max_program_bytes: Largest program that is read.
        max_modes: Most modes of a program.
        max_photons: Most photons of a program.
        memory_limit: Bytes that simulating a program may need; ``None`` is half of the machine's memory.
        ledger_records: Ended sessions that are held while the ledger database cannot be written.
        latency: CPUs, memory and priority that the service's threads ask for, or ``None``.
        log_level: "debug", "info", "warning" or "error".
    """

    ledger: Path
    processor: str = "sim"
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    name: str = field(default_factory=lambda: f"photonlink-{os.getpid()}")
    transports: tuple[str, ...] | None = None
    udp_port: int = 0
    udp_tags: bool = False
    bridge: tuple[str, ...] = ()
    bridge_slots: int | None = None
    token: str | None = field(default=None, repr=False)
    clock: str | None = None
    preset: str | None = None
    slots: int = 64
    idle_timeout: float = 300.0
    max_duration: float = 3600.0
    connect_timeout: float = 10.0
    drain: float = 5.0
    queue: int = 32
    longest_wait: float = 60.0
    max_program_bytes: int = 16 * 2**20
    max_modes: int = 1024
    max_photons: int = 64
    memory_limit: int | None = None
    ledger_records: int = 64
    latency: Latency | None = None
    log_level: str = "info"

    def __post_init__(self) -> None:
        """Checks the fields.

        Raises:
            ServiceError: A field has a wrong value, or the address needs a token.
            ProgramError: There is no such preset.
        """
        if self.clock is not None and self.clock not in _CLOCKS:
            raise ServiceError(f"clock is {self.clock!r}, expected one of {', '.join(_CLOCKS)}")
        if self.preset is not None:
            preset(self.preset)
        if re.fullmatch(r"[A-Za-z0-9._-]{1,64}", self.name) is None:
            raise ServiceError(f"name is {self.name!r}, expected 1 to 64 letters, digits, dots, dashes and underscores")
        self._check_numbers()
        self._check_transports()
        if self.token is None and not self.loopback:
            raise ServiceError(
                f"address {self.host!r} can be reached from other machines: pass a token file, or listen on 127.0.0.1"
            )

    def _check_transports(self) -> None:
        for name, value in (("udp_port", self.udp_port), ("udp_tags", self.udp_tags)):
            if value and "udp" not in self.offered:
                raise ServiceError(f"{name} is {value}, and UDP is not among the transports: leave one of them away")
        if self.bridge and "bridge" not in self.offered:
            raise ServiceError('a bridge is given, and "bridge" is not among the transports: leave one of them away')
        if self.bridge_slots is not None and not (self.bridge and 1 <= self.bridge_slots <= 4096):
            raise ServiceError(f"bridge_slots is {self.bridge_slots}, expected 1 to 4096, and a bridge that has them")
        if self.transports is None:
            return
        if not self.transports or len(set(self.transports)) < len(self.transports):
            raise ServiceError(f"transports is {self.transports}, expected each at most once, and one at least")
        for transport in self.transports:
            if transport not in TRANSPORTS:
                raise ServiceError(f"transport {transport!r} is unknown, expected one of {', '.join(TRANSPORTS)}")
        if "bridge" in self.transports and not self.bridge:
            raise ServiceError('"bridge" is among the transports, and no provider is given: pass --bridge')
        if "udp" in self.transports and "udp" not in self._possible:
            raise ServiceError(
                f"address {self.host!r} is no IPv4 address in numbers, which UDP needs beyond loopback: give one, or "
                "pass --transports shm"
            )

    def _check_numbers(self) -> None:
        limits = {
            "port": (0, 65535),
            "udp_port": (0, 65535),
            "slots": (1, 4096),
            "queue": (0, 100_000),
            "max_program_bytes": (1, 256 * 2**20),
            "max_modes": (1, 2**24),
            "max_photons": (1, 2**24),
            "ledger_records": (1, 65536),
        }
        if self.memory_limit is not None:
            limits["memory_limit"] = (0, 2**63)
        for name, (least, most) in limits.items():
            if not least <= getattr(self, name) <= most:
                raise ServiceError(f"{name} is {getattr(self, name)}, expected {least} to {most}")
        for name in ("idle_timeout", "max_duration", "connect_timeout", "drain", "longest_wait"):
            if not 0 < getattr(self, name) < math.inf:
                raise ServiceError(f"{name} is {getattr(self, name)}, expected a positive number of seconds")

    @property
    def offered(self) -> tuple[Transport, ...]:
        """The transports that clients may choose from, best first."""
        asked = self.transports or self._possible
        return tuple(transport for transport in TRANSPORTS if transport in asked)

    @property
    def _possible(self) -> tuple[Transport, ...]:
        udp = self.loopback or self.udp_host == self.host
        here = {"shm": True, "udp": udp, "bridge": bool(self.bridge)}
        return tuple(transport for transport in TRANSPORTS if here[transport])

    @property
    def udp_host(self) -> str:
        """Where the UDP data plane listens: IPv4 only, so 127.0.0.1 for every other name of this machine."""
        try:
            return str(ipaddress.IPv4Address(self.host))
        except ValueError:
            return "127.0.0.1"

    @property
    def tagged(self) -> bool:
        """Whether UDP frames carry authentication tags."""
        return self.udp_tags or not self.loopback

    @property
    def loopback(self) -> bool:
        """Whether nobody beyond this machine can reach the address."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"
