"""What a photonic kernel does when it is called: the operations of one call, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from photonlink.cudaq.fock.angle import Angle

__all__ = [
    "BeamSplitter",
    "Interferometer",
    "Operation",
    "PhaseShift",
    "Recording",
    "Shift",
    "ShiftKind",
    "current",
    "recording",
]

ShiftKind = Literal["create", "plus", "annihilate"]


@dataclass(frozen=True, slots=True)
class Shift:
    """Moves the photon number of one mode by one, without the factor of a ladder operator; see :mod:`.statevector`."""

    kind: ShiftKind
    mode: int

    @property
    def modes(self) -> tuple[int, ...]:
        """The modes that it acts on."""
        return (self.mode,)


@dataclass(frozen=True, slots=True)
class PhaseShift:
    """``exp(i * phase * n)`` on a mode of n photons."""

    mode: int
    phase: float | Angle

    @property
    def modes(self) -> tuple[int, ...]:
        """The modes that it acts on."""
        return (self.mode,)


@dataclass(frozen=True, slots=True)
class BeamSplitter:
    """``a+ -> cos a+ - sin b+``, ``b+ -> sin a+ + cos b+`` for the creation operators a+ of first, b+ of second."""

    first: int
    second: int
    theta: float | Angle

    @property
    def modes(self) -> tuple[int, ...]:
        """The modes that it acts on."""
        return (self.first, self.second)


@dataclass(frozen=True, slots=True, eq=False)
class Interferometer:
    """A fixed interferometer: column j of ``matrix`` holds the amplitudes of a photon that enters in ``modes[j]``."""

    modes: tuple[int, ...]
    matrix: NDArray[np.complex128]


Operation: TypeAlias = Shift | PhaseShift | BeamSplitter | Interferometer


@dataclass(slots=True)
class Recording:
    """One call of a kernel.

    Attributes:
        level: Dimension of every qudit, so that a mode holds ``level - 1`` photons at most; None before the first one.
        modes: Qudits allocated so far.
        operations: What was applied, in order.
        measured: Measured modes, in order of measurement.
        late: Modes on which something was applied after their measurement.
    """

    level: int | None = None
    modes: int = 0
    operations: list[Operation] = field(default_factory=list)
    measured: list[int] = field(default_factory=list)
    late: set[int] = field(default_factory=set)

    def apply(self, operation: Operation) -> None:
        """Appends an operation."""
        self.late.update(set(operation.modes).intersection(self.measured))
        self.operations.append(operation)

    @property
    def features(self) -> int:
        """How many features a datapoint has: one more than the highest index that an angle without value names."""
        angles = (getattr(operation, name, None) for operation in self.operations for name in ("phase", "theta"))
        return max((1 + max(angle.weights, default=-1) for angle in angles if isinstance(angle, Angle)), default=0)


_current: ContextVar[Recording | None] = ContextVar("photonlink_fock_recording", default=None)


def current() -> Recording | None:
    """The recording that a kernel of this thread writes to, if one runs."""
    return _current.get()


@contextmanager
def _active(target: Recording) -> Iterator[None]:
    token = _current.set(target)
    try:
        yield
    finally:
        _current.reset(token)


def recording(function: Callable[..., Any], args: Sequence[Any]) -> Recording:
    """Calls a kernel's function and returns what it did."""
    result = Recording()
    with _active(result):
        function(*args)
    return result
