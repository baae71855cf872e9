"""Controlled Z by linear optics: the two gates, and which one each CZ of a circuit becomes.

* Post-selected: works when in the end every qubit is found with one photon, with probability 1/9. Ralph et al.,
  Phys. Rev. A 65, 062324 (2002); Hofmann and Takeuchi, Phys. Rev. A 66, 024308 (2002). Two empty modes take the
  amplitudes that are too large.
* Heralded: two more photons, found in the modes they came in, announce success, with probability 2/27. Knill,
  Phys. Rev. A 66, 052306 (2002).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum

import numpy as np

from photonlink.cudaq.quake.circuit import Matrix

__all__ = ["HERALDED", "POST_SELECTED", "Kind", "choose", "success_probability"]


class Kind(Enum):
    """How a CZ is done; the value is its probability of success."""

    POST_SELECTED = 1 / 9
    HERALDED = 2 / 27


def _rotation(kept: float) -> Matrix:
    """A beam splitter that keeps a photon in its mode with the given probability."""
    stay, cross = math.sqrt(kept), math.sqrt(1 - kept)
    return np.array([[stay, cross], [-cross, stay]], np.complex128)


def _post_selected() -> Matrix:
    """On modes c0, c1, t0, t1 and two empty ones: a third of every amplitude is left, and |11> changes its sign."""
    unitary = np.eye(6, dtype=np.complex128)
    for modes in ((1, 3), (0, 4), (2, 5)):
        unitary[np.ix_(modes, modes)] = _rotation(1 / 3)
    return unitary


def _heralded() -> Matrix:
    """On modes c0, c1, t0, t1 and two with a photon each: the matrix of Knill's paper, which spares c0 and t0."""
    plus, minus = math.sqrt(3 + math.sqrt(6)) / 3, math.sqrt(3 - math.sqrt(6)) / 3
    small = math.sqrt(1 / 6 - 1 / (3 * math.sqrt(6)))
    third = math.sqrt(2) / 3
    unitary = np.eye(6, dtype=np.complex128)
    unitary[np.ix_((1, 3, 4, 5), (1, 3, 4, 5))] = [
        [-1 / 3, -third, third, 2 / 3],
        [third, -1 / 3, -2 / 3, third],
        [-plus, minus, -plus / math.sqrt(2), small],
        [-minus, -plus, -small, -plus / math.sqrt(2)],
    ]
    return unitary


POST_SELECTED = _post_selected()
HERALDED = _heralded()


def choose(wires: int, entanglers: Sequence[tuple[int, int]]) -> tuple[Kind, ...]:
    """The most probable valid way to do each gate.

    A post-selected gate that fails leaves more photons on one side of it than on the other. That is noticed in the end
    if no later gate, of whatever kind, connects the two sides again, since everything else keeps photons on their
    side. So the last gates of a circuit may be post-selected, as long as they form no cycle.

    Examples:
        >>> [kind.name for kind in choose(3, [(0, 1), (1, 2), (0, 1)])]
        ['HERALDED', 'POST_SELECTED', 'POST_SELECTED']
    """
    side = list(range(wires))  # wires that later gates connect have equal entries
    kinds = []
    for first, second in reversed(entanglers):
        kinds.append(Kind.HERALDED if side[first] == side[second] else Kind.POST_SELECTED)
        side = [side[first] if entry == side[second] else entry for entry in side]
    return tuple(reversed(kinds))


def success_probability(kinds: Sequence[Kind]) -> float:
    """Probability that all gates succeed, with ideal photons; it does not depend on the state."""
    return math.prod(kind.value for kind in kinds)
