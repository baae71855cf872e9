"""Photonic kernels that read what they do from their arguments, so that one source runs on both targets at random."""

import cudaq
import numpy as np

from photonlink.cudaq.fock import annihilate, beam_splitter, create, mz, phase_shift, plus, qudit

CREATE, PLUS, ANNIHILATE, PHASE, SPLIT = range(5)


def apply(q, codes, angles):
    """One operation per code: what it is, first mode, second mode."""
    for (what, first, second), angle in zip(np.reshape(codes, (-1, 3)).tolist(), angles, strict=True):
        if what == SPLIT:
            beam_splitter(q[first], q[second], angle)
        elif what == PHASE:
            phase_shift(q[first], angle)
        else:
            (create, plus, annihilate)[what](q[first])


@cudaq.kernel
def unmeasured(level: int, modes: int, codes: list[int], angles: list[float]):
    q = [qudit(level) for _ in range(modes)]
    apply(q, codes, angles)


@cudaq.kernel
def measured(level: int, modes: int, codes: list[int], angles: list[float], order: list[int]):
    q = [qudit(level) for _ in range(modes)]
    apply(q, codes, angles)
    mz([q[mode] for mode in order])


def components(rng, modes, count):
    """Random beam splitters and phases."""
    rows = []
    for _ in range(count):
        first, second = rng.choice(modes, size=2, replace=False)
        rows.append((SPLIT if rng.random() < 0.6 else PHASE, first, second))
    return rows


def linear(rng):
    """Arguments of a kernel of linear optics: preparation, in any order, then components; the level holds all light."""
    modes, photons = int(rng.integers(2, 5)), int(rng.integers(1, 4))
    rows = [(int(rng.choice([CREATE, PLUS])), mode, 0) for mode in rng.integers(0, modes, size=photons)]
    rows += components(rng, modes, 8)
    return photons + 1, modes, *_flat(rng, rows)


def mixed(rng):
    """Arguments of a kernel in which everything comes in any order, at a level that cuts off what it can."""
    level, modes = int(rng.integers(2, 5)), int(rng.integers(2, 4))
    rows = [(CREATE, 0, 0), (CREATE, 1, 0)]
    for row in components(rng, modes, 7):
        rows += [row, (int(rng.integers(0, 3)), int(rng.integers(0, modes)), 0)]
    return level, modes, *_flat(rng, rows)


def _flat(rng, rows):
    return np.array(rows).ravel().tolist(), rng.uniform(-np.pi, np.pi, size=len(rows)).tolist()
