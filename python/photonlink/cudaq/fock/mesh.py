"""An interferometer as a sequence of phase shifters and beam splitters of the photonic kernel language."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from photonlink.cudaq.fock.recording import BeamSplitter, PhaseShift

__all__ = ["beam_splitter_matrix", "mesh"]


def beam_splitter_matrix(theta: float) -> NDArray[np.complex128]:
    """(2, 2) complex128; column j holds the amplitudes of a photon that enters in mode j."""
    cos, sin = math.cos(theta), math.sin(theta)
    return np.array([[cos, sin], [-sin, cos]], np.complex128)


def mesh(matrix: NDArray[np.complex128], modes: Sequence[int]) -> list[PhaseShift | BeamSplitter]:
    """Components that light meets in this order and that together are the interferometer.

    The triangular arrangement of Reck et al., Phys. Rev. Lett. 73, 58 (1994): entries below the diagonal are nulled,
    column by column, by mixing two neighbouring rows, and the inverses of these mixers in reverse order follow the
    phases that remain.

    Args:
        matrix: (k, k) unitary.
        modes: Where its k modes lie.

    Returns:
        At most k phases, then a beam splitter and a phase for each of the k (k - 1) / 2 pairs.
    """
    rest = np.array(matrix, np.complex128)
    size = len(rest)
    mixers: list[PhaseShift | BeamSplitter] = []
    for column in range(size - 1):
        for row in range(size - 1, column, -1):
            above, below = rest[row - 1, column], rest[row, column]
            if below == 0:
                continue
            phase = float(np.angle(above) - np.angle(below))
            theta = math.atan2(abs(below), abs(above))
            rest[row] *= np.exp(1j * phase)
            rest[[row - 1, row]] = beam_splitter_matrix(theta) @ rest[[row - 1, row]]
            mixers += [PhaseShift(modes[row], -phase), BeamSplitter(modes[row - 1], modes[row], -theta)]
    remaining = [PhaseShift(modes[k], float(np.angle(rest[k, k]))) for k in range(size)]
    return [*remaining, *reversed(mixers)]
