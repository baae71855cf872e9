"""Captured datagrams out of files: pcap, pcapng, or text of hexadecimal digits.

Formats: https://ietf-opsawg-wg.github.io/draft-ietf-opsawg-pcap (tcpdump -w) and
https://ietf-opsawg-wg.github.io/draft-ietf-opsawg-pcap/draft-ietf-opsawg-pcapng.html (Wireshark, dumpcap). Both are
read strictly: a file that ends early or contradicts itself is refused, not guessed at.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from photonlink import _checks
from photonlink.errors import ProgramError
from photonlink.realtime.frames import has_magic
from photonlink.realtime.packets import LINK_TYPES, Datagram, datagram_of

__all__ = ["Capture", "read_capture", "read_hex"]

_MOST_PACKET_BYTES: Final = 1 << 18  # what tcpdump calls unlimited
_PCAP_SUBSECONDS: Final = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}  # nanoseconds per unit
_SECTION, _INTERFACE, _SIMPLE_PACKET, _PACKET = 0x0A0D0D0A, 1, 3, 6
_BYTE_ORDER_MAGIC: Final = 0x1A2B3C4D
_TIME_RESOLUTION, _TIME_OFFSET = 9, 14


@dataclass(frozen=True)
class Capture:
    """Datagrams of a capture.

    Attributes:
        datagrams: Those over UDP and IPv4, RoCE included, in order.
        left_out: Packets of other kinds, and parts of larger ones.
    """

    datagrams: tuple[Datagram, ...]
    left_out: int = 0


def read_capture(data: bytes) -> Capture:
    """The datagrams in the bytes of a file; its first bytes tell the format.

    Raises:
        ProgramError: The file breaks its format, or is of none that is known.
    """
    data = _checks.octets("data", data)
    if data[:4] == _SECTION.to_bytes(4, "big"):
        return _capture(_pcapng_packets(data))
    for order in "<>":
        if len(data) >= 24 and struct.unpack_from(f"{order}I", data)[0] in _PCAP_SUBSECONDS:
            return _capture(_pcap_packets(data, order))
    try:
        return read_hex(data.decode("ascii"))
    except UnicodeDecodeError:
        raise ProgramError(
            f"a file that begins with {data[:4].hex(' ')} is neither pcap nor pcapng nor hexadecimal text"
        ) from None


def read_hex(text: str) -> Capture:
    """Frames written in hexadecimal digits, with blanks where one likes.

    A frame goes on over several lines until an empty line, or a line that begins with the magic of a request
    (``52 51 55 43``) or a response (``53 51 55 43``). What follows ``#`` is a comment.

    Raises:
        ProgramError: A line has something else.

    Examples:
        >>> [len(datagram.data) for datagram in read_hex("52515543 00  # a header that was cut").datagrams]
        [5]
    """
    _checks.instance("text", text, str, "text of hexadecimal digits")
    frames: list[bytearray] = []
    fresh = True
    for number, line in enumerate(text.splitlines(), 1):
        try:
            data = bytes.fromhex(line.split("#")[0])
        except ValueError:
            raise ProgramError(f"line {number} is {line.strip()[:60]!r}, expected hexadecimal bytes") from None
        if data and (fresh or has_magic(data)):
            frames.append(bytearray())
        if data:
            frames[-1] += data
        fresh = not data and "#" not in line
    return Capture(tuple(Datagram(bytes(frame)) for frame in frames))


@dataclass(frozen=True)
class _Packet:
    link_type: int
    time_ns: int | None
    data: bytes


def _capture(packets: Iterator[_Packet]) -> Capture:
    found: list[Datagram] = []
    left_out = 0
    for packet in packets:
        if packet.link_type not in LINK_TYPES:
            raise ProgramError(
                f"the capture has packets of link type {packet.link_type}; those of Ethernet, Linux cooked, raw IP and "
                f"loopback ({', '.join(map(str, LINK_TYPES))}) can be read: capture on such an interface"
            )
        datagram = datagram_of(packet.data, packet.link_type, packet.time_ns)
        if datagram is None:
            left_out += 1
        else:
            found.append(datagram)
    return Capture(tuple(found), left_out)


class _File:
    """Bytes that are read from front to back."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def peek(self, size: int) -> bytes:
        return self._data[self._at : self._at + size]

    def take(self, size: int) -> bytes:
        if size > len(self._data) - self._at:
            raise ProgramError(f"the capture ends within a record at byte {self._at}: it was cut, or is still written")
        self._at += size
        return self._data[self._at - size : self._at]


