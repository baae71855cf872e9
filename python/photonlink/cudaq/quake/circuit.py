"""What a kernel does, without loops, arguments and CUDA-Q: gates on numbered wires, then measurements of qubits.

A swap moves no light: afterwards the two qubits merely lie on each other's wires.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["CZ", "Basis", "Circuit", "Gate", "Matrix", "Measurement"]

Matrix = NDArray[np.complex128]
Basis = Literal["x", "y", "z"]


@dataclass(frozen=True, slots=True, eq=False)
class Gate:
    """A one-qubit gate.

    Attributes:
        wire: The wire it acts on.
        matrix: (2, 2) complex128, in the basis |0>, |1>.
    """

    wire: int
    matrix: Matrix


@dataclass(frozen=True, slots=True)
class CZ:
    """A controlled Z, which is symmetric in its two wires."""

    first: int
    second: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """A final measurement of one qubit, under the name that the kernel gave to the result, if it gave one."""

    qubit: int
    basis: Basis
    register: str | None


@dataclass(frozen=True, slots=True)
class Circuit:
    """A kernel after compilation for given arguments.

    Attributes:
        wires: Number of wires: a qubit each, and work qubits that the compiler has added.
        placement: The wire on which each qubit lies in the end; qubits are numbered in order of their allocation.
        operations: In program order.
        measurements: In program order; empty for a kernel that measures nothing.
    """

    wires: int
    placement: tuple[int, ...]
    operations: tuple[Gate | CZ, ...]
    measurements: tuple[Measurement, ...]

    @property
    def qubits(self) -> int:
        """Number of qubits of the kernel."""
        return len(self.placement)
