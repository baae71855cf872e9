"""Devices that are answered in Python: callbacks, and clients of other services.

What such a function raises cannot pass through compiled code. It is kept here, and raised again where the kernel was
launched.
"""

from __future__ import annotations

import ctypes
import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from photonlink.cudaq.device import _library
from photonlink.cudaq.device._library import Call, DropFunction, Link, Status
from photonlink.errors import LinkTimeout

__all__ = ["open_answering", "take_raised"]

Answer = Callable[[int, bytes, int], bytes]
"""Takes function id, payload and the expected length of the result; returns the result."""

_MOST_KEPT = 64

_numbers = itertools.count(1)
_alive: dict[int, Any] = {}  # what compiled code may still call, by the context of its link
_raised: OrderedDict[int, BaseException] = OrderedDict()
_lock = threading.Lock()


def open_answering(device: int, answer: Answer) -> None:
    """Let `answer` answer the calls of `device`.

    Raises:
        ProgramError: The device is open already.
    """
    context = next(_numbers)
    _alive[context] = _library.answering(lambda call: _guarded(answer, call))
    link = Link(_library.ABI, context, _alive[context], _drop)
    try:
        _library.open_device(device, link)
    except BaseException:
        del _alive[context]
        raise


def take_raised(number: int) -> BaseException | None:
    """What the failed call with this number raised, once."""
    with _lock:
        return _raised.pop(number, None)


def _forget(context: int) -> None:
    _alive.pop(context, None)


_drop = DropFunction(_forget)


def _guarded(answer: Answer, call: Any) -> int:
    try:
        return _answered(answer, call)
    except BaseException as error:
        call.request_id = _keep(error)
        call.cause = f"{type(error).__name__}: {error}".encode("ascii", "replace")[:190]
        return Status.TIMEOUT if isinstance(error, LinkTimeout) else Status.REMOTE_ERROR


def _answered(answer: Answer, call: Call) -> int:
    payload = ctypes.string_at(call.request, call.request_bytes)
    result = answer(call.function_id, payload, call.response_bytes)
    if len(result) == call.response_bytes and result:
        ctypes.memmove(call.response, result, len(result))
    call.response_bytes = len(result)  # the library refuses any other length
    return _library.OK


def _keep(error: BaseException) -> int:
    number = next(_numbers)
    with _lock:
        _raised[number] = error
        while len(_raised) > _MOST_KEPT:
            _raised.popitem(last=False)
    return number