def _checked(size: int) -> int:
    if size > _MOST_PACKET_BYTES:
        raise ProgramError(f"the capture has a packet of {size} bytes, expected {_MOST_PACKET_BYTES} at most")
    return size


def _pcap_packets(data: bytes, order: str) -> Iterator[_Packet]:
    file = _File(data)
    magic, major, minor, _, _, _, link_type = struct.unpack(f"{order}IHHiIII", file.take(24))
    if (major, minor) != (2, 4):
        raise ProgramError(f"the pcap file has version {major}.{minor}, expected 2.4")
    while file:
        seconds, fraction, kept, _ = struct.unpack(f"{order}IIII", file.take(16))
        time_ns = seconds * 10**9 + fraction * _PCAP_SUBSECONDS[magic]
        yield _Packet(link_type & 0xFFFF, time_ns, file.take(_checked(kept)))


@dataclass(frozen=True)
class _Interface:
    link_type: int
    snap: int
    units_per_second: int
    offset_ns: int


def _pcapng_packets(data: bytes) -> Iterator[_Packet]:
    file, order = _File(data), "<"
    interfaces: list[_Interface] = []
    while file:
        head = file.take(8)
        if head[:4] == _SECTION.to_bytes(4, "big"):
            order, interfaces = _byte_order(file.peek(4)), []
        kind, body = _block(file, head, order)
        if kind == _INTERFACE:
            interfaces.append(_interface(body, order))
        elif kind == _PACKET:
            if len(body) < 20:
                raise ProgramError("the capture has a packet block without its header")
            index, high, low, kept, _ = struct.unpack_from(f"{order}IIIII", body)
            interface = _known(interfaces, index)
            time_ns = (high << 32 | low) * 10**9 // interface.units_per_second + interface.offset_ns
            yield _Packet(interface.link_type, time_ns, _File(body[20:]).take(_checked(kept)))
        elif kind == _SIMPLE_PACKET:
            interface = _known(interfaces, 0)
            (size,) = struct.unpack(f"{order}I", _File(body).take(4))
            yield _Packet(interface.link_type, None, _File(body[4:]).take(min(size, interface.snap or size)))


def _byte_order(magic: bytes) -> str:
    for order in "<>":
        if magic == struct.pack(f"{order}I", _BYTE_ORDER_MAGIC):
            return order
    raise ProgramError("the pcapng file does not tell its byte order: it is damaged")


def _block(file: _File, head: bytes, order: str) -> tuple[int, bytes]:
    kind, size = struct.unpack(f"{order}II", head)
    if size < 12 or size % 4:
        raise ProgramError(f"the pcapng file has a block of {size} bytes, expected a multiple of 4 from 12 on")
    body = file.take(size - 12)
    if struct.unpack(f"{order}I", file.take(4))[0] != size:
        raise ProgramError("the pcapng file has a block whose two lengths differ: it is damaged")
    return kind, body


def _interface(body: bytes, order: str) -> _Interface:
    file = _File(body)
    link_type, _, snap = struct.unpack(f"{order}HHI", file.take(8))
    units, offset = 10**6, 0
    while file:
        code, size = struct.unpack(f"{order}HH", file.take(4))
        value = file.take(size + -size % 4)[:size]
        if code == 0:
            break
        if code == _TIME_RESOLUTION and size == 1:
            units = 2 ** (value[0] & 127) if value[0] & 128 else 10 ** value[0]
        elif code == _TIME_OFFSET and size == 8:
            offset = struct.unpack(f"{order}q", value)[0] * 10**9
    return _Interface(link_type, snap, units, offset)


def _known(interfaces: list[_Interface], index: int) -> _Interface:
    if index >= len(interfaces):
        raise ProgramError(f"the pcapng file has a packet of interface {index} and describes {len(interfaces)}")
    return interfaces[index]
