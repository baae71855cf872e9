"""How a call ended, from the host or from a kernel, as the error that says what to do about it."""

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


@dataclass(frozen=True)
class Ended:
    """How a call ended, whoever made it, in the words of its error.

    Attributes:
        status: Anything but OK, CANCELLED and INTERRUPTED.
        row: Row of the datapoint in its call.
        request_id: Low 32 bits of its id.
        wire_status: Of REFUSED.
        close_reason: Of CLOSED: why the controller closed the link, 0 if this process did.
        elapsed: Seconds since the call began.
        feature: Of BAD_FEATURE: its name, if known.
        column: Of BAD_FEATURE and BAD_PHASE, if known.
        where: The datapoint, and what became of the others.
        late: What to do about a TIMEOUT.
    """

    status: _core.CallStatus
    row: int
    request_id: int
    wire_status: int
    close_reason: int
    elapsed: float
    feature: str | None
    column: int | None
    where: str
    late: str


def failure(result: _core.CallResult, rows: int, context: Context) -> PhotonLinkError | CancelledError:
    """The error for a host call over `rows` datapoints that ended with anything but OK."""
    if result.status == _core.CallStatus.CANCELLED:
        return CancelledError()
    ended = Ended(
        status=result.status,
        row=result.row,
        request_id=result.request_id,
        wire_status=result.wire_status,
        close_reason=result.close_reason,
        elapsed=result.elapsed,
        feature=context.features[result.column] if result.status == _core.CallStatus.BAD_FEATURE else None,
        column=result.column,
        where=f"datapoint {result.row} of {rows} (the rows before it were delivered)",
        late="pass a longer timeout=, or close the session",
    )
    return error_for(ended, context)


def device_failure(left: Any, context: Context, late: str) -> PhotonLinkError:
    """The error for what a kernel left about a row that failed; `late` says what to do about a TIMEOUT."""
    ended = Ended(
        status=_core.CallStatus(left.status),
        row=left.row,
        request_id=left.id & 0xFFFFFFFF,
        wire_status=left.wire_status,
        close_reason=left.close_reason,
        elapsed=left.elapsed,
        feature=None,
        column=None,
        where=f"datapoint {left.row} of a device call (its row holds NaN, and so does any other that failed)",
        late=late,
    )
    return error_for(ended, context)


def error_for(ended: Ended, context: Context) -> PhotonLinkError:
    """The error for a call that ended with anything but OK and was not cancelled."""
    status = ended.status
    where = ended.where
    fields: dict[str, Any] = {
        "target": context.target,
        "row": ended.row,
        "request_id": ended.request_id,
        "elapsed": ended.elapsed,
        "status": status.name.lower(),
    }
    if status == _core.CallStatus.TIMEOUT:
        return LinkTimeout(
            f"no answer to {where} within {ended.elapsed:.3g} s; it may still be executed and then counts as a token: "
            f"{ended.late}",
            **fields,
        )
    if status == _core.CallStatus.BAD_FEATURE:
        which = "a feature" if ended.feature is None else f"feature {ended.feature!r} (column {ended.column})"
        return ProgramError(f"{which} of row {ended.row} is not finite; nothing was sent", **fields)
    if status == _core.CallStatus.BAD_PHASE:
        which = "a phase" if ended.column is None else f"phase {ended.column}"
        return ProgramError(
            f"the features of row {ended.row} give {which} a value that is not finite; nothing was sent", **fields
        )
    if status == _core.CallStatus.CLOSED:
        return _closed(ended.close_reason, where, context, fields)
    if status == _core.CallStatus.REFUSED:
        return _refused(ended.wire_status, where, context, fields)
    if status == _core.CallStatus.PEER_LOST:
        return LinkClosed(
            f"the controller stopped answering at {where} (it ended, hangs, or gets no processor time): "
            f"{RESERVE_AGAIN}",
            **fields,
        )
    if status == _core.CallStatus.WRONG_TYPE:
        return ProgramError(
            f"the kernel that sent {where} was compiled against other headers than this photonlink's, or for another "
            "precision than the session's: compile it again with photonlink.get_include()",
            **fields,
        )
    return ProtocolError(f"the answer to {where} breaks the wire format: {RESERVE_AGAIN}", **fields)


def _closed(close_reason: int, where: str, context: Context, fields: dict[str, Any]) -> PhotonLinkError:
    reason = _core.end_reason(close_reason) if close_reason else "closed by this process"
    fields["status"] = reason
    if close_reason == _DISPATCHER_DIED:
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
