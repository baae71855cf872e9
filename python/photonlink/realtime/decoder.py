"""Captured frames in words: function, arguments, results, status, and how long the answer took.

Examples:
    >>> from photonlink.realtime.captures import read_hex
    >>> capture = read_hex('''
    ... 52515543 1e906c5a 08000000 01000000 0000000000000000 02000000 28000000
    ... 53515543 00000000 04000000 01000000 0000000000000000 2a000000
    ... ''')
    >>> frames = Decoder(["addThem(i32 a, i32 b) -> i32"]).decode(capture)
    >>> [frame.text for frame in frames]
    ['addThem(a=2, b=40)', '-> 42']
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from photonlink import _checks
from photonlink.errors import ProtocolError
from photonlink.realtime.captures import Capture
from photonlink.realtime.encoding import Encoding
from photonlink.realtime.frames import REQUEST_MAGIC, RESPONSE_MAGIC, Request, Response
from photonlink.realtime.known import KNOWN_FUNCTIONS
from photonlink.realtime.packets import Datagram
from photonlink.realtime.signature import Signature
from photonlink.realtime.status import HANDLER, OK, describe

__all__ = ["DecodedFrame", "Decoder"]

_SHOWN_ELEMENTS, _SHOWN_BITS, _SHOWN_BYTES = 8, 64, 32


@dataclass(frozen=True)
class DecodedFrame:
    """A frame, and what could be made of it.

    Attributes:
        datagram: Where it came from.
        kind: Request, response, or neither.
        frame: The frame; None if it is malformed.
        signature: Of its function, if that is known.
        values: Arguments, or result; None if they are unknown.
        request: Index of the request that a response answers.
        latency_ns: From the request to this response, by the times of the capture.
        answered: Whether a request has its response in the capture.
        problem: What is wrong with it.
    """

    datagram: Datagram
    kind: Literal["request", "response", "malformed"]
    frame: Request | Response | None = None
    signature: Signature | None = None
    values: Any = None
    request: int | None = None
    latency_ns: int | None = None
    answered: bool = False
    problem: str | None = None

    @property
    def text(self) -> str:
        """The frame in a line."""
        if self.frame is None:
            return f"{len(self.datagram.data)} bytes"
        if isinstance(self.frame, Response):
            if self.frame.status != OK:
                return f"-> {describe(self.frame.status, self.signature.statuses if self.signature else HANDLER)}"
            unread = self.values is None and self.frame.payload
            return f"-> {_hex(self.frame.payload) if unread else _shown(self.values)}"
        if self.signature is None:
            return f"function 0x{self.frame.function_id:08x} {_hex(self.frame.payload)}"
        if self.values is None:
            return f"{self.signature.name} {_hex(self.frame.payload)}"
        pairs = zip(self.signature.arguments, self.values, strict=True)
        shown = (f"{item.name}={_shown(value)}" if item.name else _shown(value) for item, value in pairs)
        return f"{self.signature.name}({', '.join(shown)})"

    def as_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        frame = self.frame
        return {
            "kind": self.kind,
            "time_ns": self.datagram.time_ns,
            "source": self.datagram.source or None,
            "destination": self.datagram.destination or None,
            "function": None if self.signature is None else self.signature.name,
            "function_id": frame.function_id if isinstance(frame, Request) else None,
            "status": frame.status if isinstance(frame, Response) else None,
            "request_id": None if frame is None else frame.request_id,
            "ptp_timestamp": None if frame is None else frame.ptp_timestamp,
            "payload": None if frame is None else frame.payload.hex(),
            "values": _plain(self.values),
            "request": self.request,
            "latency_ns": self.latency_ns,
            "answered": self.answered if self.kind == "request" else None,
            "problem": self.problem,
            "text": self.text,
        }


class Decoder:
    """Decodes captures.

    Args:
        functions: Signatures, or their text; they come before :data:`KNOWN_FUNCTIONS` of the same name.
        encoding: Of signatures that are given as text.

    Raises:
        ProgramError: A text is no signature.
    """

    def __init__(self, functions: Iterable[str | Signature] = (), *, encoding: Encoding = "B") -> None:
        given = [
            Signature.of(function, encoding=encoding)
            for function in _checks.listed("functions", functions, "signatures")
        ]
        self._functions = {signature.function_id: signature for signature in (*KNOWN_FUNCTIONS, *given)}

    def decode(self, capture: Capture) -> list[DecodedFrame]:
        """Every datagram as a frame, responses paired with their requests.

        A response answers the latest request before it with its id that went the other way and has no answer yet.
        """
        _checks.instance("capture", capture, Capture, "a photonlink.realtime.Capture; read_capture() makes one")
        frames: list[DecodedFrame] = []
        waiting: dict[tuple[str, str, int], int] = {}
        for datagram in capture.datagrams:
            frame = self._frame(datagram)
            if isinstance(frame.frame, Request):
                waiting[datagram.source, datagram.destination, frame.frame.request_id] = len(frames)
            elif isinstance(frame.frame, Response):
                index = waiting.pop((datagram.destination, datagram.source, frame.frame.request_id), None)
                frame = self._paired(frame, index, frames)
            frames.append(frame)
        return frames

    def _frame(self, datagram: Datagram) -> DecodedFrame:
        magic = int.from_bytes(datagram.data[:4], "little")
        try:
            if magic == RESPONSE_MAGIC:
                return DecodedFrame(datagram, "response", Response.decode(datagram.data))
            return self._request(datagram, Request.decode(datagram.data))
        except ProtocolError as error:
            lost = f"; the capture did not keep its last {datagram.missing} bytes" if datagram.missing else ""
            kind: Any = {REQUEST_MAGIC: "request", RESPONSE_MAGIC: "response"}.get(magic, "malformed")
            return DecodedFrame(datagram, kind, problem=f"{error}{lost}")

    def _request(self, datagram: Datagram, request: Request) -> DecodedFrame:
        signature = self._functions.get(request.function_id)
        frame = DecodedFrame(datagram, "request", request, signature)
        if signature is None:
            return frame
        try:
            return replace(frame, values=signature.decode_arguments(request.payload))
        except ProtocolError as error:
            return replace(frame, problem=str(error))

    def _paired(self, frame: DecodedFrame, index: int | None, frames: list[DecodedFrame]) -> DecodedFrame:
        if index is None:
            return replace(frame, problem="answers no request of the capture that is still open: late, or sent twice")
        request = frames[index]
        frames[index] = replace(request, answered=True)
        sent, came = request.datagram.time_ns, frame.datagram.time_ns
        latency = None if sent is None or came is None else came - sent
        frame = replace(frame, request=index, signature=request.signature, latency_ns=latency)
        response = frame.frame
        if request.signature is None or request.values is None or not isinstance(response, Response) or response.status:
            return frame
        try:
            return replace(frame, values=request.signature.decode_results(response.payload, request.values))
        except ProtocolError as error:
            return replace(frame, problem=str(error))


def _shown(value: Any) -> str:
    if value is None:
        return "done"
    if isinstance(value, tuple):
        return f"({', '.join(map(_shown, value))})"
    if isinstance(value, np.ndarray) and value.dtype == np.bool_:
        bits = "".join("01"[bit] for bit in value[:_SHOWN_BITS].tolist())
        return (bits or "no bits") + (f"... ({value.size} bits)" if value.size > _SHOWN_BITS else "")
    if isinstance(value, np.ndarray):
        elements = " ".join(map(_shown, value[:_SHOWN_ELEMENTS].tolist()))
        return f"[{elements}{f' ... ({value.size})' if value.size > _SHOWN_ELEMENTS else ''}]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _hex(payload: bytes) -> str:
    if not payload:
        return "(no payload)"
    more = f" ... ({len(payload)} bytes)" if len(payload) > _SHOWN_BYTES else ""
    return payload[:_SHOWN_BYTES].hex(" ", 4) + more


def _plain(value: Any) -> Any:
    """`value` as JSON can hold it; numbers that it cannot, as text."""
    if isinstance(value, (tuple, list)):
        return [_plain(one) for one in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value
