"""Values of operations that the compiler leaves between constants and their use."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from photonlink.errors import ProgramError

__all__ = ["fold", "is_foldable"]

_UNARY: Mapping[str, Callable[[Any], Any]] = {
    "arith.negf": operator.neg,
    "arith.sitofp": float,
    "arith.uitofp": float,
    "arith.fptosi": int,
    "arith.extf": float,
    "arith.extsi": int,
    "arith.extui": int,
    "arith.trunci": int,
    "arith.index_cast": int,
    "cc.cast": lambda value: value,  # between numbers; the use decides what it is
    "math.sqrt": math.sqrt,
    "math.sin": math.sin,
    "math.cos": math.cos,
    "math.exp": math.exp,
    "math.absf": abs,
}
_BINARY: Mapping[str, Callable[[Any, Any], Any]] = {
    "arith.addf": operator.add,
    "arith.subf": operator.sub,
    "arith.mulf": operator.mul,
    "arith.divf": operator.truediv,
    "arith.remf": math.fmod,
    "arith.addi": operator.add,
    "arith.subi": operator.sub,
    "arith.muli": operator.mul,
    "math.fpowi": operator.pow,
    "math.powf": operator.pow,
    "math.ipowi": operator.pow,
}


def is_foldable(name: str) -> bool:
    """Whether the operation called `name` may have a value."""
    return name == "arith.constant" or name in _UNARY or name in _BINARY


def fold(operation: Any, values: Mapping[Any, Any]) -> Any:
    """Value of an MLIR operation whose operands have the given values; None if one of them has none."""
    name = operation.name
    if name == "arith.constant":
        return getattr(operation.attributes["value"], "value", None)
    operands = [values.get(operand) for operand in operation.operands]
    if None in operands:
        return None
    try:
        return (_UNARY.get(name) or _BINARY[name])(*operands)
    except (ArithmeticError, ValueError) as error:
        raise ProgramError(f"a value in the kernel cannot be computed: {name} of {operands}: {error}") from None
