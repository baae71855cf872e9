"""Checks of what users give to a Program; every refusal says what was received, what was expected, and the fix."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from photonlink.errors import ProgramError
from photonlink.unitary import check_unitary

__all__ = [
    "check_features",
    "check_interferometers",
    "check_phases",
    "checked_dac_bits",
    "checked_precision",
    "checked_rows",
    "checked_state",
    "frozen",
]

_MAX_DAC_BITS = 32  # photonlink::kMaxDacBits


def checked_state(input_state: Sequence[int], modes: int) -> tuple[int, ...]:
    try:
        state = tuple(operator.index(count) for count in input_state)
    except TypeError:
        raise ProgramError(f"input_state must list the photons of each mode as integers, got {input_state!r}") from None
    if modes < 1 or len(state) != modes:
        raise ProgramError(f"input_state {list(state)} has {len(state)} entries, expected one per mode ({modes})")
    if min(state) < 0:
        raise ProgramError(f"input_state {list(state)} has a negative number of photons")
    if sum(state) == 0:
        raise ProgramError(f"input_state {list(state)} has no photon: put at least one photon into a mode")
    return state


def checked_dac_bits(dac_bits: int) -> int:
    try:
        bits = operator.index(dac_bits)
    except TypeError:
        bits = -1
    if isinstance(dac_bits, bool) or not 0 <= bits <= _MAX_DAC_BITS:
        raise ProgramError(f"dac_bits is {dac_bits!r}, expected 1 to {_MAX_DAC_BITS}, or 0 for continuous phases")
    return bits


def checked_precision(precision: str) -> str:
    if precision not in ("float32", "float64"):
        raise ProgramError(f"precision must be 'float32' or 'float64', got {precision!r}")
    return precision


def check_interferometers(interferometers: NDArray[np.complex128], modes: int) -> None:
    shape = interferometers.shape
    if len(shape) != 3 or shape[0] < 1 or shape[1:] != (modes, modes):
        raise ProgramError(f"expected interferometers of shape (layers + 1, {modes}, {modes}), got {shape}")
    for index, matrix in enumerate(interferometers):
        check_unitary(matrix, f"interferometer {index}")


def check_features(names: tuple[str, ...]) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ProgramError(f"every feature needs a name of its own; given twice: {', '.join(repeated)}")


def check_phases(phase_layers: NDArray[np.uint32], phase_modes: NDArray[np.uint32], layers: int, modes: int) -> None:
    phases = phase_layers.size
    if phase_layers.shape != (phases,) or phase_modes.shape != (phases,):
        raise ProgramError(f"{phase_layers.shape} phase layers do not match {phase_modes.shape} modes")
    if phases and (phase_layers.max() >= layers or phase_modes.max() >= modes):
        raise ProgramError(
            f"a phase lies in layer {phase_layers.max()} on mode {phase_modes.max()}; the program has "
            f"{layers} phase layers and {modes} modes, both counted from 0"
        )


def checked_rows(x: ArrayLike, features: tuple[str, ...]) -> NDArray[np.float64]:
    """Datapoints as (B, F)."""
    rows = np.atleast_2d(np.asarray(x, np.float64))
    if rows.ndim != 2 or rows.shape[1] != len(features):
        raise ProgramError(
            f"expected datapoints of {len(features)} features, shape (B, {len(features)}) or ({len(features)},), "
            f"got shape {np.shape(x)}; program.features lists them"
        )
    if not np.isfinite(rows).all():
        row, column = np.argwhere(~np.isfinite(rows))[0]
        raise ProgramError(f"feature {features[column]!r} of datapoint {row} is {rows[row, column]}")
    return rows


def frozen(values: ArrayLike, dtype: type[Any]) -> NDArray[Any]:
    """A read-only copy, so that nobody's later write can change a program or its digest."""
    array = np.array(values, dtype=dtype, order="C")
    array.setflags(write=False)
    return array
