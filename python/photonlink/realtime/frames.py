r"""Frames of CUDA-Q realtime: a 24-byte header and a payload, little-endian, one frame per slot and per datagram.

Public interface facts of NVIDIA CUDA-Q Realtime 0.14 and later (https://nvidia.github.io/cuda-quantum/).

Examples:
    >>> from photonlink.realtime import Request, function_id
    >>> frame = Request(function_id("rpc_increment"), request_id=7, payload=bytes([0, 255, 65])).encode()
    >>> frame[:8].hex(" ")
    '52 51 55 43 22 63 1b 19'
    >>> Request.decode(frame).payload
    b'\x00\xffA'
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from photonlink import _checks
from photonlink.errors import ProgramError, ProtocolError

__all__ = [
    "HEADER_BYTES",
    "MAX_SLOT_BYTES",
    "REQUEST_MAGIC",
    "RESPONSE_MAGIC",
    "Request",
    "Response",
    "checked_fit",
    "checked_slot_bytes",
    "fnv1a",
    "function_id",
    "has_magic",
    "identity",
    "padded",
]

REQUEST_MAGIC: Final = 0x43555152
RESPONSE_MAGIC: Final = 0x43555153
HEADER_BYTES: Final = 24
MAX_SLOT_BYTES: Final = 65507  # of a UDP datagram over IPv4

_REQUEST: Final = struct.Struct("<IIIIQ")
_RESPONSE: Final = struct.Struct("<IiIIQ")
_IDENTITY: Final = struct.Struct("<4xI4xIQ")


def fnv1a(data: bytes) -> int:
    """FNV-1a, 32 bit.

    Examples:
        >>> hex(fnv1a(b"")), hex(fnv1a(b"foobar"))
        ('0x811c9dc5', '0xbf9cf968')
    """
    value = 0x811C9DC5
    for byte in _checks.octets("data", data):
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def function_id(name: str) -> int:
    """The id under which a function is called on the wire: FNV-1a of its name.

    Raises:
        ProgramError: The name is empty or has blanks or characters beyond ASCII: CUDA-Q's C++ runtime widens signed
            bytes before it hashes them and so gives such names another id than its compiler.
    """
    if not isinstance(name, str) or not name or not all("!" <= character <= "~" for character in name):
        raise ProgramError(
            f"{_checks.shown(name)} cannot name a realtime function: expected printable ASCII without blanks, as in a "
            "C identifier"
        )
    return fnv1a(name.encode("ascii"))


def checked_slot_bytes(slot_bytes: int) -> int:
    """`slot_bytes` if a slot can have that size, or ProgramError."""
    integer = isinstance(slot_bytes, int) and not isinstance(slot_bytes, bool)
    if not integer or not HEADER_BYTES <= slot_bytes <= MAX_SLOT_BYTES:
        raise ProgramError(
            f"slot_bytes is {slot_bytes!r}, expected an integer from {HEADER_BYTES} (a bare header) to "
            f"{MAX_SLOT_BYTES} (the largest datagram)"
        )
    return slot_bytes


def has_magic(data: bytes) -> bool:
    """Whether `data` begins as a request or a response does."""
    return int.from_bytes(data[:4], "little") in (REQUEST_MAGIC, RESPONSE_MAGIC)


def identity(frame: bytes) -> tuple[int, int, int]:
    """Function id (in a response: status), request id and time stamp of a frame, whatever its magic and length say."""
    second, request_id, time = _IDENTITY.unpack_from(frame)
    return second, request_id, time


def checked_fit(frame_bytes: int, slot_bytes: int) -> int:
    """`frame_bytes` if a slot holds so many, or ProgramError."""
    if frame_bytes > slot_bytes:
        raise ProgramError(
            f"a frame of {frame_bytes} bytes does not fit a slot of {slot_bytes}: use slots of at least {frame_bytes} "
            "bytes at both ends"
        )
    return frame_bytes


def padded(frame: bytes, slot_bytes: int) -> bytes:
    """`frame` with zeros up to the size of its slot.

    Raises:
        ProgramError: The frame is larger than the slot.
    """
    checked_fit(len(frame), slot_bytes)
    return frame.ljust(slot_bytes, b"\0")


@dataclass(frozen=True)
class Request:
    """A request.

    Attributes:
        function_id: FNV-1a of the function's name.
        request_id: Chosen by the client, echoed by the service.
        payload: The encoded arguments.
        ptp_timestamp: Echoed; by convention nanoseconds of PTP at sending, 0 if unused.
    """

    function_id: int
    request_id: int
    payload: bytes = b""
    ptp_timestamp: int = 0

    def encode(self) -> bytes:
        """The frame, without padding.

        Raises:
            ProgramError: A field does not fit the header.
        """
        payload = _checks.octets("payload", self.payload)
        fields = (REQUEST_MAGIC, self.function_id, len(payload), self.request_id, self.ptp_timestamp)
        return _packed(_REQUEST, fields, "request") + payload

    @classmethod
    def decode(cls, frame: bytes) -> Request:
        """The request in `frame`; what follows its payload is padding and is not looked at.

        Raises:
            ProtocolError: Less than a header, another magic, or a payload that the frame does not hold.
        """
        frame = _checks.octets("frame", frame)
        _, function, length, request_id, time = _header(_REQUEST, frame, REQUEST_MAGIC, "request")
        return cls(function, request_id, _payload(frame, length, request_id), time)


@dataclass(frozen=True)
class Response:
    """A response.

    Attributes:
        status: 0 ok, positive the handler's, negative the protocol layer's.
        request_id: That of the request.
        payload: The encoded results.
        ptp_timestamp: That of the request.
    """

    status: int
    request_id: int
    payload: bytes = b""
    ptp_timestamp: int = 0

    def encode(self) -> bytes:
        """The frame, without padding.

        Raises:
            ProgramError: A field does not fit the header.
        """
        payload = _checks.octets("payload", self.payload)
        fields = (RESPONSE_MAGIC, self.status, len(payload), self.request_id, self.ptp_timestamp)
        return _packed(_RESPONSE, fields, "response") + payload

    @classmethod
    def decode(cls, frame: bytes) -> Response:
        """The response in `frame`; what follows its payload is padding and may be left over from earlier answers.

        Raises:
            ProtocolError: Less than a header, another magic, or a payload that the frame does not hold.
        """
        frame = _checks.octets("frame", frame)
        _, status, length, request_id, time = _header(_RESPONSE, frame, RESPONSE_MAGIC, "response")
        return cls(status, request_id, _payload(frame, length, request_id), time)


def _packed(header: struct.Struct, fields: tuple[int, ...], kind: str) -> bytes:
    try:
        return header.pack(*fields)
    except (struct.error, TypeError) as error:
        raise ProgramError(f"a {kind} header cannot hold {_checks.shown(fields[1:])}: {error}") from None


def _header(header: struct.Struct, frame: bytes, magic: int, kind: str) -> tuple[int, ...]:
    if len(frame) < HEADER_BYTES:
        raise ProtocolError(f"{len(frame)} bytes are no {kind}: a header has {HEADER_BYTES}")
    fields: tuple[int, ...] = header.unpack_from(frame)
    if fields[0] != magic:
        raise ProtocolError(
            f"magic is 0x{fields[0]:08x}, expected 0x{magic:08x} of a {kind}{_guess(fields[0], magic)}",
            request_id=identity(frame)[1],
        )
    return fields


def _guess(magic: int, expected: int) -> str:
    if magic in (REQUEST_MAGIC, RESPONSE_MAGIC):
        return "; that is the magic of a " + ("request" if magic == REQUEST_MAGIC else "response")
    if int.from_bytes(magic.to_bytes(4, "little"), "big") == expected:
        return "; its bytes are in reverse: all fields are little-endian"
    return ""


def _payload(frame: bytes, length: int, request_id: int) -> bytes:
    if length > len(frame) - HEADER_BYTES:
        raise ProtocolError(
            f"the header announces {length} payload bytes and {len(frame) - HEADER_BYTES} are there: the frame was "
            "cut, or its sender uses larger slots",
            request_id=request_id,
        )
    return frame[HEADER_BYTES : HEADER_BYTES + length]
