"""How a client reaches a service: UDP, or a service in the same process."""

from __future__ import annotations

import math
import queue
import select
import socket
from collections.abc import Callable
from typing import Final, Protocol, runtime_checkable

from photonlink import _checks
from photonlink.errors import LinkClosed, LinkTimeout, ProgramError, TargetUnavailable, Unavailable
from photonlink.realtime.frames import MAX_SLOT_BYTES, checked_slot_bytes
from photonlink.realtime.service import Service

__all__ = ["MemoryTransport", "Transport", "UdpTransport", "sent_within"]

_SEND_SECONDS: Final = 1.0


@runtime_checkable
class Transport(Protocol):
    """Carries datagrams, each one frame, perhaps not all, not once, and not in order."""

    @property
    def slot_bytes(self) -> int:
        """Size of a slot at both ends."""

    @property
    def peer(self) -> str:
        """Name of the other end."""

    def send(self, datagram: bytes) -> None:
        """Send a datagram; waits for a bounded time at most, or raises LinkTimeout or LinkClosed."""

    def receive(self, seconds: float) -> bytes | None:
        """The next datagram, None if none came within `seconds`; LinkClosed if the other end is known to be gone."""

    def close(self) -> None:
        """Release what it holds; idempotent."""


class UdpTransport:
    """UDP over IPv4: one datagram, one frame, nothing added.

    Args:
        address: ``host:port``.
        slot_bytes: Size of a slot; must be what the service uses (256 by default, at NVIDIA too).

    Raises:
        ProgramError: The address or the size is none.
        TargetUnavailable: The host is unknown or has no route.
    """

    def __init__(self, address: str, slot_bytes: int = 256) -> None:
        self.slot_bytes = checked_slot_bytes(slot_bytes)
        host, port = _parsed(address)
        self.peer = f"{host}:{port}"
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            self._socket.connect((host, port))  # the kernel then drops what others send
        except OSError as error:
            self._socket.close()
            raise TargetUnavailable(
                f"cannot reach {self.peer} over UDP: {error}; expected an IPv4 address or a host that has one",
                reason=Unavailable.UNREACHABLE,
                target=self.peer,
            ) from None
        self._buffer = memoryview(bytearray(MAX_SLOT_BYTES + 1))
        self._readable = select.poll()
        self._readable.register(self._socket, select.POLLIN)

    def send(self, datagram: bytes) -> None:
        """Send a datagram."""
        try:
            sent = sent_within(_SEND_SECONDS, self._socket, lambda: self._socket.send(datagram))
        except OSError as error:
            raise self._gone(error) from None
        if not sent:
            raise LinkTimeout(
                f"{self.peer}: the socket took no datagram for {_SEND_SECONDS:g} s: have fewer calls in flight, or try "
                "again later",
                target=self.peer,
                elapsed=_SEND_SECONDS,
            )

    def receive(self, seconds: float) -> bytes | None:
        """The next datagram, or None."""
        try:
            if not self._readable.poll(1000 * seconds):
                return None
            return bytes(self._buffer[: self._socket.recv_into(self._buffer)])
        except BlockingIOError:
            return None
        except OSError as error:
            raise self._gone(error) from None

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _gone(self, error: OSError) -> LinkClosed:
        return LinkClosed(f"nothing answers at {self.peer}: {error}; is the service running there?", target=self.peer)


class MemoryTransport:
    """A service in this process, called by whoever sends: for tests, and to try a function without a network.

    Args:
        service: What answers.

    Examples:
        >>> from photonlink.realtime import Client, MemoryTransport, Service
        >>> service = Service()
        >>> @service.function
        ... def twice(x: float) -> float:
        ...     return 2 * x
        >>> with Client(MemoryTransport(service)) as client:
        ...     client.function(twice)(1.5)
        3.0
    """

    def __init__(self, service: Service) -> None:
        _checks.instance("service", service, Service, "a photonlink.realtime.Service")
        self.slot_bytes = service.slot_bytes
        self.peer = "memory"
        self._service = service
        self._answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def send(self, datagram: bytes) -> None:
        """Let the service answer."""
        answer = self._service.answer(datagram)
        if answer is not None:
            self._answers.put(answer)

    def receive(self, seconds: float) -> bytes | None:
        """The next answer, or None."""
        left = _checks.number("seconds", seconds, -math.inf, "a number of seconds")
        try:
            return self._answers.get(timeout=left) if left > 0 else self._answers.get_nowait()
        except queue.Empty:
            return None

    def close(self) -> None:
        """Forget answers that nobody took."""
        while self.receive(0) is not None:
            pass


def sent_within(seconds: float, udp: socket.socket, send: Callable[[], object]) -> bool:
    """Call `send`, and once more if the buffer of its socket is full and has room within `seconds`.

    Returns:
        Whether the socket took the datagram.

    Raises:
        OSError: The socket refuses it for another reason.
    """
    for left in (seconds, 0.0):
        try:
            send()
        except BlockingIOError:
            writable = select.poll()  # select() knows no descriptors from 1024 on
            writable.register(udp, select.POLLOUT)
            writable.poll(1000 * left)
        else:
            return True
    return False


def _parsed(address: str) -> tuple[str, int]:
    host, separator, port = str(address).removeprefix("udp://").rpartition(":")
    if not separator or not host or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
        raise ProgramError(f"address is {address!r}, expected host:port, as in 127.0.0.1:45620")
    return host, int(port)
