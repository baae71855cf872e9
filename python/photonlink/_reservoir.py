"""Where photons and features enter a photonic reservoir, after MerLin's conventions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from photonlink.errors import ProgramError

__all__ = ["feature_names", "photons_per_mode", "spaced_state"]


def feature_names(features: int | Sequence[str], modes: int) -> Sequence[str]:
    """Names of the features, of which feature i drives mode i; a number of features stands for px1, px2, ..."""
    _require_integer("modes", modes)
    if isinstance(features, int | np.integer):
        names: Sequence[str] = [f"px{k + 1}" for k in range(int(features))]
    elif isinstance(features, Sequence) and not isinstance(features, str):
        names = features
    else:
        raise ProgramError(f"features is {features!r}, expected how many there are, or a list of their names")
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
    _require_integer("photons", photons)
    state = spaced_state(modes, photons) if input_state is None else tuple(input_state)
    if sum(state) != photons:
        raise ProgramError(f"input_state {list(state)} has {sum(state)} photons, expected {photons}")
    return state


def _require_integer(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ProgramError(f"{name} is {value!r}, expected an integer")


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
    if photons < 1:
        raise ProgramError(f"a program needs at least 1 photon, got {photons} photons")
    if photons > modes:
        raise ProgramError(
            f"{photons} photons do not fit one per mode into {modes} modes: use fewer, or give input_state"
        )
    occupied = {modes // 2} if photons == 1 else {k * modes // photons for k in range(photons)}
    return tuple(int(mode in occupied) for mode in range(modes))
