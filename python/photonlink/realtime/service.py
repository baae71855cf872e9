"""Python functions as a CUDA-Q realtime service: one datagram in, one datagram or nothing out.

The rules, which :class:`Server` and :class:`MemoryTransport` share:

- less than a header, another magic, or more than a slot: no answer, as from NVIDIA's dispatcher;
- everything else: exactly one answer of the size of a slot, in order of arrival; what cannot be executed is answered
  with a status, since a client that counts on order would otherwise wait for ever;
- nothing is remembered of a request: one that comes twice is executed twice.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from photonlink import _checks
from photonlink.errors import PhotonLinkError, ProgramError, ProtocolError
from photonlink.realtime.encoding import Encoding, result_bytes
from photonlink.realtime.frames import (
    HEADER_BYTES,
    REQUEST_MAGIC,
    Request,
    Response,
    checked_slot_bytes,
    identity,
    padded,
)
from photonlink.realtime.signature import Signature
from photonlink.realtime.status import BAD_LENGTH, HANDLER_RAISED, OK, RESPONSE_TOO_LARGE, UNKNOWN_FUNCTION

if TYPE_CHECKING:
    from photonlink.realtime.server import Server

__all__ = ["Refusal", "Service", "ServiceCounters"]

_LOG: Final = logging.getLogger(__name__)
_MAGIC: Final = REQUEST_MAGIC.to_bytes(4, "little")
_Function = TypeVar("_Function", bound=Callable[..., Any])


class Refusal(PhotonLinkError):
    """Raised by a function of a service to answer with a status of its own instead of a result.

    Attributes:
        code: The status, 1 to 2**31 - 1; what it means is the service's business.
    """

    def __init__(self, code: int, message: str = "") -> None:
        if isinstance(code, bool) or not isinstance(code, int) or not 0 < code < 2**31:
            raise ProgramError(f"a function refuses with a status from 1 to 2**31 - 1, got {code!r}")
        super().__init__(message or f"refused with status {code}", status=f"handler status {code}")
        self.code = code


@dataclass(frozen=True)
class ServiceCounters:
    """What a service has done; every datagram was answered or dropped.

    Attributes:
        executed: Answers with status 0.
        refused: Answers with another status.
        dropped: Datagrams that got no answer.
    """

    executed: int = 0
    refused: int = 0
    dropped: int = 0


@dataclass(frozen=True)
class _Entry:
    signature: Signature
    function: Callable[..., Any]


class Service:
    """A table of functions.

    Args:
        slot_bytes: Size of a slot, the same at both ends: the largest datagram taken, and the size of each answer.
        encoding: Of signatures that are given as text or as annotations.

    Raises:
        ProgramError: A slot cannot have that size.

    Examples:
        >>> from photonlink.realtime import Request, Response, Service, function_id
        >>> service = Service(slot_bytes=64)
        >>> @service.function("addThem(i32, i32) -> i32")
        ... def add(a, b):
        ...     return a + b
        >>> request = Request(function_id("addThem"), request_id=1, payload=bytes([2, 0, 0, 0, 40, 0, 0, 0]))
        >>> Response.decode(service.answer(request.encode())).payload.hex()
        '2a000000'
    """

    def __init__(self, *, slot_bytes: int = 256, encoding: Encoding = "B") -> None:
        self.slot_bytes = checked_slot_bytes(slot_bytes)
        self._encoding = encoding
        self._entries: dict[int, _Entry] = {}
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(ServiceCounters.__dataclass_fields__, 0)

    @overload
    def function(self, function: str | Signature) -> Callable[[_Function], _Function]: ...

    @overload
    def function(self, function: _Function) -> _Function: ...

    def function(self, function: str | Signature | Callable[..., Any]) -> Any:
        """Decorator: offers a Python function under its annotations, or under the signature given.

        The function gets the decoded arguments and returns the result: None, a value, a tuple of several, or the
        elements of its output vector (for which it got the number of elements wanted). It may raise :class:`Refusal`.
        Anything else that it raises, and a result that is not what the signature says, is logged and answered with
        status 1.

        Raises:
            ProgramError: No signature can be made of it, or its id is taken.
        """
        if isinstance(function, (str, Signature)):
            signature = Signature.of(function, encoding=self._encoding)

            def offer(target: _Function) -> _Function:
                self._add(signature, target)
                return target

            return offer
        self._add(Signature.of(function, encoding=self._encoding), function)
        return function

    @property
    def functions(self) -> tuple[Signature, ...]:
        """What is offered."""
        return tuple(entry.signature for entry in self._entries.values())

    @property
    def counters(self) -> ServiceCounters:
        """What was done up to now."""
        with self._lock:
            return ServiceCounters(**self._counts)

    def serve(self, host: str = "127.0.0.1", port: int = 0) -> Server:
        """A server of this service on a UDP port, 0 for any; it runs for as long as its ``with`` statement.

        Args:
            host: IPv4 address to listen on. Nothing is authenticated: beyond loopback, use a network of its own.
            port: UDP port.

        Raises:
            TargetUnavailable: The port is taken, or the address is not of this machine.
        """
        from photonlink.realtime.server import Server

        return Server(self, host, port)

    def answer(self, datagram: bytes, limit: int | None = None) -> bytes | None:
        """What goes back for `datagram`: a frame padded to the size of a slot, or None for no answer.

        Args:
            datagram: As received.
            limit: Most bytes of the answer, if it may have less than a slot.

        Raises:
            ProgramError: These are no bytes, or no limit.
        """
        datagram = _checks.octets("datagram", datagram)
        size = self.slot_bytes
        if limit is not None:
            size = min(size, _checks.integer("limit", limit, 0, None))
        if not HEADER_BYTES <= len(datagram) <= self.slot_bytes or datagram[:4] != _MAGIC:
            self._count("dropped")
            return None
        function, request_id, time = identity(datagram)
        status, payload = self._execute(function, datagram, size - HEADER_BYTES)
        self._count("executed" if status == OK else "refused")
        return padded(Response(status, request_id, payload, time).encode(), size)

    def _execute(self, function: int, datagram: bytes, capacity: int) -> tuple[int, bytes]:
        entry = self._entries.get(function)
        if entry is None:
            return UNKNOWN_FUNCTION, b""
        try:
            arguments = entry.signature.decode_arguments(Request.decode(datagram).payload)
        except ProtocolError as error:
            _LOG.debug("refused: %s", error)
            return BAD_LENGTH, b""
        # An output vector's size is the caller's word: judged before the function makes room for it.
        if (result_bytes(entry.signature.returned(arguments)) or 0) > capacity:
            return RESPONSE_TOO_LARGE, b""
        status, payload = _call(entry, arguments)
        return (status, payload) if len(payload) <= capacity else (RESPONSE_TOO_LARGE, b"")

    def _add(self, signature: Signature, function: Callable[..., Any]) -> None:
        if not callable(function):
            raise ProgramError(f"{function!r} cannot be offered as {signature}: it is no function")
        taken = self._entries.get(signature.function_id)
        if taken is not None:
            raise ProgramError(
                f"{signature.name} has id 0x{signature.function_id:08x}, under which {taken.signature} is offered "
                "already: rename one"
            )
        self._entries[signature.function_id] = _Entry(signature, function)

    def _count(self, name: str) -> None:
        with self._lock:
            self._counts[name] += 1


def _call(entry: _Entry, arguments: tuple[Any, ...]) -> tuple[int, bytes]:
    try:
        return OK, entry.signature.encode_results(entry.function(*arguments), arguments)
    except Refusal as refusal:
        return refusal.code, b""
    except Exception:
        # The next request is somebody else's: it must be answered whatever this one did.
        _LOG.exception("%s raised; its caller gets status %d", entry.signature, HANDLER_RAISED)
        return HANDLER_RAISED, b""
