"""Types of the wire from the annotations of a Python function."""

from __future__ import annotations

import collections.abc
import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

import numpy as np

from photonlink.errors import ProgramError
from photonlink.realtime.types import SCALARS, Item, Kind, parse_item

__all__ = ["annotated_items"]

_BUILTIN: Final = {bool: "i1", int: "i64", float: "f64"}
_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def annotated_items(function: Callable[..., Any]) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """Arguments and results of `function`.

    Raises:
        ProgramError: An annotation is missing or has no type on the wire.
    """
    name = getattr(function, "__name__", repr(function))
    try:
        hints = get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        raise ProgramError(f"the annotations of {name} cannot be read: {error}") from None
    arguments = []
    for parameter in _parameters(function, name):
        if parameter.kind not in _POSITIONAL or parameter.name not in hints:
            raise ProgramError(f"parameter {str(parameter)!r} of {name} must be positional and have an annotation")
        item = _item(hints[parameter.name], f"parameter {parameter.name!r} of {name}")
        arguments.append(replace(item, name=parameter.name))
    results = _results(hints.get("return"), f"the result of {name}")
    if any(item.kind is Kind.OUTPUT for item in arguments):
        results = ()  # what such a function returns are the elements of its output vector
    return tuple(arguments), results


def _parameters(function: Callable[..., Any], name: str) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except ValueError as error:  # a class or function written in C
        raise ProgramError(f"the parameters of {name} cannot be read: {error}") from None


def _results(hint: Any, where: str) -> tuple[Item, ...]:
    if hint is None or hint is type(None):
        return ()
    if get_origin(hint) is tuple and get_args(hint)[-1] is not Ellipsis:
        return tuple(_item(part, where) for part in get_args(hint))
    return (_item(hint, where),)


def _item(hint: Any, where: str) -> Item:
    if get_origin(hint) is Annotated:
        texts = [extra for extra in hint.__metadata__ if isinstance(extra, str)]
        return parse_item(texts[0]) if texts else _item(hint.__origin__, where)
    if hint is bytes:
        return Item(SCALARS["u8"], Kind.SEQUENCE)
    name = _scalar(hint)
    if name is not None:
        return Item(SCALARS[name])
    element = _scalar(_element(hint))
    if element is not None:
        return Item(SCALARS[element], Kind.SEQUENCE)
    raise ProgramError(
        f"{where} is annotated {hint!r}, which has no type on the wire: use bool, int, float, a numpy scalar type, a "
        'list or NDArray of one, bytes, or Annotated[..., "i32[4]"]'
    )


def _scalar(hint: Any) -> str | None:
    if not isinstance(hint, type):
        return None
    if hint in _BUILTIN:
        return _BUILTIN[hint]
    if not issubclass(hint, np.generic):
        return None
    dtype = np.dtype(hint)
    name = "i1" if dtype.kind == "b" else f"{dtype.kind}{8 * dtype.itemsize}"
    return name if name in SCALARS else None


def _element(hint: Any) -> Any:
    """What a sequence annotation is a sequence of."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is np.ndarray:
        return (get_args(parts[1]) or (None,))[0]
    if origin is tuple and len(parts) == 2 and parts[1] is Ellipsis:
        return parts[0]
    return parts[0] if origin in (list, collections.abc.Sequence) else None
