"""A caller of a CUDA-Q realtime service: typed functions, several calls in flight, every wait bounded.

Answers are matched with their calls by request id, never by their order: NVIDIA's ring-shaped UDP service answers late
and out of order after a request that it dropped. A request is never sent twice: the wire has no duplicate suppression,
and only the caller knows whether its function may run again.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Literal, Self

from photonlink import _checks
from photonlink.errors import LinkTimeout, PhotonLinkError, ProtocolError, ServiceError
from photonlink.realtime.encoding import Encoding
from photonlink.realtime.exchange import ClientCounters, Exchange, Flight
from photonlink.realtime.frames import HEADER_BYTES, Response
from photonlink.realtime.known import FETCH
from photonlink.realtime.signature import Signature
from photonlink.realtime.status import OK, PHOTONLINK, RESULT_IN_SEGMENT, describe
from photonlink.realtime.transport import Transport, UdpTransport

__all__ = ["Client", "ClientCounters", "PendingCall", "RemoteFunction"]

_SEGMENT: Final = struct.Struct("<QQ")  # offset and length


class Client:
    """A caller of one service; threads may share it.

    Args:
        transport: ``host:port`` of a UDP service, or any :class:`Transport`.
        timeout: Seconds that a call may take where it does not say otherwise.
        slot_bytes: Size of a slot, for an address; must be what the service uses.
        in_flight: Most calls in flight; more than the service has slots may overflow its socket and be lost.
        order: ``"any"`` takes answers in any order. ``"strict"`` demands what NVIDIA's own callers count on: answers
            in the order of their requests, none lost; at the first that is not, the client fails for good, with the
            reason. Use it to find out whether a service can serve such callers.
        pad: Send whole slots, as NVIDIA's transports do, or only the frames.
        timestamps: Stamp requests with the system's clock, nanoseconds; otherwise the stamp is 0.
        encoding: Of functions that are given as text or by annotations.

    Raises:
        ProgramError: An argument is wrong.
        TargetUnavailable: The host is unknown or has no route. UDP does not tell whether anybody listens.
    """

    def __init__(
        self,
        transport: str | Transport,
        *,
        timeout: float = 1.0,
        slot_bytes: int = 256,
        in_flight: int = 8,
        order: Literal["any", "strict"] = "any",
        pad: bool = True,
        timestamps: bool = False,
        encoding: Encoding = "B",
    ) -> None:
        _checks.integer("in_flight", in_flight, 1, 2**31 - 1)
        _checks.one_of("order", order, ("any", "strict"))
        _checks.one_of("encoding", encoding, ("A", "B"))
        _checks.boolean("pad", pad)
        _checks.boolean("timestamps", timestamps)
        if not isinstance(transport, str):
            _checks.instance("transport", transport, Transport, "an address as 127.0.0.1:45620, or a Transport")
        self._timeout = _seconds(timeout)
        self._timestamps = timestamps
        self._encoding = encoding
        self._exchange = Exchange(
            UdpTransport(transport, slot_bytes) if isinstance(transport, str) else transport,
            most=in_flight,
            strict=order == "strict",
            pad=pad,
        )

    @property
    def peer(self) -> str:
        """Name of the other end."""
        return self._exchange.transport.peer

    @property
    def counters(self) -> ClientCounters:
        """What went over the transport up to now."""
        return self._exchange.counters

    def function(self, function: str | Signature | Callable[..., Any]) -> RemoteFunction:
        """A function of the service, by its signature: one, its text, or a Python function with annotations.

        Raises:
            ProgramError: No signature can be made of it.
        """
        return RemoteFunction(self, Signature.of(function, encoding=self._encoding))

    def close(self) -> None:
        """Let go of the transport; calls in flight fail with LinkClosed. Idempotent."""
        self._exchange.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _submit(self, signature: Signature, arguments: tuple[Any, ...], seconds: float) -> PendingCall:
        request = signature.request(*arguments)
        if self._timestamps:
            request = replace(request, ptp_timestamp=time.time_ns())
        return PendingCall(self, signature, arguments, self._exchange.start(request, signature.name, seconds))


class RemoteFunction:
    """A function of the service; made by :meth:`Client.function`."""

    def __init__(self, client: Client, signature: Signature) -> None:
        self.signature = signature
        self._client = client

    def __call__(self, *arguments: Any, timeout: float | None = None) -> Any:
        """Call it and wait; a call that is late is abandoned.

        Raises:
            ProgramError: An argument does not fit its type, or the request does not fit a slot.
            LinkTimeout: No answer came in time.
            LinkClosed: The client was closed, or the service is gone.
            ServiceError: The function answered with a status of its own.
            ProtocolError: The service refused the call, or its answer is malformed.
        """
        seconds = self._client._timeout if timeout is None else _seconds(timeout)
        end = time.monotonic() + seconds
        call = self._client._submit(self.signature, arguments, seconds)
        try:
            return call.result(max(0.0, end - time.monotonic()))
        except LinkTimeout:
            call.abandon()
            raise

    def submit(self, *arguments: Any, timeout: float | None = None) -> PendingCall:
        """Send a call and do not wait for its answer; waits up to `timeout` while too many are in flight.

        Raises:
            ProgramError: An argument does not fit its type, or the request does not fit a slot.
            LinkTimeout: Too many calls are in flight, and none was answered in time.
            LinkClosed: The client was closed, or the service is gone.
        """
        seconds = self._client._timeout if timeout is None else _seconds(timeout)
        return self._client._submit(self.signature, arguments, seconds)


class PendingCall:
    """A call in flight; made by :meth:`RemoteFunction.submit`. Dropping it abandons the call."""

    def __init__(self, client: Client, signature: Signature, arguments: tuple[Any, ...], flight: Flight) -> None:
        self.signature = signature
        self._client = client
        self._arguments = arguments
        self._flight = flight
        self._whole: bytes | None = None

    @property
    def request_id(self) -> int:
        """Id of its request on the wire."""
        return self._flight.request.request_id

    def done(self) -> bool:
        """Whether the answer is here; looks for it without waiting."""
        return self._client._exchange.arrived(self._flight, 0.0)

    def result(self, timeout: float | None = None) -> Any:
        """Wait for what the function returns.

        A controller of this package keeps a result that fits no slot, and a slot with it, until it was fetched; this
        fetches it, piece by piece.

        Args:
            timeout: Seconds from now; None for the client's.

        Raises:
            LinkTimeout: No answer came in time; it may be waited for again.
            LinkClosed: The client was closed, or the service is gone.
            ServiceError: The function answered with a status of its own.
            ProtocolError: The service refused the call, or its answer is malformed.
        """
        seconds = self._client._timeout if timeout is None else _seconds(timeout)
        end = time.monotonic() + seconds
        response = self._client._exchange.wait(self._flight, seconds)
        payload = response.payload
        if self.signature.statuses is PHOTONLINK and response.status == RESULT_IN_SEGMENT:
            payload = self._whole = self._fetched(response, end) if self._whole is None else self._whole
        elif response.status != OK:
            raise self._refusal(response)
        return self.signature.decode_results(payload, self._arguments)

    def abandon(self) -> None:
        """Wait for it no more; its answer is dropped when it comes, and it may still be executed."""
        self._client._exchange.forget(self._flight)

    def _fetched(self, response: Response, end: float) -> bytes:
        """The result that lies with the controller; pieces are as large as its answers."""
        if len(response.payload) != _SEGMENT.size:
            raise self._refusal(response)
        _, length = _SEGMENT.unpack(response.payload)
        whole = bytearray()
        while True:
            count = min(length - len(whole), self._flight.answer_bytes - HEADER_BYTES)
            arguments = (self._arguments[0], self.request_id, len(whole), count)
            piece = self._client._submit(FETCH, arguments, max(0.0, end - time.monotonic()))
            whole += piece.result(max(0.0, end - time.monotonic())).tobytes()
            if count == 0:
                return bytes(whole)

    def _refusal(self, response: Response) -> PhotonLinkError:
        status = describe(response.status, self.signature.statuses)
        kind = ServiceError if response.status > 0 else ProtocolError
        return kind(
            f"{self._client.peer} answered {self.signature} with {status}",
            target=self._client.peer,
            request_id=response.request_id,
            status=status,
        )


def _seconds(timeout: float) -> float:
    return _checks.number("timeout", timeout, 0.0, "a number of seconds, 0 or more and finite")
