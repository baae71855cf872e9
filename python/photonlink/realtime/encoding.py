"""Payloads: values to bytes and back, in the two encodings that CUDA-Q realtime knows.

Encoding B is what the CUDA-Q compiler emits: scalars lie aligned to their size, a sequence is an 8-aligned u64 element
count and then its elements, an output vector is its element count alone. Encoding A is the protocol document's:
arguments end to end, with sizes from the schema. Booleans in sequences are packed, least significant bit first.
Results are laid out alike in both: end to end, sizes known from the signature or from the length of the response.
"""

from __future__ import annotations

import contextlib
import operator
import struct
from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from photonlink import _checks
from photonlink.errors import ProgramError, ProtocolError
from photonlink.realtime.types import Item, Kind, ScalarType

__all__ = ["Encoding", "pack", "pack_results", "result_bytes", "unpack", "unpack_results"]

Encoding = Literal["A", "B"]

_COUNT: Final = struct.Struct("<Q")


def pack(items: Sequence[Item], values: Sequence[Any], encoding: Encoding, where: str) -> bytes:
    """The payload of a request.

    Args:
        items: The arguments.
        values: Their values; for an output vector the number of elements that is wanted.
        encoding: ``"A"`` or ``"B"``.
        where: What the arguments belong to, for error texts.

    Raises:
        ProgramError: A value does not fit its type.
    """
    if len(items) != len(values):
        raise ProgramError(f"{where} takes {len(items)} arguments, got {len(values)}")
    return _packed(items, values, encoding, "argument", where)


def pack_results(items: Sequence[Item], values: Sequence[Any], where: str) -> bytes:
    """The payload of a response.

    Raises:
        ProgramError: A value does not fit its type.
    """
    return _packed(items, values, "A", "result", where)


def unpack(items: Sequence[Item], payload: bytes, encoding: Encoding, where: str) -> tuple[Any, ...]:
    """The values of a request's payload: int, float, bool, and arrays; of an output vector its element count.

    Raises:
        ProtocolError: The payload is not what the arguments make.
    """
    return _unpacked(items, payload, encoding, "argument", where)


def unpack_results(items: Sequence[Item], payload: bytes, where: str) -> tuple[Any, ...]:
    """The values of a response's payload.

    Raises:
        ProtocolError: The payload is not what the results make.
    """
    return _unpacked(items, payload, "A", "result", where)


def result_bytes(items: Sequence[Item]) -> int | None:
    """Size of the payload of a response; None if each response says."""
    total = 0
    for item in items:
        if item.kind is Kind.SCALAR:
            total += item.element.size
        elif item.count is None:
            return None
        else:
            total += item.element.bytes_of(item.count)
    return total


def _packed(items: Sequence[Item], values: Sequence[Any], encoding: Encoding, kind: str, where: str) -> bytes:
    payload = bytearray()
    for index, (item, value) in enumerate(zip(items, values, strict=True)):
        _append(payload, item, value, encoding, f"{kind} {index} ({item}) of {where}")
    return bytes(payload)


def _unpacked(items: Sequence[Item], payload: bytes, encoding: Encoding, kind: str, where: str) -> tuple[Any, ...]:
    reader = _Reader(_checks.octets("payload", payload), encoding, where)
    values = tuple(reader.item(item, f"{kind} {index} ({item})") for index, item in enumerate(items))
    reader.end()
    return values


def _append(payload: bytearray, item: Item, value: Any, encoding: Encoding, where: str) -> None:
    if item.kind is Kind.SCALAR:
        if encoding == "B":
            _align(payload, item.element.size)
        payload += _scalar(item.element, value, where)
        return
    array = None if item.kind is Kind.OUTPUT else _array(item.element, value, where)
    length = _count(value, where) if array is None else array.size
    if item.count not in (None, length):
        raise ProgramError(f"{where} has {length} elements, expected {item.count}")
    if encoding == "B":
        _align(payload, _COUNT.size)
        payload += _COUNT.pack(length)
    if array is not None:
        payload += (np.packbits(array, bitorder="little") if item.element.packed else array).tobytes()


def _align(payload: bytearray, size: int) -> None:
    payload += bytes(-len(payload) % size)


def _count(value: Any, where: str) -> int:
    try:
        count = operator.index(value)
    except TypeError:
        count = -1
    if isinstance(value, bool) or not 0 <= count < 2**64:
        raise ProgramError(f"{where} is {value!r}, expected how many elements the response shall have")
    return count


