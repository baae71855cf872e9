"""A server that does, datagram by datagram, what a test says."""

import contextlib
import socket
import threading

from photonlink.realtime import Request, Response


class Script:
    """A raw socket with a thread: for the n-th request it sends the datagrams that the n-th step makes of it."""

    def __init__(self, *steps):
        self.requests = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(60)
        self._steps = steps
        self._thread = threading.Thread(target=self._run)

    @property
    def port(self):
        return self._socket.getsockname()[1]

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def _run(self):
        with contextlib.suppress(TimeoutError):
            for step in self._steps:
                data, source = self._socket.recvfrom(65536)
                self.requests.append(data)
                for datagram in step(Request.decode(data)):
                    self._socket.sendto(datagram, source)

    def finish(self):
        self._thread.join(30)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.finish()
        self._socket.close()


def answer(request, value=None, *, status=0, request_id=None, slot=64, time=None):
    """An i32 in a whole slot, with leftovers behind it."""
    payload = int(value).to_bytes(4, "little", signed=True) if value is not None else b""
    request_id = request.request_id if request_id is None else request_id
    time = request.ptp_timestamp if time is None else time
    return Response(status, request_id, payload, time).encode().ljust(slot, b"\xee")


def say(*values):
    return lambda request: [answer(request, value) for value in values]


def nothing(_request):
    return []
