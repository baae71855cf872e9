"""The state vector of qudits, with the operations of CUDA-Q's ``orca-photonics`` simulator.

These are not always physical. ``create`` and ``annihilate`` shift photon numbers and pile up what would leave the
range, so that they are not even isometries; and a beam splitter drops the amplitudes of photon numbers that the level
does not hold. The vector is therefore not normalised; samples are drawn from its squares, whatever they add up to.

A beam splitter conserves the photon number N of its two modes, and is applied block by block: one block holds the
amplitudes of N, and only it is copied. The whole takes little more memory than the vector, and 2 d**3 / 3 rather than
d**4 multiplications for each of the ``d**(m - 2)`` states of the other modes.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from photonlink._memory import half_of_memory
from photonlink.cudaq.fock.angle import Angle
from photonlink.cudaq.fock.mesh import mesh
from photonlink.cudaq.fock.recording import BeamSplitter, Interferometer, Operation, PhaseShift, Recording, Shift
from photonlink.errors import ProgramError

__all__ = ["required_bytes", "state_vector"]

State = NDArray[np.complex128]

_AMPLITUDE_BYTES = 16
_NOTHING_LOST = 1e-9  # rounding stays far below, and no shot would show it


def required_bytes(level: int, modes: int) -> int:
    """Memory that a state vector takes while gates are applied to it, and samples drawn from it."""
    return int(3 * _AMPLITUDE_BYTES * level**modes)


def state_vector(kernel: Recording, modes: tuple[int, ...], *, strict: bool, memory_limit: int | None = None) -> State:
    """Runs a recorded kernel.

    Args:
        kernel: Without features that have no value.
        modes: The modes that the vector has: all on which the kernel acts, at least one.
        strict: Whether to refuse what the level cuts off.
        memory_limit: In bytes; by default half of the machine's memory.

    Returns:
        The state, complex128 of shape ``(level,) * len(modes)``.

    Raises:
        ProgramError: It does not fit into memory, an angle has no value, or, if strict, the level cuts something off.
    """
    assert kernel.level is not None
    limit = half_of_memory() if memory_limit is None else memory_limit
    needed = required_bytes(kernel.level, len(modes))
    if needed > limit:
        raise ProgramError(
            f"{len(modes)} qudits of level {kernel.level} need a state vector of {kernel.level}^{len(modes)} "
            f"amplitudes, {needed / 2**30:.3g} GiB, and {limit / 2**30:.3g} GiB may be used"
        )
    state = np.zeros((kernel.level,) * len(modes), np.complex128)
    state[(0,) * len(modes)] = 1.0
    place = {mode: axis for axis, mode in enumerate(modes)}
    for operation in kernel.operations:
        for part in _primitives(operation):
            _apply(part, state, place, strict=strict)
    return state


def _primitives(operation: Operation) -> list[Shift | PhaseShift | BeamSplitter]:
    if isinstance(operation, Interferometer):
        return [*mesh(operation.matrix, operation.modes)]
    return [operation]


def _apply(part: Shift | PhaseShift | BeamSplitter, state: State, place: dict[int, int], *, strict: bool) -> None:
    if isinstance(part, Shift):
        _shift(part, np.moveaxis(state, place[part.mode], 0), strict=strict)
    elif isinstance(part, PhaseShift):
        factors = np.exp(1j * _number(part.phase) * np.arange(len(state)))
        along = np.moveaxis(state, place[part.mode], -1)
        along *= factors
    else:
        pair = np.moveaxis(state, (place[part.first], place[part.second]), (0, 1))
        _mix(_number(part.theta), pair, part, strict=strict)


def _number(angle: float | Angle) -> float:
    return float(angle)  # which raises for features without a value


def _shift(part: Shift, along: State, *, strict: bool) -> None:
    if part.kind == "annihilate":
        along[0] += along[1]
        along[1:-1] = along[2:]
        along[-1] = 0
        return
    top = along[-1].copy()
    if part.kind == "create" and strict and np.vdot(top, top).real > _NOTHING_LOST:
        raise ProgramError(
            f"create() on qudit {part.mode} would exceed level {len(along)}, which holds {len(along) - 1} photons: "
            f"raise the level, or select the target with strict=False for the semantics of orca-photonics"
        )
    along[1:] = along[:-1]
    if part.kind == "plus":
        along[0] = top
    else:
        along[0] = 0
        along[-1] += top


def _mix(theta: float, pair: State, part: BeamSplitter, *, strict: bool) -> None:
    level = len(pair)
    lost = 0.0
    for photons in range(1, 2 * level - 1):
        first = np.arange(max(0, photons - level + 1), min(photons, level - 1) + 1)
        block = pair[first, photons - first]
        mixed = np.tensordot(_block(theta, photons, level), block, 1)
        if strict:
            lost += float(np.vdot(block, block).real - np.vdot(mixed, mixed).real)
        pair[first, photons - first] = mixed
    if lost > _NOTHING_LOST:
        raise ProgramError(
            f"beam_splitter() on qudits {part.first} and {part.second} loses the probability {lost:.3g} to photon "
            f"numbers beyond level {level}, which holds {level - 1}: raise the level, or select the target with "
            "strict=False for the semantics of orca-photonics"
        )


@lru_cache(maxsize=4096)
def _block(theta: float, photons: int, level: int) -> NDArray[np.float64]:
    """Amplitudes between the states ``|n, photons - n>`` of two modes, for those n that the level holds.

    The exponential of theta times the real antisymmetric ``a+ b - b+ a``, from the eigenvectors of the Hermitian
    ``i (a+ b - b+ a)``: its eigenvalues are -photons, 2 - photons, ..., photons, and no binomials cancel.
    """
    below = np.arange(photons)
    rising = np.sqrt((below + 1.0) * (photons - below))  # <n+1, N-n-1| a+ b |n, N-n>
    generator = np.diag(rising, -1) - np.diag(rising, 1)
    values, vectors = np.linalg.eigh(1j * generator)
    full = ((vectors * np.exp(-1j * theta * values)) @ vectors.conj().T).real
    kept = slice(max(0, photons - level + 1), min(photons, level - 1) + 1)
    return np.ascontiguousarray(full[kept, kept])
