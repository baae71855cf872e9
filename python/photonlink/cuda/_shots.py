"""What the states of shots say: sparse counts, and the standard errors of what is estimated from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photonlink import _core
from photonlink.program import Program

__all__ = ["SparseCounts", "count_states", "standard_errors"]


@dataclass(frozen=True)
class SparseCounts:
    """How often each basis state was seen, row after row and ascending within a row.

    Attributes:
        begins: int64 (B + 1,), where each row begins in the others.
        index: uint32 (K,), positions in the basis.
        count: uint32 (K,).
    """

    begins: NDArray[np.int64]
    index: NDArray[np.uint32]
    count: NDArray[np.uint32]


def count_states(states: NDArray[np.uint32]) -> SparseCounts:
    """The counts of states (B, shots), of any order within a row.

    Examples:
        >>> counted = count_states(np.array([[4, 1, 4], [2, 2, 2]], np.uint32))
        >>> counted.begins.tolist(), counted.index.tolist(), counted.count.tolist()
        ([0, 2, 3], [1, 4, 2], [1, 2, 3])
    """
    ordered = np.sort(states, axis=1)
    first = np.ones(ordered.shape, bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    places = np.flatnonzero(first)
    count = np.diff(np.append(places, ordered.size)).astype(np.uint32)
    begins = np.concatenate(([0], np.cumsum(first.sum(axis=1)))).astype(np.int64)
    return SparseCounts(begins, ordered.reshape(-1)[places], count)


def standard_errors(
    program: Program, frequencies: NDArray[np.float64], counts: SparseCounts, shots: int
) -> NDArray[np.float64]:
    """Of the outputs (B, O) that were estimated from `counts`: sqrt((<v^2> - <v>^2) / shots) for a shot's value v.

    Args:
        program: What was sampled.
        frequencies: (B, O) the estimates; exact where an output is the share of shots of some kind.
        counts: Of the same rows.
        shots: Per row.
    """
    if program.readout.kind not in ("mode_expectations", "correlators"):  # v is 0 or 1
        return np.sqrt(frequencies * (1.0 - frequencies) / shots)
    rows = [_photon_errors(program, counts, row, shots) for row in range(len(frequencies))]
    return np.array(rows).reshape(frequencies.shape)


def _photon_errors(program: Program, counts: SparseCounts, row: int, shots: int) -> NDArray[np.float64]:
    own = slice(counts.begins[row], counts.begins[row + 1])
    index = np.ascontiguousarray(counts.index[own])
    photons = _core.states_at(program.modes, program.photons, program.readout.space, index).astype(np.float64)
    weights = counts.count[own] / shots
    squares = photons**2
    if program.readout.kind == "mode_expectations":
        mean, square = weights @ photons, weights @ squares
    else:
        pairs = np.triu_indices(program.modes, 1)
        mean = ((photons.T * weights) @ photons)[pairs]
        square = ((squares.T * weights) @ squares)[pairs]
    return np.sqrt(np.maximum(square - mean**2, 0.0) / shots)
