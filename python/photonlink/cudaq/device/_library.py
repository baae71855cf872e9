"""``libphotonlink_device_call.so`` through ctypes: the three symbols that kernels call, and its table of devices.

The structures are those of ``photonlink/device_call/device_call.h``.
"""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from photonlink import _core
from photonlink.errors import ProgramError, TargetUnavailable, Unavailable

__all__ = [
    "ABI",
    "OK",
    "Call",
    "DropFunction",
    "Error",
    "Link",
    "Status",
    "answering",
    "check_opened",
    "close_device",
    "failures",
    "is_open",
    "latest_error",
    "load",
    "load_symbols",
    "open_device",
    "open_function",
    "open_udp",
    "path",
    "require",
]

_CAUSE_BYTES = 200

OK = 0
ABI: int = _core.DEVICE_CALL_ABI


class Status:
    """``photonlink_device_status``, the numbers of CUDA-Q's own runtime."""

    INVALID_ARGUMENT = 1
    NOT_INITIALIZED = 2
    TIMEOUT = 4
    RESPONSE_TOO_LARGE = 5
    REMOTE_ERROR = 6


class Call(ctypes.Structure):
    """``photonlink_device_call``."""

    _fields_ = (
        ("function_id", ctypes.c_uint32),
        ("device", ctypes.c_uint32),
        ("request", ctypes.c_void_p),
        ("request_bytes", ctypes.c_uint64),
        ("response", ctypes.c_void_p),
        ("response_bytes", ctypes.c_uint64),
        ("call_status", ctypes.c_uint32),
        ("remote_status", ctypes.c_int32),
        ("request_id", ctypes.c_uint32),
        ("close_reason", ctypes.c_uint64),
        ("cause", ctypes.c_char * _CAUSE_BYTES),
    )


AnswerFunction = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.POINTER(Call))
DropFunction = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class Link(ctypes.Structure):
    """``photonlink_device_link``."""

    _fields_ = (
        ("abi", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("call", AnswerFunction),
        ("drop", DropFunction),
    )


class Error(ctypes.Structure):
    """``photonlink_device_error``."""

    _fields_ = (
        ("sequence", ctypes.c_uint64),
        ("device", ctypes.c_uint32),
        ("function_id", ctypes.c_uint32),
        ("status", ctypes.c_int32),
        ("call_status", ctypes.c_uint32),
        ("remote_status", ctypes.c_int32),
        ("request_id", ctypes.c_uint32),
        ("close_reason", ctypes.c_uint64),
        ("elapsed_ns", ctypes.c_uint64),
        ("cause", ctypes.c_char * _CAUSE_BYTES),
    )


def path() -> Path:
    """Where the library lies."""
    return Path(_core.__file__).resolve().parent / "_lib" / "libphotonlink_device_call.so"


def load_symbols(file: Path) -> None:
    """Make the symbols of a library visible to compiled kernels.

    Raises:
        ProgramError: It cannot be loaded.
    """
    try:
        ctypes.CDLL(str(file), mode=os.RTLD_NOW | os.RTLD_GLOBAL)
    except OSError as error:
        raise ProgramError(f"the library {str(file)!r} cannot be loaded: {error}") from None


@functools.cache
def load() -> ctypes.CDLL:
    """The library, its symbols visible to code that CUDA-Q compiles from now on.

    Raises:
        TargetUnavailable: It was not built, or another library has defined the symbols before it.
    """
    file = path()
    if not file.exists():
        raise TargetUnavailable(
            f"{file.name} is not beside the package: install photonlink again", reason=Unavailable.NOT_BUILT
        )
    library = ctypes.CDLL(str(file), mode=os.RTLD_NOW | os.RTLD_GLOBAL)
    library.photonlink_device_shadowed_by.restype = ctypes.c_char_p
    library.photonlink_device_last_error.argtypes = [ctypes.POINTER(Error)]
    library.photonlink_device_latest_error.argtypes = [ctypes.POINTER(Error)]
    library.photonlink_device_open.argtypes = [ctypes.c_uint32, ctypes.POINTER(Link)]
    library.photonlink_device_open_udp.argtypes = [
        ctypes.c_uint32,
        ctypes.c_char_p,
        ctypes.c_uint16,
        ctypes.c_uint32,
        ctypes.c_uint64,
    ]
    library.photonlink_device_close.argtypes = [ctypes.c_uint32]
    library.photonlink_device_is_open.argtypes = [ctypes.c_uint32]
    shadow = library.photonlink_device_shadowed_by()
    if shadow is not None:
        raise TargetUnavailable(
            f"kernels would call {shadow.decode()} instead of photonlink, because it was loaded first: import "
            "photonlink.cudaq.device before it, or do without it in this process",
            reason=Unavailable.UNSUPPORTED,
        )
    return library


def open_device(device: int, link: Link) -> None:
    """Let calls to `device` go to `link`.

    Raises:
        ProgramError: The device is open already.
    """
    check_opened(device, load().photonlink_device_open(device, ctypes.byref(link)))


def open_udp(device: int, host: str, port: int, slot_bytes: int, seconds: float) -> None:
    """Let calls to `device` go to a CUDA-Q realtime service.

    Raises:
        ProgramError: The host is unknown, no slot has that size, or the device is open already.
    """
    status = load().photonlink_device_open_udp(device, host.encode(), port, slot_bytes, int(seconds * 1e9))
    if status != OK and not is_open(device):
        raise ProgramError(
            f"no link to {host}:{port} in slots of {slot_bytes!r} bytes: is the host known, and the size 24 to 65507?"
        )
    check_opened(device, status)


def open_function() -> int:
    """Address of ``photonlink_device_open``."""
    address = ctypes.cast(load().photonlink_device_open, ctypes.c_void_p).value
    assert address is not None
    return address


def check_opened(device: int, status: int) -> None:
    """Raise what a failed opening means."""
    if status != OK:
        raise ProgramError(
            f"device {device} is open already: close what is attached to it, or attach to another device="
        )


def close_device(device: int) -> None:
    """Take a device away; closing it again does nothing."""
    load().photonlink_device_close(device)


def is_open(device: int) -> bool:
    """Whether calls to `device` go anywhere."""
    return bool(load().photonlink_device_is_open(device))


def latest_error(since: int = 0) -> Error | None:
    """The newest failure after number `since`: this thread's if there is one, else any thread's."""
    library = load()
    for look in (library.photonlink_device_last_error, library.photonlink_device_latest_error):
        error = Error()
        look(ctypes.byref(error))
        if error.sequence > since:
            return error
    return None


def failures() -> int:
    """How many calls have failed in this process."""
    error = Error()
    load().photonlink_device_latest_error(ctypes.byref(error))
    return int(error.sequence)


def require(symbol: str) -> None:
    """Raise unless compiled kernels can find `symbol`: CUDA-Q's compiler would abort the process.

    Raises:
        ProgramError: No library of this process defines it.
    """
    try:
        getattr(ctypes.CDLL(None), symbol)
    except AttributeError:
        raise ProgramError(
            f"no loaded library defines the symbol {symbol!r}: name its library, native(library=...)"
        ) from None


def answering(answer: Callable[[Any], int]) -> Any:
    """A function of this process as the ``call`` of a link. `answer` takes a :class:`Call` and must not raise."""
    return AnswerFunction(lambda _context, call: answer(call.contents))
