"""Which CUDA stream a call works on."""

from __future__ import annotations

import contextlib
import operator
from typing import Any

from photonlink.cuda._frameworks import FRAMEWORKS, Framework
from photonlink.errors import ProgramError

__all__ = ["current_device", "current_streams", "for_dlpack", "handle_of", "stream_for", "writer_of"]

_LEGACY_DEFAULT, _LEGACY_HANDLE = 0, 1  # two handles of the same stream


def handle_of(stream: Any) -> int:
    """The cudaStream_t, as an integer, of what a caller gave as ``stream=``.

    Args:
        stream: A handle, an object with ``__cuda_stream__`` (the protocol of CUDA's Python libraries), or one with
            ``cuda_stream`` (torch) or ``ptr`` (CuPy).

    Raises:
        ProgramError: None of these.
    """
    handle: Any = stream
    protocol = getattr(stream, "__cuda_stream__", None)
    if protocol is not None:
        pair = protocol() if callable(protocol) else protocol
        handle = pair[1]
    else:
        for name in ("cuda_stream", "ptr"):
            handle = getattr(stream, name, handle)
    try:
        number = operator.index(handle)
    except TypeError:
        number = -1
    if isinstance(handle, bool) or number < 0:
        raise ProgramError(
            f"stream is {stream!r}, expected a cudaStream_t as an integer, or a stream of torch, CuPy or any library "
            "with __cuda_stream__"
        )
    return _LEGACY_DEFAULT if number == _LEGACY_HANDLE else number


def stream_for(stream: Any, framework: Framework | None, device: int, interface: dict[str, Any] | None) -> int:
    """The stream of a call: the given one, else the framework's current one, else the one that the array was last
    written on according to its ``__cuda_array_interface__``, else the legacy default stream.
    """  # noqa: D205
    if stream is not None:
        return handle_of(stream)
    if framework is not None:
        return framework.current_stream(device)
    if interface is not None and interface.get("stream") is not None:
        return handle_of(interface["stream"])
    return _LEGACY_DEFAULT


def for_dlpack(stream: int) -> int:
    """The same stream as ``__dlpack__`` wants it: 0 would be ambiguous there."""
    return stream or _LEGACY_HANDLE


def writer_of(interface: dict[str, Any] | None, stream: int) -> int | None:
    """The other stream that an array without DLPack says it is written on; nobody but us can order ours after it."""
    writer = None if interface is None else interface.get("stream")
    if writer is None or handle_of(writer) == stream:
        return None
    return handle_of(writer)


def current_streams(device: int) -> list[int]:
    """Those of the frameworks that are loaded and at work on devices, and the legacy default stream."""
    handles = {0}
    for framework in FRAMEWORKS.values():
        if framework.is_active():
            handles.add(framework.current_stream(device))
    return sorted(handles)


def current_device() -> int:
    """The device that a loaded framework works on, else the first one."""
    for framework in FRAMEWORKS.values():
        if framework.is_active():
            with contextlib.suppress(Exception):  # half-initialised frameworks answer with errors of their own
                return framework.current_device()
    return 0
