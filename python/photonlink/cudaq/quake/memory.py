"""Values that a kernel keeps in structures and lists: what the compiler leaves of tuples and data classes.

Straight-line code needs no more than one pass: a load sees the store before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["NAMES", "evaluate"]

_DYNAMIC = -(2**31)  # in place of an index that is an operand


@dataclass(frozen=True, slots=True, eq=False)
class _Address:
    cells: dict[int, Any]
    at: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class _Span:
    start: _Address
    length: Any


def _insert(view: Any, structure: Any, value: Any) -> Any:
    (position,) = view.operation.attributes["position"]
    return {**structure, position: value} if isinstance(structure, dict) else None


def _index(view: Any, dynamic: tuple[Any, ...]) -> Any:
    """The one index of an access, or None if it is not known or there are several."""
    indices = list(view.operation.attributes["rawConstantIndices"])
    if len(indices) != 1:
        return None
    return dynamic[0] if indices[0] == _DYNAMIC else indices[0]


def _extract(view: Any, structure: Any, *dynamic: Any) -> Any:
    return structure.get(_index(view, dynamic)) if isinstance(structure, dict) else None


def _element(view: Any, base: Any, *dynamic: Any) -> Any:
    index = _index(view, dynamic)
    return _Address(base.cells, base.at + index) if isinstance(base, _Address) and index is not None else None


def _store(_view: Any, value: Any, place: Any) -> None:
    if isinstance(place, _Address):
        place.cells[place.at] = value


def _load(_view: Any, place: Any) -> Any:
    return place.cells.get(place.at) if isinstance(place, _Address) else None


_MEANINGS: Mapping[str, Callable[..., Any]] = {
    "cc.undef": lambda _view: {},
    "cc.alloca": lambda _view, *_size: _Address({}),
    "cc.insert_value": _insert,
    "cc.extract_value": _extract,
    "cc.compute_ptr": _element,
    "cc.store": _store,
    "cc.load": _load,
    "cc.sequence_init": lambda _view, start, *length: _Span(start, length[0] if length else None),
    "cc.sequence_data": lambda _view, span: span.start if isinstance(span, _Span) else None,
    "cc.sequence_size": lambda _view, span: span.length if isinstance(span, _Span) else None,
}

NAMES = frozenset(_MEANINGS)


def evaluate(view: Any, values: Mapping[Any, Any]) -> Any:
    """Value of one of the operations :data:`NAMES`, or None where it is not known.

    Args:
        view: The MLIR operation.
        values: Of what came before it.
    """
    operation = view.operation
    return _MEANINGS[str(operation.name)](view, *(values.get(operand) for operand in operation.operands))
