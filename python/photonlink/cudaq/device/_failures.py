"""Failures of device calls as the errors that say what happened.

A kernel that a device call fails in ends with one of CUDA-Q's own errors, whose text is about something else. The
library remembers the failure: launches raise it instead.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from photonlink import _core
from photonlink._failures import Context, Ended, error_for
from photonlink.cudaq.device import _answers, _library
from photonlink.cudaq.device._declaration import name_of
from photonlink.cudaq.device._library import Status
from photonlink.errors import (
    LinkClosed,
    LinkTimeout,
    PhotonLinkError,
    ProgramError,
    ProtocolError,
    ServiceError,
    SessionClosed,
    TargetUnavailable,
    Unavailable,
)
from photonlink.realtime import describe

__all__ = ["install", "remember"]

# Launches that run a kernel before they return. Everything that CUDA-Q offers comes to one of them.
_LAUNCHES = ("marshal_and_launch_module", "run_impl", "get_state_impl")
_ASYNCHRONOUS = ("run_async_impl", "sample_async_impl", "observe_async_impl", "get_state_async_impl")

_contexts: dict[int, Context] = {}


def remember(device: int, context: Context) -> None:
    """What messages about calls to `device` need to know of its session."""
    _contexts[device] = context


@contextmanager
def _errors_after(failures: int) -> Iterator[None]:
    """Raise what CUDA-Q raises as the failed device call that has come since there were so many failures."""
    try:
        yield
    except RuntimeError as raised:
        failure = _library.latest_error(failures)
        if failure is None or isinstance(raised, PhotonLinkError):
            raise
        raise translated(failure) from raised


def install(runtime: Any) -> None:
    """Make the launches of CUDA-Q's runtime module raise what went wrong in device calls; once."""
    if hasattr(runtime.run_impl, "photonlink"):
        return
    for name in _LAUNCHES:
        setattr(runtime, name, _translating(getattr(runtime, name)))
    for name in _ASYNCHRONOUS:
        setattr(runtime, name, _pending(getattr(runtime, name)))


def _translating(launch: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(launch)
    def call(*arguments: Any, **options: Any) -> Any:
        with _errors_after(_library.failures()):
            return launch(*arguments, **options)

    call.photonlink = True  # type: ignore[attr-defined]
    return call


def _pending(launch: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(launch)
    def call(*arguments: Any, **options: Any) -> _Pending:
        failures = _library.failures()
        return _Pending(launch(*arguments, **options), failures)

    return call


class _Pending:
    """An asynchronous result of CUDA-Q; all but ``get`` is CUDA-Q's own."""

    def __init__(self, result: Any, failures: int) -> None:
        self._result = result
        self._failures = failures

    def get(self) -> Any:
        with _errors_after(self._failures):
            return self._result.get()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._result, name)

    def __str__(self) -> str:
        return str(self._result)


def translated(failure: _library.Error) -> BaseException:
    """The error for a failed call."""
    raised = _answers.take_raised(failure.request_id)
    if raised is not None:
        return raised
    if failure.call_status:
        return _of_session(failure)
    where = f"{name_of(failure.function_id)} on device {failure.device}"
    cause = failure.cause.decode("ascii", "replace")
    if failure.status == Status.NOT_INITIALIZED:
        return _no_link(failure.device, where, cause)
    if failure.remote_status:
        kind = ServiceError if failure.remote_status > 0 else ProtocolError
        status = describe(failure.remote_status)
        return kind(f"{where}: {cause}, with {status}", request_id=failure.request_id, status=status)
    if failure.status == Status.INVALID_ARGUMENT:
        return ProgramError(f"{where} was refused: {cause}", status="invalid argument")
    if failure.status == Status.TIMEOUT:
        return LinkTimeout(
            f"no answer to {where} in time: {cause}", elapsed=failure.elapsed_ns * 1e-9, status="timeout"
        )
    return ProtocolError(f"{where} failed: {cause}; does the declaration match the function?", status="remote error")


def _of_session(failure: _library.Error) -> PhotonLinkError:
    context = _contexts.get(failure.device) or Context("device", (), lambda: "unknown")
    ended = Ended(
        status=_core.CallStatus(failure.call_status),
        row=0,
        request_id=failure.request_id,
        wire_status=failure.remote_status,
        close_reason=failure.close_reason,
        elapsed=failure.elapsed_ns * 1e-9,
        feature=None,
        column=None,
        where=f"{name_of(failure.function_id)} on device {failure.device}",
        late="attach the session with a longer timeout=",
    )
    return error_for(ended, context)


def _no_link(device: int, where: str, cause: str) -> PhotonLinkError:
    if "listens" in cause:
        return LinkClosed(f"{where}: {cause}: is the service running?", status="closed")
    if "parent" in cause:
        return SessionClosed(
            f"{where}: {cause} and does not survive a fork: reserve a session and attach it in this process"
        )
    return TargetUnavailable(
        f"{where}: no such device is open: call device.attach(session, device={device}) before the kernel",
        reason=Unavailable.UNKNOWN,
    )
