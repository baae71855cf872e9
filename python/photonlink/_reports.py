"""The columns of native reports as what callers see: InferInfo, and samples."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photonlink import _core
from photonlink.info import Counts, InferInfo, SessionInfo
from photonlink.program import Program


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
        samples[row] = np.repeat(states_at(program, counts), counts.count, axis=0)
    return samples


def states_at(program: Program, counts: Counts) -> NDArray[np.uint8]:
    """The states that were seen, out of a basis that may be too large to list."""
    if program.noisy:
        return _core.kept_states_at(program.spec, counts.index)
    return _core.states_at(program.modes, program.photons, program.readout.space, counts.index)
