"""Checks of what users give to a Program; every refusal says what was received, what was expected, and the fix."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from photonlink.errors import ProgramError

if TYPE_CHECKING:
    from photonlink.builder import Encoding

__all__ = ["check_encoding", "check_unitary", "checked_precision", "checked_state", "frozen"]

UNITARITY_TOLERANCE = 1e-6
"""Largest entry of ``|U^H U - 1|`` that passes: single-precision matrices do, typing errors do not."""


def check_unitary(matrix: NDArray[np.complex128], name: str) -> None:
    """Raises ProgramError if a square matrix is not unitary, and says by how much."""
    if not np.isfinite(matrix).all():
        raise ProgramError(f"{name} holds a number that is not finite")
    deviation = float(abs(matrix.conj().T @ matrix - np.eye(len(matrix))).max(initial=0.0))
    if deviation > UNITARITY_TOLERANCE:
        raise ProgramError(
            f"{name} is not unitary: |U^H U - 1| is {deviation:.3g} at its largest entry, expected at most "
            f"{UNITARITY_TOLERANCE:g}"
        )


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


def checked_precision(precision: str) -> str:
    if precision not in ("float32", "float64"):
        raise ProgramError(f"precision must be 'float32' or 'float64', got {precision!r}")
    return precision


def check_encoding(encoding: Encoding, phases: int, features: int) -> None:
    rows, terms = encoding.row_begin, encoding.term_feature.size
    if rows.shape != (phases + 1,) or encoding.offset.shape != (phases,) or encoding.term_weight.shape != (terms,):
        raise ProgramError(
            f"the encoding has {encoding.offset.size} phases and {encoding.term_weight.size} weights for {terms} "
            f"terms; expected {phases} phases and as many weights as terms"
        )
    if rows[0] != 0 or rows[-1] != terms or (np.diff(rows.astype(np.int64)) < 0).any():
        raise ProgramError(f"the encoding's rows must rise from 0 to {terms}, got {rows.tolist()[:8]}")
    if terms and encoding.term_feature.max() >= features:
        raise ProgramError(f"the encoding uses feature {encoding.term_feature.max()}, the program has {features}")
    if not (np.isfinite(encoding.term_weight).all() and np.isfinite(encoding.offset).all()):
        raise ProgramError("the encoding holds a weight or offset that is not finite")


def frozen(values: ArrayLike, dtype: type[Any]) -> NDArray[Any]:
    """A read-only copy, so that nobody's later write can change a program or its digest."""
    array = np.array(values, dtype=dtype, order="C")
    array.setflags(write=False)
    return array