def _scalar(element: ScalarType, value: Any, where: str) -> bytes:
    if element.packed:
        if not isinstance(value, (bool, np.bool_)):
            raise ProgramError(f"{where} is {value!r}, expected True or False")
        return bytes([bool(value)])
    # True is an integer to struct, and hardly what somebody meant.
    if not isinstance(value, (bool, np.bool_)):
        with contextlib.suppress(struct.error, TypeError, OverflowError):
            return struct.pack(f"<{element.code}", value)
    raise ProgramError(f"{where} is {value!r}, expected {_range(element)}")


def _range(element: ScalarType) -> str:
    if element.dtype.kind == "f":
        return f"a number within the range of {element.name}"
    limits = np.iinfo(element.dtype)
    return f"an integer from {limits.min} to {limits.max}"


def _array(element: ScalarType, value: Any, where: str) -> NDArray[Any]:
    """`value` as a vector of `element`, every entry equal to what was given (rounded, for float)."""
    if isinstance(value, (bytes, bytearray, memoryview)) and element.size == 1:
        value = np.frombuffer(value, np.uint8)
    try:
        given = np.asarray(value)
    except ValueError:  # rows of different lengths
        given = np.empty((0, 0))
    if given.ndim != 1:
        raise ProgramError(f"{where} has shape {given.shape}, expected one dimension")
    if given.size == 0:
        return np.empty(0, element.dtype)
    kinds = {"b": "b", "f": "iuf"}.get(element.dtype.kind, "iu")
    if given.dtype.kind not in kinds:
        raise ProgramError(f"{where} has elements of {given.dtype}, expected {element.dtype.name}")
    with np.errstate(over="ignore"):
        array = given.astype(element.dtype)
    if element.dtype.kind != "b" and not _survived(given, array):
        raise ProgramError(f"{where} has an element beyond {element.dtype.name}: expected {_range(element)} each")
    return array


def _survived(given: NDArray[Any], array: NDArray[Any]) -> bool:
    if array.dtype.kind == "f":
        return bool(np.array_equal(np.isinf(array), np.isinf(given)))
    limits = np.iinfo(array.dtype)
    return int(given.min()) >= limits.min and int(given.max()) <= limits.max


class _Reader:
    """Reads a payload from front to back and never looks behind its end."""

    def __init__(self, payload: bytes, encoding: Encoding, where: str) -> None:
        self._payload = payload
        self._aligned = encoding == "B"
        self._where = where
        self._end = 0

    def item(self, item: Item, label: str) -> Any:
        if item.kind is Kind.SCALAR:
            return self._scalar(item.element, label)
        count = self._length(item, label)
        if item.count not in (None, count):
            self._refuse(f"{label} has {count} elements")
        if item.kind is Kind.OUTPUT:
            return count
        data = self._take(item.element.bytes_of(count), 1, label)
        if item.element.packed:
            return np.unpackbits(np.frombuffer(data, np.uint8), count=count, bitorder="little").astype(np.bool_)
        return np.frombuffer(data, item.element.dtype).astype(item.element.dtype.newbyteorder("="))

    def end(self) -> None:
        left = len(self._payload) - self._end
        if left:
            self._refuse(f"{left} bytes are left over behind the last item")

    def _length(self, item: Item, label: str) -> int:
        if self._aligned:
            return int(_COUNT.unpack(self._take(_COUNT.size, _COUNT.size, label))[0])
        if item.count is not None:
            return item.count
        left = len(self._payload) - self._end
        if left % item.element.size:
            self._refuse(f"{left} bytes are no whole number of elements for {label}")
        return left // item.element.size

    def _scalar(self, element: ScalarType, label: str) -> Any:
        data = self._take(element.size, element.size if self._aligned else 1, label)
        (value,) = struct.unpack(f"<{element.code}", data)
        if not element.packed:
            return value
        if value > 1:
            self._refuse(f"{label} is the byte {value}, expected 0 or 1")
        return bool(value)

    def _take(self, size: int, align: int, label: str) -> bytes:
        start = self._end + -self._end % align
        if start + size > len(self._payload):
            self._refuse(f"{label} needs {size} bytes at offset {start}")
        self._end = start + size
        return self._payload[start : self._end]

    def _refuse(self, what: str) -> None:
        raise ProtocolError(
            f"a payload of {len(self._payload)} bytes does not match {self._where}: {what}; caller and service must "
            "use the same signature and encoding"
        )
