"""Checks of what users give to a Program; every refusal says what was received, what was expected, and the fix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from photonlink import _checks
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
_MAX_PHOTONS = 2**32 - 1  # in one mode; the native core counts in 32 bits


def checked_state(input_state: Sequence[int], modes: int) -> tuple[int, ...]:
    counts = _checks.listed("input_state", input_state, "a list of the photons of each mode")
    state = tuple(_checks.integer("a number of photons of input_state", count, 0, _MAX_PHOTONS) for count in counts)
    if len(state) != modes:
        raise ProgramError(f"input_state {list(state)} has {len(state)} entries, expected one per mode ({modes})")
    if sum(state) == 0:
        raise ProgramError(f"input_state {list(state)} has no photon: put at least one photon into a mode")
    return state


def checked_dac_bits(dac_bits: int) -> int:
    return _checks.integer("dac_bits", dac_bits, 0, _MAX_DAC_BITS)


def checked_precision(precision: str) -> str:
    return _checks.one_of("precision", precision, ("float32", "float64"))


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
    rows = np.atleast_2d(_checks.array("x", x, np.float64))
    if rows.ndim != 2 or rows.shape[1] != len(features):
        raise ProgramError(
            f"expected datapoints of {len(features)} features, shape (B, {len(features)}) or ({len(features)},), "
            f"got shape {np.shape(x)}; program.features lists them"
        )
    if not np.isfinite(rows).all():
        row, column = np.argwhere(~np.isfinite(rows))[0]
        raise ProgramError(f"feature {features[column]!r} of datapoint {row} is {rows[row, column]}")
    return rows


def frozen(name: str, values: ArrayLike, dtype: type[Any]) -> NDArray[Any]:
    """A read-only copy, so that nobody's later write can change a program or its digest."""
    array = np.array(_checks.array(name, values, dtype), order="C")
    array.setflags(write=False)
    return array
