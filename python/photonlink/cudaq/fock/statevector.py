"""The state vector of qudits, with the operations of CUDA-Q's ``orca-photonics`` simulator.

These are not always physical. ``create`` and ``annihilate`` shift photon numbers and pile up what would leave the
range, so that they are not even isometries; and a beam splitter drops the amplitudes of photon numbers that the level
does not hold. The vector is therefore not normalised; samples are drawn from its squares, whatever they add up to.

Only Fock states that have been reached are kept, in no order: light of few photons reaches few of the ``d**m``. A state
is a number with one digit of base d per mode, in as many 64-bit words as that takes. A beam splitter conserves the
photon number N of its two modes, so it groups the states that agree in N and in all other modes, and multiplies each
group by the block of N.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from photonlink._memory import half_of_memory
from photonlink.cudaq.fock.angle import Angle
from photonlink.cudaq.fock.mesh import mesh
from photonlink.cudaq.fock.recording import (
    BeamSplitter,
    Interferometer,
    Operation,
    PhaseShift,
    Recording,
    Shift,
    ShiftKind,
)
from photonlink.errors import ProgramError

__all__ = ["StateVector", "state_vector"]

_NOTHING_LOST = 1e-9  # rounding stays far below, and no shot would show it

Keys = NDArray[np.int64]


class StateVector:
    """Amplitudes of the Fock states that were reached; begins with the vacuum.

    Args:
        level: Dimension d of each mode.
        modes: Numbers of the modes, by which the methods name them.
        memory_limit: In bytes; by default half of the machine's memory.

    Attributes:
        amplitudes: (K,) complex128, one per state.
    """

    def __init__(self, level: int, modes: Sequence[int], memory_limit: int | None = None) -> None:
        self._level = level
        self._limit = half_of_memory() if memory_limit is None else memory_limit
        digits = 1  # per word
        while level ** (digits + 1) < 2**63:
            digits += 1
        self._place = {mode: (index // digits, level ** (index % digits)) for index, mode in enumerate(modes)}
        self._keys: Keys = np.zeros((1, 1 + (len(modes) - 1) // digits), np.int64)
        self.amplitudes: NDArray[np.complex128] = np.ones(1, np.complex128)

    def numbers(self, mode: int) -> NDArray[np.int64]:
        """(K,) photons that each state has in a mode."""
        word, stride = self._place[mode]
        digits: NDArray[np.int64] = self._keys[:, word] // stride % self._level
        return digits

    @property
    def squares(self) -> NDArray[np.float64]:
        """(K,) squared amplitudes."""
        return _squares(self.amplitudes)

    def phase(self, mode: int, phi: float) -> None:
        """``exp(i * phi * n)``."""
        self.amplitudes *= np.exp(1j * phi * np.arange(self._level))[self.numbers(mode)]

    def shift(self, kind: ShiftKind, mode: int) -> float:
        """Changes photon numbers by one.

        Returns:
            Probability of the states from which ``create`` or ``annihilate`` would have left the range.
        """
        top = self._level - 1
        before = self.numbers(mode)
        if kind == "plus":
            self._move(mode, np.where(before == top, -top, 1))
            return 0.0
        stays = before == (top if kind == "create" else 0)
        self._move(mode, np.where(stays, 0, 1 if kind == "create" else -1))
        piled_up = float(self.squares[stays].sum())
        if stays.any():
            self._merge()
        return piled_up

    def mix(self, first: int, second: int, theta: float) -> float:
        """A beam splitter.

        Returns:
            Probability that is lost to photon numbers beyond the level.
        """
        top = self._level - 1
        upper, lower = self.numbers(first), self.numbers(second)
        total = upper + lower
        # As many photons as possible in the first mode stand for the whole group.
        self._move(first, np.minimum(total, top) - upper)
        self._move(second, np.maximum(total - top, 0) - lower)
        keys, group = _distinct(self._keys)
        self._require_memory(len(keys))
        before = np.zeros((len(keys), self._level), np.complex128)
        before[group, upper] = self.amplitudes
        after = np.zeros_like(before)
        self._keys = keys
        total = self.numbers(first) + self.numbers(second)
        for photons in np.unique(total):
            rows, inside = total == photons, slice(max(0, photons - top), min(photons, top) + 1)
            # Not `@`: BLAS would wake its threads for each of many thin products, and they may have to wait for cores.
            block = _block(theta, int(photons), self._level)
            after[rows, inside] = np.einsum("gn,kn->gk", before[rows, inside], block)
        lost = float(_squares(before).sum() - _squares(after).sum())
        group, upper = np.nonzero(after)
        self.amplitudes, self._keys = after[group, upper], keys[group]
        self._move(first, upper - self.numbers(first))
        self._move(second, total[group] - upper - self.numbers(second))
        return lost

    def dense(self) -> NDArray[np.complex128]:
        """The vector as an array with one axis per mode.

        Raises:
            ProgramError: It does not fit into memory.
        """
        shape = (self._level,) * len(self._place)
        needed = 16 * self._level ** len(self._place)
        if needed > self._limit:
            raise ProgramError(
                f"{len(shape)} qudits of level {self._level} have {self._level}^{len(shape)} amplitudes, "
                f"{needed / 2**30:.3g} GiB, and {self._limit / 2**30:.3g} GiB may be used"
            )
        array = np.zeros(shape, np.complex128)
        array[tuple(self.numbers(mode) for mode in self._place)] = self.amplitudes
        return array

    def _move(self, mode: int, by: NDArray[np.int64]) -> None:
        word, stride = self._place[mode]
        self._keys[:, word] += by * stride

    def _merge(self) -> None:
        """Adds up the amplitudes of states that have become the same."""
        self._keys, group = _distinct(self._keys)
        real, imag = (np.bincount(group, part) for part in (self.amplitudes.real, self.amplitudes.imag))
        self.amplitudes = real + 1j * imag

    def _require_memory(self, groups: int) -> None:
        """What the next beam splitter may fill: two blocks per group, and keys and photon numbers per state."""
        states = groups * self._level
        needed = states * (3 * 16 + 8 * (2 * self._keys.shape[1] + 4))
        if needed > self._limit:
            raise ProgramError(
                f"the state vector of {len(self._place)} qudits of level {self._level} has grown to {states} "
                f"amplitudes, for which {needed / 2**30:.3g} GiB are needed, and {self._limit / 2**30:.3g} GiB may be "
                "used: take fewer qudits or photons"
            )


def state_vector(
    kernel: Recording, modes: Sequence[int], *, strict: bool, memory_limit: int | None = None
) -> StateVector:
    """Runs a recorded kernel.

    Args:
        kernel: Without features that have no value.
        modes: The modes that the vector has: all on which the kernel acts, at least one.
        strict: Whether to refuse what the level cuts off.
        memory_limit: In bytes; by default half of the machine's memory.

    Raises:
        ProgramError: It does not fit into memory, an angle has no value, or, if strict, the level cuts something off.
    """
    assert kernel.level is not None
    state = StateVector(kernel.level, modes, memory_limit)
    for operation in kernel.operations:
        for part in _primitives(operation):
            lost = _apply(part, state)
            if strict and lost > _NOTHING_LOST:
                word = part.kind if isinstance(part, Shift) else "beam_splitter"
                raise ProgramError(
                    f"{word}() on {' and '.join(f'qudit {mode}' for mode in part.modes)} exceeds level {kernel.level}, "
                    f"which holds {kernel.level - 1} photons, with probability {lost:.3g}: raise the level, or select "
                    "the target with strict=False for the semantics of orca-photonics"
                )
    return state


def _primitives(operation: Operation) -> list[Shift | PhaseShift | BeamSplitter]:
    if isinstance(operation, Interferometer):
        return [*mesh(operation.matrix, operation.modes)]
    return [operation]


def _apply(part: Shift | PhaseShift | BeamSplitter, state: StateVector) -> float:
    """Applies an operation; returns the probability that the level cuts off."""
    if isinstance(part, BeamSplitter):
        return state.mix(part.first, part.second, _value(part.theta))
    if isinstance(part, PhaseShift):
        state.phase(part.mode, _value(part.phase))
        return 0.0
    piled_up = state.shift(part.kind, part.mode)
    return piled_up if part.kind == "create" else 0.0  # annihilating the vacuum is no matter of the level


def _value(angle: float | Angle) -> float:
    return float(angle)  # which raises for features without a value


def _squares(amplitudes: NDArray[np.complex128]) -> NDArray[np.float64]:
    squares: NDArray[np.float64] = amplitudes.real**2 + amplitudes.imag**2
    return squares


def _distinct(keys: Keys) -> tuple[Keys, NDArray[np.intp]]:
    """The distinct rows, sorted, and for each row which of them it is."""
    order = np.lexsort(keys.T)
    ordered = keys[order]
    new = np.ones(len(keys), bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    which = np.empty(len(keys), np.intp)
    which[order] = np.cumsum(new) - 1
    return ordered[new], which


@lru_cache(maxsize=4096)
def _block(theta: float, photons: int, level: int) -> NDArray[np.complex128]:
    """Amplitudes between the states ``|n, photons - n>`` of two modes, for those n that the level holds.

    The exponential of theta times the real antisymmetric ``a+ b - b+ a``, from the eigenvectors of the Hermitian
    ``i (a+ b - b+ a)``: its eigenvalues are -photons, 2 - photons, ..., photons, and no binomials cancel.
    """
    below = np.arange(photons)
    rising = np.sqrt((below + 1.0) * (photons - below))  # <n+1, N-n-1| a+ b |n, N-n>
    generator = np.diag(rising, -1) - np.diag(rising, 1)
    values, vectors = np.linalg.eigh(1j * generator)
    full = ((vectors * np.exp(-1j * theta * values)) @ vectors.conj().T).real.astype(np.complex128)
    kept = slice(max(0, photons - level + 1), min(photons, level - 1) + 1)
    return np.ascontiguousarray(full[kept, kept])
