"""Arguments of targets: CUDA-Q checks neither their names nor their types, so this does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from photonlink.errors import ProgramError

__all__ = ["REQUIRED", "Argument", "checked", "choice"]

REQUIRED: Any = object()


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a target.

    Attributes:
        expected: What it takes, in words, for messages.
        check: Returns the value to use, or raises ``TypeError`` or ``ValueError`` for anything else. A
            :class:`photonlink.errors.ProgramError` is a ``ValueError``, and its text is shown.
        default: What it is if it is not given, or ``REQUIRED``.
    """

    expected: str
    check: Callable[[Any], Any]
    default: Any = REQUIRED


def checked(target: str, known: Mapping[str, Argument], given: Mapping[str, Any]) -> dict[str, Any]:
    """All arguments of `target`, the given ones checked.

    Raises:
        ProgramError: One is unknown, missing, or of a wrong type or value; the message lists the valid ones.

    Examples:
        >>> known = {"level": Argument("a whole number", int, 2)}
        >>> checked("photonlink-fock", known, {"level": "3"})
        {'level': 3}
        >>> checked("photonlink-fock", known, {"height": 3})
        Traceback (most recent call last):
        ...
        photonlink.errors.ProgramError: target 'photonlink-fock' has no argument 'height'; its arguments are level (a \
whole number; default 2)
    """
    listed = ", ".join(_described(name, argument) for name, argument in known.items())
    for name in given:
        if name not in known:
            raise ProgramError(f"target {target!r} has no argument {name!r}; its arguments are {listed}")
    values = {}
    for name, argument in known.items():
        if name not in given:
            if argument.default is REQUIRED:
                raise ProgramError(f"target {target!r} needs the argument {name!r}; its arguments are {listed}")
            values[name] = argument.default
            continue
        try:
            values[name] = argument.check(given[name])
        except (TypeError, ValueError) as error:
            why = f" ({error})" if isinstance(error, ProgramError) else ""
            raise ProgramError(
                f"argument {name!r} of target {target!r} is {given[name]!r}, expected {argument.expected}{why}; "
                f"the arguments are {', '.join(known)}"
            ) from None
    return values


def choice(*values: Any) -> Callable[[Any], Any]:
    """A check that takes one of `values` only."""

    def check(value: Any) -> Any:
        if not any(type(value) is type(known) and value == known for known in values):
            raise ValueError
        return value

    return check


def _described(name: str, argument: Argument) -> str:
    default = "required" if argument.default is REQUIRED else f"default {argument.default!r}"
    return f"{name} ({argument.expected}; {default})"
