"""How a call of the native client ended, as the error that says what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Any

from photonlink import _core
from photonlink.errors import (
    LinkClosed,
    LinkTimeout,
    PhotonLinkError,
    ProcessorError,
    ProgramError,
    ProtocolError,
    SessionClosed,
)

# photonlink::wire::Status and photonlink::qsc::EndReason
_BUDGET_SPENT, _EXPIRED, _PROCESSOR_FAILED, _INVALID_PHASE, _NOT_SERVING = 101, 102, 103, 104, -5
_DISPATCHER_DIED = 5

RESERVE_AGAIN = "reserve a new session"


@dataclass(frozen=True)
class Context:
    """What an error message needs to know of the session.

    Attributes:
        target: Name of the target.
        features: Names of the program's features.
        cause: Asks the controller why it is in its error state, or for the processor's last words.
    """

    target: str
    features: tuple[str, ...]
    cause: Callable[[], str]


def failure(result: _core.CallResult, rows: int, context: Context) -> PhotonLinkError | CancelledError:
    """The error for a call over `rows` datapoints that ended with anything but OK."""
    status = result.status
    if status == _core.CallStatus.CANCELLED:
        return CancelledError()
    fields: dict[str, Any] = {
        "target": context.target,
        "row": result.row,
        "request_id": result.request_id,
        "elapsed": result.elapsed,
        "status": status.name.lower(),
    }
    where = f"datapoint {result.row} of {rows} (the rows before it were delivered)"
    if status == _core.CallStatus.TIMEOUT:
        return LinkTimeout(
            f"no answer to {where} within {result.elapsed:.3g} s; it may still be executed and then counts as a token: "
            "pass a longer timeout=, or close the session",
            **fields,
        )
    if status == _core.CallStatus.BAD_FEATURE:
        return ProgramError(
            f"feature {context.features[result.column]!r} (column {result.column}) of row {result.row} is not finite; "
            "nothing was sent",
            **fields,
        )
    if status == _core.CallStatus.BAD_PHASE:
        return ProgramError(
            f"the features of row {result.row} give phase {result.column} a value that is not finite; nothing was sent",
            **fields,
        )
    if status == _core.CallStatus.CLOSED:
        return _closed(result, where, context, fields)
    if status == _core.CallStatus.REFUSED:
        return _refused(result.wire_status, where, context, fields)
    if status == _core.CallStatus.PEER_LOST:
        return LinkClosed(f"the controller stopped answering at {where}: {RESERVE_AGAIN}", **fields)
    return ProtocolError(f"the answer to {where} breaks the wire format: {RESERVE_AGAIN}", **fields)


def _closed(result: _core.CallResult, where: str, context: Context, fields: dict[str, Any]) -> PhotonLinkError:
    reason = _core.end_reason(result.close_reason) if result.close_reason else "closed by this process"
    fields["status"] = reason
    if result.close_reason == _DISPATCHER_DIED:
        return LinkClosed(f"the controller died at {where}: {context.cause()}; {RESERVE_AGAIN}", **fields)
    return SessionClosed(f"the session ended ({reason}) at {where}: {RESERVE_AGAIN}", **fields)


def _refused(wire_status: int, where: str, context: Context, fields: dict[str, Any]) -> PhotonLinkError:
    fields["status"] = f"wire status {wire_status}"
    if wire_status == _BUDGET_SPENT:
        return SessionClosed(
            f"the token budget of the session is spent at {where}: reserve one with a larger token_budget=", **fields
        )
    if wire_status in (_EXPIRED, _NOT_SERVING):
        return SessionClosed(f"the session ended before {where} was executed: {RESERVE_AGAIN}", **fields)
    if wire_status == _PROCESSOR_FAILED:
        return ProcessorError(f"the processor failed at {where}: {context.cause()}; it counts as a token", **fields)
    if wire_status == _INVALID_PHASE:
        return ProgramError(f"the controller refused the phases of {where}", **fields)
    return ProtocolError(f"the controller refused {where} with wire status {wire_status}", **fields)
