"""Circuits component by component, as far as trainable parameters need them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photonlink._assembler import Assembler

__all__ = ["ComponentAssembler", "Components", "FixedComponent", "PhaseComponent"]


@dataclass(frozen=True, eq=False)
class FixedComponent:
    """A component that does not depend on trainable parameters.

    Attributes:
        modes: The k modes that it acts on, in the order of the matrix.
        matrix: (k, k) complex128, unitary.
    """

    modes: tuple[int, ...]
    matrix: NDArray[np.complex128]


@dataclass(frozen=True)
class PhaseComponent:
    """A phase shifter of ``offset + sum of weight * parameter`` radians.

    Attributes:
        mode: Its mode.
        offset: Radians.
        weights: Pairs of the index of a parameter and its weight.
    """

    mode: int
    offset: float
    weights: tuple[tuple[int, float], ...]


Components = tuple[FixedComponent | PhaseComponent, ...]


class ComponentAssembler(Assembler):
    """Keeps components instead of multiplying them; blocks hold 1 where an element of the matrix may be non-zero."""

    def __init__(self, modes: int, parameters: Sequence[str]) -> None:
        super().__init__(modes)
        self._parameters = frozenset(parameters)
        self._components: list[list[FixedComponent | _NamedPhase]] = [[]]

    def fixed(self, matrix: NDArray[np.complex128], modes: Sequence[int]) -> None:
        super().fixed((matrix != 0).astype(np.complex128), modes)
        self._block = (self._block != 0).astype(np.complex128)
        self._components[-1].append(FixedComponent(tuple(int(mode) for mode in modes), matrix))

    def phase(self, mode: int, weights: Mapping[str, float], offset: float = 0.0, *others: Any) -> None:
        trained = {name: weight for name, weight in weights.items() if name in self._parameters}
        driven = {name: weight for name, weight in weights.items() if name not in trained}
        if trained:
            self._components[-1].append(_NamedPhase(mode, offset, trained))
            offset = 0.0
        if driven:
            layers = len(self._interferometers)
            super().phase(mode, driven, offset, *others)
            self._components += [[] for _ in range(len(self._interferometers) - layers)]

    def resolved(self, parameters: Sequence[str]) -> tuple[Components, ...]:
        """The components, with parameters by their place in the list instead of their names."""
        index = {name: k for k, name in enumerate(parameters)}
        return tuple(
            tuple(c if isinstance(c, FixedComponent) else c.resolved(index) for c in block)
            for block in self._components
        )


@dataclass(frozen=True)
class _NamedPhase:
    mode: int
    offset: float
    weights: Mapping[str, float]

    def resolved(self, index: Mapping[str, int]) -> PhaseComponent:
        return PhaseComponent(self.mode, self.offset, tuple((index[name], w) for name, w in self.weights.items()))
