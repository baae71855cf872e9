"""The columns of native reports as what callers see: InferInfo, and samples."""

from __future__ import annotations

import contextlib
import functools
import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photonlink import _core
from photonlink.info import Counts, InferInfo, SessionInfo
from photonlink.program import Program

MOST_LISTED_BYTES = 1 << 20


def describe(columns: list[NDArray[Any]], session: SessionInfo, *, exact: bool, samples: bool) -> InferInfo:
    """The info of a call from kept fractions, standard errors, times, changed phases and sparse counts."""
    kept, errors, quantum_ns, changed, row_begin, index, count = columns
    counts = [Counts(index[begin:end], count[begin:end]) for begin, end in itertools.pairwise(row_begin)]
    return InferInfo(
        counts=None if exact else counts,
        kept_fraction=kept,
        standard_errors=None if exact or samples else errors,
        quantum_seconds=None if exact or session.clock == "none" else quantum_ns / 1e9,
        changed_phases=changed,
        clock=session.clock,
        simulated=session.simulated,
        target=session.target,
        noise_method=session.noise_method,
    )


def expand_samples(program: Program, info: InferInfo, shots: int) -> NDArray[np.uint8]:
    """Counts as (B, shots, modes) photons per mode, sorted by basis state."""
    rows = info.counts or []
    samples = np.empty((len(rows), shots, program.modes), np.uint8)
    for row, counts in enumerate(rows):
        samples[row] = states_at(program, np.repeat(counts.index, counts.count))
    return samples


def states_at(program: Program, index: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """The states at these positions of a basis that may be too large to list."""
    if program.noisy:
        return _core.kept_states_at(program.spec, index)
    basis = program.modes, program.photons, program.readout.space
    if program.modes * _core.basis_size(*basis) <= MOST_LISTED_BYTES:
        with contextlib.suppress(IndexError):  # the core says which position it was
            return _listed(*basis).take(index, axis=0)
    return _core.states_at(*basis, index)


@functools.lru_cache(maxsize=4)
def _listed(modes: int, photons: int, space: str) -> NDArray[np.uint8]:
    """A whole basis: states are copied from it in a fraction of the time that it takes to work them out."""
    return _core.basis_states(modes, photons, space)
