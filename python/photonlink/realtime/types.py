"""Types of arguments and results, and their names in signature text."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from photonlink.errors import ProgramError

__all__ = ["SCALARS", "Item", "Kind", "ScalarType", "parse_item", "scalar_of"]


@dataclass(frozen=True)
class ScalarType:
    """A number of the wire.

    Attributes:
        name: Its name in signature text.
        code: Its format for the struct module.
        size: Bytes, and alignment in encoding B.
    """

    name: str
    code: str
    size: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """The numpy type of its values; ``bool`` for i1."""
        return np.dtype(np.bool_ if self.name == "i1" else f"<{self.name[0]}{self.size}")

    @property
    def packed(self) -> bool:
        """Whether sequences hold eight of it in a byte."""
        return self.name == "i1"

    def bytes_of(self, count: int) -> int:
        """Bytes of `count` elements in a sequence."""
        return (count + 7) // 8 if self.packed else count * self.size


SCALARS: Final = {
    name: ScalarType(name, code, size)
    for name, code, size in (
        ("i1", "B", 1),
        ("i8", "b", 1),
        ("u8", "B", 1),
        ("i16", "h", 2),
        ("u16", "H", 2),
        ("i32", "i", 4),
        ("u32", "I", 4),
        ("i64", "q", 8),
        ("u64", "Q", 8),
        ("f32", "f", 4),
        ("f64", "d", 8),
    )
}
_ALIASES: Final = {"bool": "i1", "float": "f32", "double": "f64"}
_ITEM: Final = re.compile(r"(?P<out>out\s+)?(?P<type>\w+)\s*(?P<array>\[\s*(?P<count>\d*)\s*\])?(\s+(?P<name>\w+))?")


class Kind(enum.Enum):
    """What an item is on the wire."""

    SCALAR = "scalar"
    SEQUENCE = "sequence"
    OUTPUT = "output"


@dataclass(frozen=True)
class Item:
    """An argument or a result.

    Attributes:
        element: The number, or what the sequence is of.
        kind: A scalar, a sequence, or an output vector, of which the request carries only the number of elements.
        count: Elements of a sequence whose length is fixed; None if each message says.
        name: For people.
    """

    element: ScalarType
    kind: Kind = Kind.SCALAR
    count: int | None = None
    name: str = ""

    @cached_property
    def type(self) -> str:
        """The type in signature text."""
        element = "bool" if self.element.packed else self.element.name
        if self.kind is Kind.SCALAR:
            return element
        count = "" if self.count is None else str(self.count)
        return f"{'out ' if self.kind is Kind.OUTPUT else ''}{element}[{count}]"

    @cached_property
    def text(self) -> str:
        """Type and name, as in signature text."""
        return f"{self.type} {self.name}".strip()

    def __str__(self) -> str:
        return self.text


def scalar_of(name: str) -> ScalarType | None:
    """The number that signature text calls `name`."""
    return SCALARS.get(_ALIASES.get(name, name))


def parse_item(text: str) -> Item:
    """The argument or result that `text` describes: ``i32``, ``f64[] phases``, ``bool[9]``, ``out bool[] corrections``.

    Raises:
        ProgramError: The text is no type.
    """
    match = _ITEM.fullmatch(text.strip())
    element = scalar_of(match["type"]) if match else None
    if match is None or element is None:
        raise ProgramError(
            f"{text.strip()!r} is no type: expected one of bool, {', '.join(list(SCALARS)[1:])}, with [] or [COUNT] "
            "behind it for a sequence and 'out' before it for an output vector, then perhaps a name"
        )
    if match["out"] and not match["array"]:
        raise ProgramError(f"{text.strip()!r}: an output is a vector: write out {match['type']}[]")
    kind = Kind.OUTPUT if match["out"] else Kind.SEQUENCE if match["array"] else Kind.SCALAR
    count = int(match["count"]) if match["count"] else None
    return Item(element, kind, count, match["name"] or "")
