"""Status words of responses. A number means something only together with the layer that sets it.

Zero is success, a positive value belongs to the handler of the function, a negative one to the protocol layer. The
same small positive numbers are used by several services for different things, so their names are kept in a table per
service: :data:`QEC_DECODER` for NVIDIA's decoding server, :data:`PHOTONLINK` for this package's controller.

Examples:
    >>> from photonlink.realtime.status import QEC_DECODER, UNKNOWN_FUNCTION, describe
    >>> describe(UNKNOWN_FUNCTION)
    'protocol status -1 (unknown function)'
    >>> describe(5, QEC_DECODER)
    'QEC decoder status 5 (BUSY)'
    >>> describe(5)
    'handler status 5'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from photonlink import _checks

__all__ = [
    "BAD_LENGTH",
    "HANDLER",
    "HANDLER_RAISED",
    "OK",
    "PHOTONLINK",
    "QEC_DECODER",
    "RESPONSE_TOO_LARGE",
    "RESULT_IN_SEGMENT",
    "UNKNOWN_FUNCTION",
    "StatusLayer",
    "describe",
]

OK: Final = 0
UNKNOWN_FUNCTION: Final = -1
BAD_LENGTH: Final = -2
RESPONSE_TOO_LARGE: Final = -4
RESULT_IN_SEGMENT: Final = 100  # of PHOTONLINK: the payload is {offset, length}, the result is fetched in pieces
HANDLER_RAISED: Final = 1  # what our server answers when a Python function raises anything but a Refusal

_PROTOCOL: Final = {
    UNKNOWN_FUNCTION: "unknown function",
    BAD_LENGTH: "payload does not match the function or the slot",
    -3: "wrong session key",
    RESPONSE_TOO_LARGE: "response does not fit its slot",
    -5: "not serving",
}


@dataclass(frozen=True)
class StatusLayer:
    """Who sets positive status words, and what they are called there.

    Attributes:
        name: Name of the layer.
        meanings: Name of each status.
    """

    name: str
    meanings: Mapping[int, str] = field(default_factory=dict, hash=False)


HANDLER: Final = StatusLayer("handler")

QEC_DECODER: Final = StatusLayer(
    "QEC decoder",
    {
        1: "INVALID_DECODER",
        2: "BAD_REQUEST",
        3: "INTERNAL_ERROR",
        4: "NOT_READY",
        5: "BUSY",
        6: "SYNDROMES_DROPPED",
    },
)

PHOTONLINK: Final = StatusLayer(
    "photonlink",
    {
        RESULT_IN_SEGMENT: "result lies in the segment",
        101: "token budget spent",
        102: "session expired",
        103: "processor failed",
        104: "phase not finite",
        105: "id below the duplicate window",
        106: "id used for another request",
    },
)


def describe(status: int, layer: StatusLayer = HANDLER) -> str:
    """`status` with its layer and, where it is known, its meaning."""
    status = _checks.integer("status", status, -(2**31), 2**31 - 1)
    if status == OK:
        return "ok"
    name, meanings = (layer.name, layer.meanings) if status > 0 else ("protocol", _PROTOCOL)
    meaning = meanings.get(status)
    return f"{name} status {status}" + (f" ({meaning})" if meaning else "")
