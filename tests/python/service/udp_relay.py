"""A network between one client and a gateway that loses, doubles and delays datagrams, as a fixed seed has it."""

import random
import select
import socket
import threading
import time


class Relay:
    """Forwards datagrams between whoever writes to ``address`` and ``gateway`` (host:port), until the context ends.

    Args:
        gateway: host:port.
        lost: Share of datagrams that are dropped, in each direction.
        doubled: Share that arrives twice.
        delayed: Share that is overtaken by what comes in the next milliseconds.
        seed: Of the choices.
    """

    def __init__(self, gateway, *, lost=0.0, doubled=0.0, delayed=0.0, seed=0):
        host, port = gateway.rsplit(":", 1)
        self._gateway = (host, int(port))
        self._shares = (lost, doubled, delayed)
        self._random = random.Random(seed)
        self._client = None
        self._late = []
        self._front, self._back = self._open(), self._open()
        self.address = f"127.0.0.1:{self._front.getsockname()[1]}"
        self.disturbed = 0
        self.closed = threading.Event()
        self._thread = threading.Thread(target=self._run)

    @staticmethod
    def _open():
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind(("127.0.0.1", 0))
        made.setblocking(False)
        return made

    def _run(self):
        while not self.closed.is_set():
            ready, _, _ = select.select([self._front, self._back], [], [], 0.001)
            for arrived in ready:
                self._forward(arrived)
            now = time.monotonic()
            due = [late for late in self._late if late[0] <= now]
            self._late = [late for late in self._late if late[0] > now]
            for _, data, to_gateway in due:
                self._send(data, to_gateway)

    def _forward(self, arrived):
        data, source = arrived.recvfrom(65536)
        to_gateway = arrived is self._front
        if to_gateway:
            self._client = source
        lost, doubled, delayed = self._shares
        draw = self._random.random()
        self.disturbed += draw < lost + doubled + delayed
        if draw < lost:
            return
        if lost + doubled <= draw < lost + doubled + delayed:
            self._late.append((time.monotonic() + self._random.uniform(0.001, 0.02), data, to_gateway))
            return
        for _ in range(2 if draw < lost + doubled else 1):
            self._send(data, to_gateway)

    def _send(self, data, to_gateway):
        if to_gateway:
            self._back.sendto(data, self._gateway)
        else:
            self._front.sendto(data, self._client)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.closed.set()
        self._thread.join()
        self._front.close()
        self._back.close()
