"""Messages out of RoCE v2 packets: what RDMA writes and sends carry over UDP.

Layout: InfiniBand Architecture Specification, volume 1, chapter 9, and its annex A17 (RoCE v2). Only messages that
are whole in one packet are taken: a slot of CUDA-Q realtime is, unless it is larger than the path's MTU.
"""

from __future__ import annotations

from typing import Final

__all__ = ["ROCE_PORT", "roce_payload"]

ROCE_PORT: Final = 4791

_BASE_HEADER: Final = 12
_CHECKSUM: Final = 4
_RELIABLE, _UNRELIABLE = 0x00, 0x20  # kinds of connection, in the upper bits of the opcode
_SEND, _SEND_IMMEDIATE, _WRITE, _WRITE_IMMEDIATE = 0x04, 0x05, 0x0A, 0x0B  # the forms that are a whole message

# Bytes of the headers between the base header and the payload: address and length of a write, and immediate value.
_MORE_HEADERS: Final = {
    kind | operation: size
    for kind in (_RELIABLE, _UNRELIABLE)
    for operation, size in ((_SEND, 0), (_SEND_IMMEDIATE, 4), (_WRITE, 16), (_WRITE_IMMEDIATE, 20))
}


def roce_payload(packet: bytes, length: int) -> tuple[bytes, int] | None:
    """What a message carries, and how many bytes of it the capture did not keep; None for other packets.

    Args:
        packet: Payload of the UDP datagram, as far as it was captured.
        length: Its length on the wire.
    """
    if len(packet) < _BASE_HEADER or packet[0] not in _MORE_HEADERS:
        return None
    begin = _BASE_HEADER + _MORE_HEADERS[packet[0]]
    end = length - _CHECKSUM - (packet[1] >> 4 & 3)  # padded to four bytes
    if begin > end:
        return None
    data = packet[begin:end]
    return data, end - begin - len(data)
