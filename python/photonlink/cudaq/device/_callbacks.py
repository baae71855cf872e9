"""Python functions that kernels call back."""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from photonlink.cudaq.device import _answers, _library
from photonlink.cudaq.device._declaration import DeviceFunction
from photonlink.errors import ProtocolError
from photonlink.realtime import Signature

__all__ = ["CALLBACK_DEVICE", "callback"]

CALLBACK_DEVICE = 0x70686C63  # "phlc": an id that nobody uses by accident

_numbers = itertools.count(1)
_offered: dict[int, tuple[Signature, Callable[..., Any]]] = {}
_opening = threading.Lock()


def callback(function: Callable[..., Any]) -> DeviceFunction:
    """Decorator: a Python function that kernels call while they run.

    Its annotations say what it takes and returns: ``bool``, ``int``, ``float``, numpy scalar types, and lists of them
    (no lists of 16- or 64-bit integers: CUDA-Q has none). It gets lists as numpy arrays. A list that comes back is
    annotated ``Annotated[int, "out f64[]"]``: the function gets its length and returns its elements.

    What it raises is raised by the launch of the kernel. It runs under the interpreter lock: a few microseconds a call.

    Raises:
        ProgramError: An annotation is missing, or cannot cross the link.

    Examples:
        >>> from photonlink.cudaq import device
        >>> @device.callback
        ... def vote(clicks: list[bool]) -> bool:
        ...     return sum(clicks) > len(clicks) / 2
        >>> vote([True, True, False])
        True
    """
    declared = Signature.of(function)
    # A name of its own for each: a function that is defined again must not answer for the old one.
    unique = replace(declared, name=f"{declared.name}.{next(_numbers)}")
    made = DeviceFunction(unique, CALLBACK_DEVICE, python=function)
    functools.update_wrapper(made, function, updated=())
    _offered[unique.function_id] = (unique, function)
    with _opening:
        if not _library.is_open(CALLBACK_DEVICE):
            _answers.open_answering(CALLBACK_DEVICE, _answer)
    return made


def _answer(function_id: int, payload: bytes, _expected: int) -> bytes:
    entry = _offered.get(function_id)
    if entry is None:
        raise ProtocolError(f"no callback has the id 0x{function_id:08x}")
    signature, function = entry
    arguments = signature.decode_arguments(payload)
    return signature.encode_results(function(*arguments), arguments)
