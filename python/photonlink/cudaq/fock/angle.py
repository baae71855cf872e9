"""Angles of optical components: numbers, or linear expressions of features that get their values per datapoint.

Examples:
    >>> 2 * feature(0) + 0.5
    2*feature(0) + 0.5
    >>> with bound([0.25]):
    ...     2 * feature(0) + 0.5
    1.0
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from numbers import Real
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from photonlink.errors import ProgramError

__all__ = ["Angle", "bound", "checked_angle", "feature"]

_values: ContextVar[tuple[float, ...] | None] = ContextVar("photonlink_fock_features", default=None)


@dataclass(frozen=True, slots=True)
class Angle:
    """``offset + sum of weight * feature``, in radians. Sums of angles, and products with numbers, are angles.

    Attributes:
        offset: Radians.
        weights: Radians per unit of each feature, by the feature's index.
    """

    offset: float = 0.0
    weights: Mapping[int, float] = field(default_factory=lambda: MappingProxyType({}))

    def __add__(self, other: Any) -> Angle:
        if isinstance(other, Real):
            return Angle(self.offset + float(other), self.weights)
        if not isinstance(other, Angle):
            return NotImplemented
        merged = dict(self.weights)
        for index, weight in other.weights.items():
            merged[index] = merged.get(index, 0.0) + weight
        return Angle(self.offset + other.offset, MappingProxyType(merged))

    def __mul__(self, factor: Any) -> Angle:
        if not isinstance(factor, Real):
            return NotImplemented
        scale = float(factor)
        scaled = {index: weight * scale for index, weight in self.weights.items()}
        return Angle(self.offset * scale, MappingProxyType(scaled))

    def __neg__(self) -> Angle:
        return self * -1

    def __sub__(self, other: Any) -> Angle:
        return self.__add__(-other)

    def __rsub__(self, other: Any) -> Angle:
        return (-self).__add__(other)

    def __truediv__(self, divisor: Any) -> Angle:
        return self * (1 / divisor) if isinstance(divisor, Real) else NotImplemented

    __radd__ = __add__
    __rmul__ = __mul__

    def __float__(self) -> float:
        raise ProgramError(
            f"{self!r} has no value here: angles are linear in features and nothing else; build a program with "
            "photonlink.cudaq.fock.program(kernel), or give features values with photonlink.cudaq.fock.bound(x)"
        )

    def __repr__(self) -> str:
        terms = [f"{weight:g}*feature({index})" for index, weight in self.weights.items()]
        return " + ".join([*terms, f"{self.offset:g}"] if self.offset or not terms else terms)


def feature(index: int) -> Angle | float:
    """A feature of the datapoint, for the angle of a ``phase_shift`` or ``beam_splitter`` in a kernel.

    While :func:`bound` gives values it is a number; else it stands for column ``index`` of what a session of the
    kernel's :func:`photonlink.cudaq.fock.program` is sent.

    Args:
        index: Which feature, counted from 0.

    Returns:
        The bound value, or an :class:`Angle`.

    Raises:
        ProgramError: The index is negative or no integer, or no value is bound to it.

    Examples:
        >>> feature(2)
        1*feature(2)
    """
    try:
        number = operator.index(index)
    except TypeError:
        number = -1
    if number < 0:
        raise ProgramError(f"feature index {index!r} is not an integer of at least 0")
    values = _values.get()
    if values is None:
        return Angle(0.0, MappingProxyType({number: 1.0}))
    if number >= len(values):
        raise ProgramError(f"feature({number}) has no value: bound() was given {len(values)} features")
    return values[number]


@contextmanager
def bound(x: ArrayLike) -> Iterator[None]:
    """Gives the features of kernels their values while the ``with`` statement lasts, on every target.

    Args:
        x: (F,) float; entry i is the value of ``feature(i)``.

    Raises:
        ProgramError: x is no vector of finite numbers.
    """
    values = np.asarray(x, np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ProgramError(f"bound() takes one datapoint, (F,) finite numbers, got shape {values.shape}")
    token = _values.set(tuple(values.tolist()))
    try:
        yield
    finally:
        _values.reset(token)


def checked_angle(value: Any, name: str) -> float | Angle:
    """An angle as it is recorded: a finite float, or an expression of features.

    Raises:
        ProgramError: It is neither.
    """
    if isinstance(value, Angle):
        return value
    if isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise ProgramError(f"{name} is {value!r}, expected a finite number of radians or an expression of feature(i)")
