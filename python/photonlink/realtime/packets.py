"""Datagrams out of captured packets: link layer, IPv4, UDP, and what RoCE v2 carries over it.

Link-layer numbers are those of https://www.tcpdump.org/linktypes.html.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass
from typing import Final

from photonlink.realtime.roce import ROCE_PORT, roce_payload

__all__ = ["LINK_TYPES", "Datagram", "datagram_of"]

_IPV4: Final = 0x0800
_VLAN: Final = (0x8100, 0x88A8)
_UDP: Final = 17
_FRAGMENT: Final = 0x3FFF  # more fragments, or an offset

# Bytes before the IPv4 header, and where in them the Ethernet type of what follows stands.
LINK_TYPES: Final[dict[int, tuple[int, int | None]]] = {
    0: (4, None),  # loopback of BSD
    1: (14, 12),  # Ethernet
    101: (0, None),  # raw IP
    113: (16, 14),  # Linux cooked
    228: (0, None),  # raw IPv4
    276: (20, 0),  # Linux cooked, version 2
}


@dataclass(frozen=True)
class Datagram:
    """What one UDP datagram, or one RoCE message, carried.

    Attributes:
        data: Its payload, or what the capture kept of it.
        time_ns: When it was captured, nanoseconds since 1970; None if the source does not say.
        source: ``host:port`` of the sender, ``host`` over RoCE; empty if the source does not say.
        destination: The same of the receiver.
        missing: Bytes at its end that the capture did not keep.
    """

    data: bytes
    time_ns: int | None = None
    source: str = ""
    destination: str = ""
    missing: int = 0


def datagram_of(packet: bytes, link_type: int, time_ns: int | None) -> Datagram | None:
    """The UDP datagram or RoCE message in `packet`; None if there is no whole one, as in fragments."""
    offset, type_at = LINK_TYPES[link_type]
    if type_at is not None:
        ether_type = packet[type_at : type_at + 2]
        while link_type == 1 and int.from_bytes(ether_type, "big") in _VLAN:
            offset, ether_type = offset + 4, packet[offset + 2 : offset + 4]
        if int.from_bytes(ether_type, "big") != _IPV4:
            return None
    return _of_ipv4(packet[offset:], time_ns)


def _of_ipv4(packet: bytes, time_ns: int | None) -> Datagram | None:
    if len(packet) < 20 or packet[0] >> 4 != 4 or packet[9] != _UDP:
        return None
    header = 4 * (packet[0] & 15)
    if header < 20 or len(packet) < header + 8 or int.from_bytes(packet[6:8], "big") & _FRAGMENT:
        return None
    source_port, destination_port, length = struct.unpack_from(">HHH", packet, header)
    if length < 8:
        return None
    data = packet[header + 8 : header + length]
    sender, receiver = (str(ipaddress.IPv4Address(packet[at : at + 4])) for at in (12, 16))
    if destination_port == ROCE_PORT:
        message = roce_payload(data, length - 8)
        # No ports: the source port of RoCE is only there to spread packets over paths.
        return None if message is None else Datagram(message[0], time_ns, sender, receiver, message[1])
    return Datagram(
        data, time_ns, f"{sender}:{source_port}", f"{receiver}:{destination_port}", missing=length - 8 - len(data)
    )
