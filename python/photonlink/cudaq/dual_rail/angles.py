"""A 2x2 unitary as a phase, a Mach-Zehnder interferometer and a phase: what a chip sets for a one-qubit gate."""

from __future__ import annotations

import cmath
import math

import numpy as np

from photonlink.cudaq.quake.circuit import Matrix

__all__ = ["SPLITTER", "angles"]

SPLITTER: Matrix = np.array([[1, 1j], [1j, 1]], np.complex128) / math.sqrt(2)

_ZERO = 1e-12  # a phase between amplitudes of which one is smaller than this changes nothing that could be seen


def angles(unitary: Matrix) -> tuple[float, float, float]:
    """Phases of the upper of two modes, in the order in which light meets them, radians.

    The unitary is, up to a phase of the whole qubit, ``P(last) S P(middle) S P(first)`` with the 50:50
    :data:`SPLITTER` S and P(phi) = diag(exp(i phi), 1).

    Args:
        unitary: (2, 2) complex128, unitary.
    """
    stay, cross = abs(unitary[0, 0]), abs(unitary[0, 1])
    middle = 2 * math.atan2(stay, cross)
    if stay < _ZERO:
        return 0.0, middle, cmath.phase(unitary[0, 1] / unitary[1, 0])
    if cross < _ZERO:
        return 0.0, middle, cmath.phase(-unitary[0, 0] / unitary[1, 1])
    common = -unitary[1, 1] / stay
    return cmath.phase(unitary[1, 0] / common), middle, cmath.phase(unitary[0, 1] / common)
