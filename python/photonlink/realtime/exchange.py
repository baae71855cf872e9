"""Requests in flight over one transport, and the responses that belong to them.

Whoever waits reads the transport, for all that wait: one thread at a time holds the part of the reader, the others
sleep until it has taken a datagram. No thread runs in the background, and nothing is read while nobody waits.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from photonlink.errors import LinkClosed, LinkTimeout, PhotonLinkError, ProtocolError
from photonlink.realtime.frames import HEADER_BYTES, Request, Response, checked_fit, padded
from photonlink.realtime.transport import Transport

__all__ = ["ClientCounters", "Exchange", "Flight"]

_SLICE_SECONDS: Final = 0.1  # how soon a reader notices that another thread closed the exchange
_CLOSE_SECONDS: Final = 1.0  # for transports that do not keep to that


@dataclass(frozen=True)
class ClientCounters:
    """What went over the transport of a client.

    Attributes:
        sent: Requests.
        answered: Responses that belonged to a call, with any status.
        stale: Well-formed responses to nothing that is in flight: late, or sent twice.
        malformed: Datagrams that are no response, or one that no slot holds.
    """

    sent: int = 0
    answered: int = 0
    stale: int = 0
    malformed: int = 0


class Flight:
    """A request that was sent, and its answer once that is here.

    Attributes:
        request: What was sent.
        name: Of its function.
        begun: When, on ``time.monotonic()``.
        answer: The response, or why there is none.
        answer_bytes: Size of the datagram that the response came in.
    """

    def __init__(self, request: Request, name: str) -> None:
        self.request = request
        self.name = name
        self.begun = time.monotonic()
        self.answer: Response | PhotonLinkError | None = None
        self.answer_bytes = 0


class Exchange:
    """Sends requests and finds their responses.

    Args:
        transport: What carries them.
        most: Requests in flight at one time.
        strict: Whether responses must come in the order of their requests.
        pad: Whether requests are filled up to the size of a slot.
    """

    def __init__(self, transport: Transport, *, most: int, strict: bool, pad: bool) -> None:
        self.transport = transport
        self._most = most
        self._strict = strict
        self._pad = pad
        # Reentrant: over memory, sending runs the function, which may call something itself.
        self._changed = threading.Condition(threading.RLock())
        self._reading = False
        # In order of sending. Weak: a flight that nobody can ask for its answer any more takes no place.
        self._flights: weakref.WeakValueDictionary[int, Flight] = weakref.WeakValueDictionary()
        self._next_id = 1
        self._end: PhotonLinkError | None = None
        self._counts = dict.fromkeys(ClientCounters.__dataclass_fields__, 0)

    @property
    def counters(self) -> ClientCounters:
        """What went over the transport up to now."""
        return ClientCounters(**self._counts)

    def start(self, request: Request, name: str, seconds: float) -> Flight:
        """Send `request` under an id of its own, as soon as there is room.

        Raises:
            ProgramError: The request does not fit a slot.
            LinkTimeout: There was no room for `seconds`.
            LinkClosed: The exchange was closed, or the other end is gone.
        """
        checked_fit(HEADER_BYTES + len(request.payload), self.transport.slot_bytes)
        with self._changed:
            if not self._wait(lambda: len(self._flights) < self._most, time.monotonic() + seconds):
                raise LinkTimeout(
                    f"{self._most} requests to {self.transport.peer} are in flight and none was answered within "
                    f"{seconds:g} s: collect or abandon calls, or pass a larger in_flight=",
                    target=self.transport.peer,
                    elapsed=seconds,
                )
            if self._end is not None:
                raise self._end.with_traceback(None)
            flight = Flight(replace(request, request_id=self._new_id()), name)
            self._send(flight.request)  # inside the lock: requests have the order of their ids
            self._flights[flight.request.request_id] = flight
            return flight

    def wait(self, flight: Flight, seconds: float) -> Response:
        """The response to `flight`; after a LinkTimeout it may be waited for again.

        Raises:
            LinkTimeout: It did not come within `seconds`.
            LinkClosed: The exchange was closed, or the other end is gone.
            ProtocolError: What came cannot be a response to it.
        """
        if not self.arrived(flight, seconds) or flight.answer is None:
            raise self._late(flight)
        if isinstance(flight.answer, PhotonLinkError):
            raise flight.answer.with_traceback(None)
        return flight.answer

    def arrived(self, flight: Flight, seconds: float) -> bool:
        """Whether the answer to `flight` is here, or comes within `seconds`."""
        with self._changed:
            return self._wait(lambda: flight.answer is not None, time.monotonic() + seconds)

    def forget(self, flight: Flight) -> None:
        """Wait for it no more; its response is dropped when it comes."""
        with self._changed:
            if self._flights.pop(flight.request.request_id, None) is not None and self._strict:
                self._end = self._disordered(f"request {flight.request.request_id} was given up")
            self._changed.notify_all()

    def close(self) -> None:
        """Let go of the transport; who waits gets LinkClosed. Idempotent."""
        with self._changed:
            if self._end is None:
                self._end = LinkClosed(f"the client of {self.transport.peer} is closed", target=self.transport.peer)
            self._changed.notify_all()
            # Nobody may still read a socket whose number the next open file gets; a reader looks up once a slice.
            self._changed.wait_for(lambda: not self._reading, timeout=_CLOSE_SECONDS)
            self.transport.close()

    def _new_id(self) -> int:
        while self._next_id in self._flights:
            self._next_id = (self._next_id + 1) % 2**32
        found = self._next_id
        self._next_id = (found + 1) % 2**32
        return found

    def _send(self, request: Request) -> None:
        frame = request.encode()
        try:
            self.transport.send(padded(frame, self.transport.slot_bytes) if self._pad else frame)
        except LinkClosed as error:
            self._fail_all(error)
            raise
        self._count("sent")

    def _wait(self, ready: Callable[[], bool], deadline: float) -> bool:
        """Reads, or lets another thread read, until `ready`; False at the deadline. It looks once in any case."""
        looked = False
        while not ready():
            if self._end is not None:
                raise self._end.with_traceback(None)
            left = deadline - time.monotonic()
            if left <= 0 and (looked or self._reading):
                return False
            if self._reading:
                self._changed.wait(left)
            else:
                self._read(min(max(left, 0.0), _SLICE_SECONDS))
                looked = True
        return True

    def _read(self, seconds: float) -> None:
        """Takes one datagram off the transport, unlocked meanwhile."""
        self._reading = True
        self._changed.release()
        datagram: bytes | None = None
        gone: LinkClosed | None = None
        try:
            datagram = self.transport.receive(seconds)
        except LinkClosed as error:
            gone = error
        finally:
            self._changed.acquire()
            self._reading = False
            self._changed.notify_all()
        if gone is not None:
            self._fail_all(gone)
        elif datagram is not None:
            self._deliver(datagram)

    def _deliver(self, datagram: bytes) -> None:
        try:
            response = self._checked(datagram)
        except ProtocolError as error:
            self._count("malformed")
            self._misfit(error)
            return
        flight = self._flights.get(response.request_id)
        if flight is None or flight.request.ptp_timestamp != response.ptp_timestamp:
            self._count("stale")
            self._misfit(ProtocolError(f"a response to request {response.request_id} came, which is not in flight"))
        elif self._strict and flight is not next(iter(self._flights.values())):
            self._misfit(ProtocolError(f"request {response.request_id} was answered before an earlier one"))
        else:
            self._count("answered")
            flight.answer_bytes = len(datagram)
            self._settle(flight, response)

    def _checked(self, datagram: bytes) -> Response:
        response = Response.decode(datagram)
        slot = self.transport.slot_bytes
        if len(datagram) > slot:
            raise ProtocolError(
                f"{self.transport.peer} sent {len(datagram)} bytes into a slot of {slot}: use "
                f"slot_bytes={len(datagram)}, if that is what the service uses",
                request_id=response.request_id,
            )
        return response

    def _misfit(self, error: ProtocolError) -> None:
        """What came is no response; the flight that it names fails at once, since nothing better will come."""
        error.target = self.transport.peer
        if self._strict:
            self._fail_all(error)
            self._end = self._disordered(str(error))
            return
        flight = self._flights.get(error.request_id) if error.request_id is not None else None
        if flight is not None:
            self._settle(flight, error)

    def _settle(self, flight: Flight, answer: Response | PhotonLinkError) -> None:
        self._flights.pop(flight.request.request_id, None)
        flight.answer = answer

    def _fail_all(self, error: PhotonLinkError) -> None:
        for flight in list(self._flights.values()):
            self._settle(flight, error)

    def _disordered(self, why: str) -> LinkClosed:
        peer = self.transport.peer
        return LinkClosed(f"{why}: the order of answers from {peer} is lost, open a new client", target=peer)

    def _late(self, flight: Flight) -> LinkTimeout:
        elapsed = time.monotonic() - flight.begun
        odd = self._counts["stale"] + self._counts["malformed"]
        return LinkTimeout(
            f"no answer from {self.transport.peer} to {flight.name} (request {flight.request.request_id}) within "
            f"{elapsed:.3g} s"
            + (f" ({odd} datagrams came that answer nothing in flight)" if odd else "")
            + ": a datagram was lost or dropped, or the function is slow; it may have been executed",
            target=self.transport.peer,
            request_id=flight.request.request_id,
            elapsed=elapsed,
            status="timeout",
        )

    def _count(self, name: str) -> None:
        self._counts[name] += 1
