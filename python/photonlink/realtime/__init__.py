"""CUDA-Q realtime (NVQLink) from Python: frames, payloads, a client, a server, and a reader of captures.

Any service or caller that speaks the wire of NVIDIA CUDA-Q Realtime can stand at the other end; nothing here is about
photonics. Both ends of a call in one process:

Examples:
    >>> import numpy as np
    >>> from photonlink.realtime import Client, Service
    >>> service = Service()
    >>> @service.function
    ... def parity(decoder: int, syndromes: list[bool]) -> bool:
    ...     return bool(np.bitwise_xor.reduce(syndromes))
    >>> with service.serve() as server, Client(server.address) as client:
    ...     call = client.function("parity(i64 decoder, bool[] syndromes) -> bool")
    ...     call(2, [True, False, True, True])
    True
"""

from photonlink.realtime.captures import Capture, read_capture, read_hex
from photonlink.realtime.client import Client, ClientCounters, PendingCall, RemoteFunction
from photonlink.realtime.decoder import DecodedFrame, Decoder
from photonlink.realtime.frames import (
    HEADER_BYTES,
    REQUEST_MAGIC,
    RESPONSE_MAGIC,
    Request,
    Response,
    fnv1a,
    function_id,
)
from photonlink.realtime.known import KNOWN_FUNCTIONS, PHOTONLINK_FUNCTIONS, QEC_FUNCTIONS
from photonlink.realtime.listing import table
from photonlink.realtime.packets import Datagram
from photonlink.realtime.server import Server
from photonlink.realtime.service import Refusal, Service, ServiceCounters
from photonlink.realtime.signature import Signature
from photonlink.realtime.status import StatusLayer, describe
from photonlink.realtime.transport import MemoryTransport, Transport, UdpTransport

__all__ = [
    "HEADER_BYTES",
    "KNOWN_FUNCTIONS",
    "PHOTONLINK_FUNCTIONS",
    "QEC_FUNCTIONS",
    "REQUEST_MAGIC",
    "RESPONSE_MAGIC",
    "Capture",
    "Client",
    "ClientCounters",
    "Datagram",
    "DecodedFrame",
    "Decoder",
    "MemoryTransport",
    "PendingCall",
    "Refusal",
    "RemoteFunction",
    "Request",
    "Response",
    "Server",
    "Service",
    "ServiceCounters",
    "Signature",
    "StatusLayer",
    "Transport",
    "UdpTransport",
    "describe",
    "fnv1a",
    "function_id",
    "read_capture",
    "read_hex",
    "table",
]
