"""A bad network on one machine: a relay between a client and a service that loses, doubles and delays datagrams."""

from __future__ import annotations

import random
import select
import socket
import threading
import time
from types import TracebackType
from typing import Any, Self

from photonlink.errors import ProgramError

__all__ = ["BadNetwork"]

_MOST_BYTES = 65536
_LATE_SECONDS = (0.001, 0.02)


class BadNetwork:
    """Forwards datagrams between whoever writes to ``address`` and a service, until the context ends.

    One client at a time: answers go to where the last datagram came from.

    Args:
        service: host:port.
        lost: Share of datagrams that are dropped, in each direction.
        doubled: Share that arrives twice.
        delayed: Share that is overtaken by what comes in the next milliseconds.
        seed: Of the choices.

    Attributes:
        address: host:port to send to.
        forwarded: Datagrams that came, in both directions.
        disturbed: Of those, how many were lost, doubled or delayed.

    Raises:
        ProgramError: The shares are not shares.

    Examples:
        >>> from photonlink.realtime import Client, Service
        >>> service, text = Service(), "addThem(i32 a, i32 b) -> i32"
        >>> _ = service.function(text)(lambda a, b: a + b)
        >>> with service.serve() as server, BadNetwork(server.address, doubled=1.0) as network:
        ...     with Client(network.address) as client:
        ...         client.function(text)(2, 40)
        42
        >>> network.disturbed == network.forwarded >= 2
        True
    """

    def __init__(
        self, service: str, *, lost: float = 0.0, doubled: float = 0.0, delayed: float = 0.0, seed: int = 0
    ) -> None:
        self._shares = (lost, doubled, delayed)
        if min(self._shares) < 0 or sum(self._shares) > 1:
            raise ProgramError(f"shares of lost, doubled and delayed datagrams are {self._shares}: together at most 1")
        host, port = service.rsplit(":", 1)
        self._service = (host, int(port))
        self._random = random.Random(seed)
        self._client: Any = None
        self._late: list[tuple[float, bytes, bool]] = []
        self._front, self._back = self._open(), self._open()
        self.address = f"127.0.0.1:{self._front.getsockname()[1]}"
        self.forwarded = 0
        self.disturbed = 0
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="photonlink-bad-network")

    @staticmethod
    def _open() -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind(("127.0.0.1", 0))
        made.setblocking(False)
        return made

    def _run(self) -> None:
        while not self._closed.is_set():
            ready, _, _ = select.select([self._front, self._back], [], [], _LATE_SECONDS[0])
            for arrived in ready:
                self._forward(arrived)
            now = time.monotonic()
            due = [late for late in self._late if late[0] <= now]
            self._late = [late for late in self._late if late[0] > now]
            for _, data, to_service in due:
                self._send(data, to_service)

    def _forward(self, arrived: socket.socket) -> None:
        data, source = arrived.recvfrom(_MOST_BYTES)
        to_service = arrived is self._front
        if to_service:
            self._client = source
        lost, doubled, delayed = self._shares
        draw = self._random.random()
        self.disturbed += draw < lost + doubled + delayed
        self.forwarded += 1
        if draw < lost:
            return
        if lost + doubled <= draw < lost + doubled + delayed:
            self._late.append((time.monotonic() + self._random.uniform(*_LATE_SECONDS), data, to_service))
            return
        for _ in range(2 if draw < lost + doubled else 1):
            self._send(data, to_service)

    def _send(self, data: bytes, to_service: bool) -> None:
        if to_service:
            self._back.sendto(data, self._service)
        else:
            self._front.sendto(data, self._client)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._thread.join()
        self._front.close()
        self._back.close()
