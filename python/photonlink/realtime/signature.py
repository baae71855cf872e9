"""What a function takes and returns, and the bytes that this makes: from a line of text or from annotations.

Nothing of this travels: caller and service must agree beforehand, and a signature is what they agree on.

Examples:
    >>> from photonlink.realtime import Signature
    >>> add = Signature.parse("addThem(i32 a, i32 b) -> i32")
    >>> add.encode_arguments(2, 40).hex(" ", 4)
    '02000000 28000000'
    >>> add.decode_results(add.encode_results(42))
    42
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

from photonlink import _checks
from photonlink.errors import ProgramError
from photonlink.realtime import encoding as codec
from photonlink.realtime.encoding import Encoding
from photonlink.realtime.frames import Request, function_id
from photonlink.realtime.status import HANDLER, StatusLayer
from photonlink.realtime.types import Item, Kind, parse_item

__all__ = ["Signature"]

_TEXT: Final = re.compile(r"\s*(?P<name>[^\s()]+)\s*\((?P<arguments>[^()]*)\)\s*(->\s*(?P<results>.+?))?\s*")

_DESCRIPTOR: Final = struct.Struct("<B3xII")
_SCHEMA_BYTES: Final = 148
_MAX_SCHEMA_ARGUMENTS, _MAX_SCHEMA_RESULTS = 8, 4
# Sequences that the CUDA-Q compiler lowers; it refuses those of i16 and i64.
_COMPILED_ELEMENTS: Final = ("i1", "i8", "u8", "i32", "u32", "f32", "f64")
_SCALAR_IDS: Final = {"u8": 0x10, "i32": 0x11, "i64": 0x12, "f32": 0x13, "f64": 0x14}
_ARRAY_IDS: Final = {"u8": 0x20, "i32": 0x21, "f32": 0x22, "f64": 0x23, "i1": 0x30}


@dataclass(frozen=True)
class Signature:
    """A function of the wire.

    Attributes:
        name: ASCII name; its hash is the function id.
        arguments: In order.
        results: In order; none for a function that returns nothing or fills an output vector.
        encoding: ``"B"``, what the CUDA-Q compiler emits, or ``"A"``, the protocol document's.
        statuses: Names of the positive status words of the service that answers.
    """

    name: str
    arguments: tuple[Item, ...] = ()
    results: tuple[Item, ...] = ()
    encoding: Encoding = "B"
    statuses: StatusLayer = field(default=HANDLER, compare=False)

    def __post_init__(self) -> None:
        function_id(self.name)
        _checks.one_of("encoding", self.encoding, ("A", "B"))
        for result in self.results:
            if result.kind is Kind.OUTPUT:
                raise ProgramError(f"{self.name}: an output vector stands among the arguments: got result {result}")
        (self._check_a if self.encoding == "A" else self._check_b)()

    @classmethod
    def parse(cls, text: str, *, encoding: Encoding = "B", statuses: StatusLayer = HANDLER) -> Signature:
        """The signature that `text` describes.

        Types are ``bool``, ``i8`` to ``i64``, ``u8`` to ``u64``, ``f32`` and ``f64``; ``f64[]`` is a sequence,
        ``bool[9]`` one of nine elements, ``out bool[]`` an output vector: the caller says how many elements it wants,
        and they are the response. Names of arguments are optional.

        Args:
            text: As in ``"name(type argument, ...) -> type"``.
            encoding: ``"B"``, what CUDA-Q's compiler emits, or ``"A"``, that of the protocol document.
            statuses: What positive statuses of this function mean.

        Raises:
            ProgramError: The text is no signature, or the encoding cannot carry it.

        Examples:
            >>> str(Signature.parse("get_corrections(i64 decoder, out bool[] corrections, u8 reset)"))
            'get_corrections(i64 decoder, out bool[] corrections, u8 reset)'
        """
        match = _TEXT.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise ProgramError(
                f"{_checks.shown(text)} is no signature: expected name(type, type) or name(type, type) -> type"
            )
        results = (match["results"] or "void").strip()
        if results.startswith("(") and results.endswith(")"):
            results = results[1:-1]
        return cls(
            match["name"], _items(match["arguments"]), () if results == "void" else _items(results), encoding, statuses
        )

    @classmethod
    def of(
        cls,
        function: str | Signature | Callable[..., Any],
        *,
        encoding: Encoding = "B",
        statuses: StatusLayer = HANDLER,
    ) -> Signature:
        """The signature of what is given: one, its text, or a Python function with annotations.

        ``int`` is i64, ``float`` f64, ``bool`` bool; ``np.int32`` and the like are what they say; ``list[bool]``,
        ``NDArray[np.float32]`` and ``bytes`` are sequences; ``Annotated[int, "out bool[]"]`` is whatever the text says.

        Raises:
            ProgramError: An annotation is missing or has no type on the wire.

        Examples:
            >>> import numpy as np
            >>> def scale(factor: float, values: list[float], rounds: np.int32) -> float: ...
            >>> str(Signature.of(scale))
            'scale(f64 factor, f64[] values, i32 rounds) -> f64'
        """
        if isinstance(function, Signature):
            return function
        if isinstance(function, str):
            return cls.parse(function, encoding=encoding, statuses=statuses)
        from photonlink.realtime.annotations import annotated_items

        arguments, results = annotated_items(function)
        return cls(function.__name__, arguments, results, encoding, statuses)

    @cached_property
    def function_id(self) -> int:
        """The id under which the function is called."""
        return function_id(self.name)

    @cached_property
    def output(self) -> int | None:
        """Index of the output vector among the arguments; None if there is none."""
        places = [index for index, item in enumerate(self.arguments) if item.kind is Kind.OUTPUT]
        return places[0] if places else None

    def encode_arguments(self, *arguments: Any) -> bytes:
        """The payload of a request; holes are zero.

        Raises:
            ProgramError: An argument does not fit its type.
        """
        return codec.pack(self.arguments, arguments, self.encoding, self.name)

    def decode_arguments(self, payload: bytes) -> tuple[Any, ...]:
        """The arguments in the payload of a request; of an output vector, how many elements are wanted.

        Raises:
            ProtocolError: The payload is not what the signature makes.
        """
        return codec.unpack(self.arguments, payload, self.encoding, self.text)

    def encode_results(self, value: Any, arguments: Sequence[Any] = ()) -> bytes:
        """The payload of a response.

        Args:
            value: What the function returned: None, a value, a tuple of several, or the elements of its output vector.
            arguments: Those of the request, which say how many elements an output vector has.

        Raises:
            ProgramError: The value is not what the signature promises.
        """
        items = self.returned(arguments)
        values = (value,) if len(items) == 1 else () if value is None else value
        if not isinstance(values, tuple) or len(values) != len(items):
            raise ProgramError(f"{self} returns {f'a tuple of {len(items)}' if items else 'nothing'}, got {value!r}")
        return codec.pack_results(items, values, self.name)

    def decode_results(self, payload: bytes, arguments: Sequence[Any] = ()) -> Any:
        """What the function returned: None, a value, or a tuple of several.

        Args:
            payload: Of a response.
            arguments: Those of the request, which say how many elements an output vector has.

        Raises:
            ProtocolError: The payload is not what the signature makes.
        """
        values = codec.unpack_results(self.returned(arguments), payload, self.text)
        return values[0] if len(values) == 1 else values or None

    def returned(self, arguments: Sequence[Any] = ()) -> tuple[Item, ...]:
        """What a response to `arguments` carries: the results, or the elements of the output vector."""
        if self.output is None:
            return self.results
        item = self.arguments[self.output]
        count = arguments[self.output] if arguments else item.count
        return (replace(item, kind=Kind.SEQUENCE, count=count),)

    def request(self, *arguments: Any, request_id: int = 1, ptp_timestamp: int = 0) -> Request:
        """A request for this function.

        Args:
            *arguments: One value for each argument of the signature; for an output vector, the number of its elements.
            request_id: 32 bits, by which the caller knows the answer.
            ptp_timestamp: Nanoseconds of the caller's clock, which the answer repeats; 0 for none.

        Raises:
            ProgramError: An argument does not fit its type.
        """
        return Request(self.function_id, request_id, self.encode_arguments(*arguments), ptp_timestamp)

    def schema(self) -> bytes:
        """The handler schema that a CUDA-Q realtime function table holds beside the function, 148 bytes.

        It has 8 arguments and 4 results at most, of fixed sizes; so only encoding A has one.

        Raises:
            ProgramError: The signature is in encoding B, or a sequence in it has no fixed length.
        """
        if self.encoding != "A":
            raise ProgramError(f"{self} is in encoding B, which no schema describes: only encoding A has one")
        descriptors = [_descriptor(item, self) for item in self.arguments]
        descriptors += [bytes(_DESCRIPTOR.size)] * (_MAX_SCHEMA_ARGUMENTS - len(self.arguments))
        descriptors += [_descriptor(item, self) for item in self.results]
        counts = struct.pack("<BBH", len(self.arguments), len(self.results), 0)
        return (counts + b"".join(descriptors)).ljust(_SCHEMA_BYTES, b"\0")

    @cached_property
    def text(self) -> str:
        """The signature as text."""
        text = f"{self.name}({', '.join(map(str, self.arguments))})"
        if not self.results:
            return text
        results = ", ".join(map(str, self.results))
        return f"{text} -> {results if len(self.results) == 1 else f'({results})'}"

    def __str__(self) -> str:
        return self.text

    def _check_a(self) -> None:
        for items, most, what in (
            (self.arguments, _MAX_SCHEMA_ARGUMENTS, "arguments"),
            (self.results, _MAX_SCHEMA_RESULTS, "results"),
        ):
            if len(items) > most:
                raise ProgramError(f"{self.name} has {len(items)} {what}; a schema of encoding A holds {most} at most")
            for index, item in enumerate(items):
                ids = _SCALAR_IDS if item.kind is Kind.SCALAR else _ARRAY_IDS
                if item.kind is Kind.OUTPUT or item.element.name not in ids:
                    raise ProgramError(
                        f"{self.name}: encoding A has no {item.type}: use u8, i32, i64, f32, f64, or arrays of u8, "
                        "i32, f32, f64, bool with their length, as in f32[4]"
                    )
                open_end = item.kind is Kind.SEQUENCE and item.count is None
                if open_end and (item.element.packed or index + 1 < len(items)):
                    raise ProgramError(
                        f"{self.name}: {item.type} has no length, which encoding A does not send: write it, as in "
                        f"{item.type[:-1]}8], or put the sequence last (bool always needs it)"
                    )

    def _check_b(self) -> None:
        outputs = sum(item.kind is Kind.OUTPUT for item in self.arguments)
        if outputs > 1 or len(self.results) + outputs > 1:
            raise ProgramError(
                f"{self.name}: encoding B has one result or one output vector, got {len(self.results)} and {outputs}"
            )
        for item in self.arguments:
            if item.kind is not Kind.SCALAR and item.element.name not in _COMPILED_ELEMENTS:
                raise ProgramError(
                    f"{self.name}: the CUDA-Q compiler has no sequences of {item.element.name}: use i32[] or f64[]"
                    " (in annotations list[np.int32] or list[float])"
                )
        for item in self.results:
            if item.kind is Kind.SEQUENCE and item.element.packed and item.count is None:
                raise ProgramError(
                    f"{self.name}: the length of {item.type} cannot be told from its bytes: write bool[8]"
                )


def _items(text: str) -> tuple[Item, ...]:
    return tuple(parse_item(part) for part in text.split(",")) if text.strip() else ()


def _descriptor(item: Item, signature: Signature) -> bytes:
    if item.kind is Kind.SCALAR:
        return _DESCRIPTOR.pack(_SCALAR_IDS[item.element.name], item.element.size, 1)
    if item.count is None:
        raise ProgramError(f"{signature}: a schema needs the length of {item.type}")
    return _DESCRIPTOR.pack(_ARRAY_IDS[item.element.name], item.element.bytes_of(item.count), item.count)
