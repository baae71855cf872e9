"""Where photons and features enter a photonic reservoir, after MerLin's conventions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from photonlink import _checks
from photonlink._validate import checked_state
from photonlink.errors import ProgramError

__all__ = ["feature_names", "photons_per_mode", "spaced_state"]


def feature_names(features: int | Sequence[str], modes: int) -> Sequence[str]:
    """Names of the features, of which feature i drives mode i; a number of features stands for px1, px2, ..."""
    most = _checks.modes_of(modes)
    if isinstance(features, int | np.integer):
        return [f"px{k + 1}" for k in range(_checks.integer("features", features, 1, most))]
    names = _checks.names("features", features, "how many there are, or a list of their names")
    if not 1 <= len(names) <= modes:
        raise ProgramError(
            f"a reservoir of {modes} modes encodes 1 to {modes} features, one per mode, got {len(names)}: "
            "reduce them (for example by PCA) or use more modes"
        )
    if len(set(names)) != len(names):
        raise ProgramError(f"every feature needs a name of its own, got {list(names)}")
    return names


def photons_per_mode(input_state: Sequence[int] | None, modes: int, photons: int) -> tuple[int, ...]:
    """The given input state, which must have as many photons, or by default the spaced pattern."""
    state = spaced_state(modes, photons) if input_state is None else checked_state(input_state, _checks.modes_of(modes))
    if sum(state) != photons:
        raise ProgramError(f"input_state {list(state)} has {sum(state)} photons, expected {photons}")
    return state


def spaced_state(modes: int, photons: int) -> tuple[int, ...]:
    """MerLin's "spaced" pattern: photon k enters in mode floor(k * modes / photons); a single one in the middle.

    Args:
        modes: Number of modes.
        photons: Number of photons, 1 to ``modes``.

    Raises:
        ProgramError: If the photons do not fit one per mode.

    Examples:
        >>> spaced_state(7, 3)
        (1, 0, 1, 0, 1, 0, 0)
    """
    modes = _checks.modes_of(modes)
    photons = _checks.integer("photons", photons, 1, None)
    if photons > modes:
        raise ProgramError(
            f"{photons} photons do not fit one per mode into {modes} modes: use fewer, or give input_state"
        )
    occupied = {modes // 2} if photons == 1 else {k * modes // photons for k in range(photons)}
    return tuple(int(mode in occupied) for mode in range(modes))
