"""A service on a UDP port: one thread that receives, calls and answers."""

from __future__ import annotations

import ipaddress
import logging
import select
import socket
import threading
import time
from types import TracebackType
from typing import Any, Final, Self

from photonlink import _checks
from photonlink.errors import LinkTimeout, TargetUnavailable, Unavailable
from photonlink.realtime.frames import MAX_SLOT_BYTES
from photonlink.realtime.service import Service
from photonlink.realtime.transport import sent_within

__all__ = ["Server"]

_LOG: Final = logging.getLogger(__name__)
_SEND_SECONDS: Final = 0.1  # how long a datagram may take into a full send buffer
_BURST: Final = 64  # datagrams of a full slot that the socket should hold while a function runs


class Server:
    """Serves until it is closed; made by :meth:`Service.serve`.

    Each answer goes to the address that its request came from, so several clients can use one server. On loopback an
    answer has the size of a slot; to other machines it has no more bytes than the request, so that a forged sender
    address cannot make the server an amplifier (clients that pad their requests, as NVIDIA's do, notice no
    difference). There is no authentication: beyond loopback, put it into a network of its own.

    Examples:
        >>> from photonlink.realtime import Service
        >>> with Service().serve() as server:
        ...     server.address.startswith("127.0.0.1:")
        True
    """

    def __init__(self, service: Service, host: str = "127.0.0.1", port: int = 0) -> None:
        _checks.instance("service", service, Service, "a photonlink.realtime.Service")
        self.service = service
        self._socket = _bound(host, port, service.slot_bytes)
        self.host, self.port = self._socket.getsockname()
        self._wake, self._woken = socket.socketpair()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"realtime-server-{self.port}", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """``host:port``, as a client takes it."""
        return f"{self.host}:{self.port}"

    def close(self, timeout: float = 5.0) -> None:
        """Stop receiving, let the running function end, answer it; idempotent.

        Args:
            timeout: Seconds that the running function may take.

        Raises:
            LinkTimeout: It took longer; its thread ends, and the port is free, when it returns.
        """
        begun = time.monotonic()
        if not self._closing:
            self._closing = True
            self._wake.close()  # readable at the other end
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise LinkTimeout(
                f"a function of {self.address} still runs after {timeout:g} s: the server ends when it returns",
                target=self.address,
                elapsed=time.monotonic() - begun,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        buffer = memoryview(bytearray(MAX_SLOT_BYTES + 1))
        with self._socket, self._woken:
            while not self._closing:
                poll.poll()  # unbounded: closing wakes it
                while not self._closing and self._serve_one(buffer):
                    pass

    def _serve_one(self, buffer: memoryview) -> bool:
        """Answers the next datagram; False if there is none."""
        try:
            size, source = self._socket.recvfrom_into(buffer)
        except BlockingIOError:
            return False
        except OSError as error:  # an ICMP error of an answer sent before: its client is gone, others are not
            _LOG.debug("%s: %s", self.address, error)
            return True
        limit = None if ipaddress.ip_address(source[0]).is_loopback else size
        answer = self.service.answer(bytes(buffer[:size]), limit)
        if answer is not None:
            self._send(answer, source)
        return True

    def _send(self, answer: bytes, source: Any) -> None:
        reason: object = "the send buffer stays full"
        try:
            if sent_within(_SEND_SECONDS, self._socket, lambda: self._socket.sendto(answer, source)):
                return
        except OSError as error:
            reason = error
        _LOG.warning("%s could not answer %s: %s", self.address, source, reason)


def _bound(host: str, port: int, slot_bytes: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        bound.setblocking(False)
        # The kernel's buffer is the only queue there is; it grants what it may.
        wanted = _BURST * slot_bytes
        if bound.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) < wanted:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, wanted)
        bound.bind((host, port))
    except (OSError, OverflowError, TypeError) as error:
        bound.close()
        raise TargetUnavailable(
            f"cannot listen on {host}:{port}: {error}; expected an IPv4 address of this machine and a free port",
            reason=Unavailable.UNREACHABLE,
            target=f"{host}:{port}",
        ) from None
    return bound
