"""Checks of single values that callers pass; every refusal says what was received and what was expected.

They stand where Python ends: behind them a wrong type would end as an error of NumPy or of the native core's bindings,
and a number might lose what makes it wrong (an imaginary part, a fraction, its upper bits) without a word.
"""

from __future__ import annotations

import math
import numbers
import operator
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from photonlink.errors import ProgramError

__all__ = [
    "array",
    "boolean",
    "instance",
    "integer",
    "listed",
    "modes_of",
    "names",
    "number",
    "octets",
    "one_of",
    "path",
    "seconds",
    "shown",
]

_MAX_MODES = 4096  # one matrix of so many fills the 256 MiB that a program may be stored in
_LONGEST = 120  # characters of a value in a message

# Kinds of NumPy dtypes whose values a wanted kind holds, and what to call them.
_HELD_BY = {"u": "iu", "f": "biuf", "c": "biufc"}
_CALLED = {"f": "real numbers", "c": "real or complex numbers"}
_ABSTRACT: dict[str, Any] = {"u": numbers.Integral, "f": numbers.Real, "c": numbers.Complex}


def shown(value: Any) -> str:
    """`value` for a message, whatever it is: short, and never an error of its own."""
    try:
        text = repr(value)
    except Exception:  # of the caller's class; an integer may also have too many digits for text
        text = f"a {type(value).__name__}"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def integer(name: str, value: Any, least: int, most: int | None) -> int:
    """`value` as an integer within its limits (None for no upper one), or ProgramError."""
    try:
        number = least - 1 if isinstance(value, bool | np.bool_) else operator.index(value)
    except TypeError:
        number = least - 1
    if number < least or (most is not None and number > most):
        limits = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise ProgramError(f"{name} is {shown(value)}, expected an integer {limits}")
    return number


def modes_of(value: Any) -> int:
    """`value` as a number of modes, or ProgramError."""
    return integer("modes", value, 1, _MAX_MODES)


def number(name: str, value: Any, least: float, expected: str) -> float:
    """`value` as a finite number of at least `least`, or ProgramError."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    try:
        result = float(value) if real else math.nan
    except OverflowError:  # an integer beyond any float
        result = math.nan
    if not least <= result < math.inf:
        raise ProgramError(f"{name} is {shown(value)}, expected {expected}")
    return result


def seconds(name: str, value: Any) -> float:
    """`value` as a positive number of seconds, 0 for None, or ProgramError."""
    if value is None:
        return 0.0
    expected = "a positive number of seconds, or None"
    result = number(name, value, 0.0, expected)
    if result == 0.0:
        raise ProgramError(f"{name} is {shown(value)}, expected {expected}")
    return result


def boolean(name: str, value: Any) -> bool:
    """`value` if it is True or False, or ProgramError."""
    if not isinstance(value, bool | np.bool_):
        raise ProgramError(f"{name} is {shown(value)}, expected True or False")
    return bool(value)


def one_of(name: str, value: Any, choices: Sequence[str]) -> str:
    """`value` if it is one of these words, or ProgramError."""
    if not isinstance(value, str) or value not in choices:
        raise ProgramError(f"{name} is {shown(value)}, expected one of {', '.join(map(repr, choices))}")
    return str(value)


def path(name: str, value: Any) -> Path:
    """`value` as a path that the file system can be asked for, or ProgramError."""
    try:
        usable = b"\0" not in os.fsencode(value)
    except (TypeError, ValueError):  # neither text nor path, or text that no file name can hold
        usable = False
    if not usable:
        raise ProgramError(f"{name} is {shown(value)}, expected the path of a file, as text or pathlib.Path")
    return Path(os.fsdecode(value))


def instance(name: str, value: Any, kind: type[Any] | tuple[type[Any], ...], expected: str) -> None:
    """ProgramError unless `value` is one of these types."""
    if not isinstance(value, kind):
        raise ProgramError(f"{name} is {shown(value)}, expected {expected}")


def octets(name: str, value: Any) -> bytes:
    """`value` as bytes, or ProgramError."""
    instance(name, value, (bytes, bytearray, memoryview), "bytes")
    return bytes(value)


def listed(name: str, values: Any, expected: str) -> list[Any]:
    """The elements of a sequence, or ProgramError; text is no sequence, nor is what has no order."""
    if isinstance(values, str | bytes | set | frozenset | dict) or not isinstance(values, Iterable):
        raise ProgramError(f"{name} is {shown(values)}, expected {expected}")
    try:
        return list(values)
    except TypeError:  # an array without dimensions says that it is iterable
        raise ProgramError(f"{name} is {shown(values)}, expected {expected}") from None


def names(name: str, values: Any, expected: str = "a list of names") -> tuple[str, ...]:
    """Names as a tuple, or ProgramError."""
    entries = listed(name, values, expected)
    for entry in entries:
        if not isinstance(entry, str):
            raise ProgramError(f"{name} has the entry {shown(entry)}, expected {expected}")
    return tuple(str(entry) for entry in entries)


def array(name: str, values: Any, dtype: DTypeLike) -> NDArray[Any]:
    """`values` as an array of `dtype` (unsigned, real or complex), or ProgramError.

    No imaginary part, fraction or upper bit gets lost; real numbers are rounded to the type. Nothing is copied that has
    the type already.
    """
    wanted = np.dtype(dtype)
    if np.ma.is_masked(values):
        raise ProgramError(f"{name} has masked entries, expected {_expected(wanted)} throughout: fill or drop them")
    try:
        given = np.asarray(values)
        for entry in _strays(given, wanted).tolist():
            got = f"{shown(entry)} (of dtype {given.dtype} and shape {given.shape})"
            raise ProgramError(f"{name} holds {got}, expected {_expected(wanted)}")
        return given.astype(wanted, copy=False) if given.size else np.empty(given.shape, wanted)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        if isinstance(error, ProgramError):
            raise
        raise ProgramError(
            f"{name} is a {type(values).__name__} that cannot be read as an array of numbers ({error}): expected "
            f"{_expected(wanted)}, in rows of one length"
        ) from None


def _strays(given: NDArray[Any], wanted: np.dtype[Any]) -> NDArray[Any]:
    """The entries that do not fit the type."""
    if given.size and given.dtype.kind == "O":  # integers of more than 64 bits, fractions
        fits = [isinstance(entry, _ABSTRACT[wanted.kind]) and not isinstance(entry, bool) for entry in given.flat]
        if not all(fits):
            return given.ravel()[np.logical_not(fits)]
    elif given.size and given.dtype.kind not in _HELD_BY[wanted.kind]:
        return given.ravel()
    if given.size == 0 or wanted.kind != "u":
        return given.ravel()[:0]
    strays: NDArray[Any] = given[(given < 0) | (given > np.iinfo(wanted).max)]
    return strays


def _expected(wanted: np.dtype[Any]) -> str:
    return _CALLED[wanted.kind] if wanted.kind != "u" else f"integers from 0 to {np.iinfo(wanted).max}"
