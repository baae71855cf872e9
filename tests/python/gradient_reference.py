"""What the tests of gradients share: every readout, and derivatives by finite differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import photonlink as phl

SPACES = ("fock", "unbunched", "dual_rail")
READOUTS: tuple[Callable[[str], phl.Readout], ...] = (
    phl.Readout.probs,
    lambda space: phl.Readout.probs(space, phl.LexGrouping(4)),
    lambda space: phl.Readout.probs(space, phl.ModGrouping(3)),
    phl.Readout.mode_expectations,
    phl.Readout.correlators,
    phl.Readout.click_patterns,
    phl.Readout.click_probabilities,
)


def central(
    function: Callable[[NDArray[np.float64]], float], point: NDArray[np.float64], step: float = 1e-5
) -> NDArray[np.float64]:
    """Derivatives with respect to every number of ``point``."""
    out = np.empty_like(point)
    for index in np.ndindex(point.shape):
        up, down = point.copy(), point.copy()
        up[index] += step
        down[index] -= step
        out[index] = (function(up) - function(down)) / (2 * step)
    return out
