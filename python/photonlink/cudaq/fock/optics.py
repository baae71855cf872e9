"""Which kernels are linear optics on a Fock state, so that a photonic processor can run them, and which are not.

A kernel is when it first prepares a photon number in each mode, and from then on only shifts phases and mixes modes;
and when no mode can ever meet more photons than its level holds. The words that shift photon numbers are preparations
as long as the light of their mode has met no other light; ``create`` after that is not physical optics (it lacks the
factor of a ladder operator, and no component does it), and photons beyond the level are dropped amplitude by amplitude,
beam splitter by beam splitter: both are left to the state vector of :mod:`photonlink.cudaq.fock.statevector`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from photonlink._assembler import Assembler
from photonlink.cudaq.fock.angle import Angle
from photonlink.cudaq.fock.mesh import beam_splitter_matrix
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
from photonlink.noise import Noise
from photonlink.program import Program
from photonlink.readout import Readout

__all__ = ["NotLinear", "Optics", "linear_optics", "program"]


@dataclass(frozen=True, slots=True)
class Optics:
    """A kernel as linear optics.

    Attributes:
        level: Dimension of the qudits.
        photons: Photons that were put into each mode.
        components: What their light meets, in order.
        lit: Modes whose light meets other modes, ascending; in all others the photon number stays what it was.
        saturated: Modes in which the level had no room for another ``create``.
    """

    level: int
    photons: tuple[int, ...]
    components: tuple[PhaseShift | BeamSplitter | Interferometer, ...]
    lit: tuple[int, ...]
    saturated: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NotLinear:
    """Why a kernel is not linear optics on a Fock state.

    Attributes:
        reason: In words.
        needed_level: The level from which on it would be, if its level alone is too small.
    """

    reason: str
    needed_level: int | None = None


def _shifted(kind: ShiftKind, number: int, level: int) -> int:
    """The photon number that ``create``, ``plus`` or ``annihilate`` makes of a photon number."""
    if kind == "create":
        return min(number + 1, level - 1)
    if kind == "plus":
        return (number + 1) % level
    return max(number - 1, 0)


class _Tracker:
    """Follows which modes share their light, and how much of it there is."""

    def __init__(self, modes: int, level: int) -> None:
        self.level = level
        self.photons = [0] * modes
        self.groups = [{mode} for mode in range(modes)]  # one set object per group of modes that share light
        self.components: list[PhaseShift | BeamSplitter | Interferometer] = []
        self.crowd = 0  # most photons that can meet in one mode
        self.saturated: set[int] = set()

    def lit(self, mode: int) -> bool:
        return len(self.groups[mode]) > 1

    def shift(self, operation: Shift) -> NotLinear | None:
        if self.lit(operation.mode):
            return NotLinear(f"{operation.kind}() acts on qudit {operation.mode} after its light has met other light")
        number = self.photons[operation.mode]
        if operation.kind == "create" and number == self.level - 1:
            self.saturated.add(operation.mode)
        self.photons[operation.mode] = _shifted(operation.kind, number, self.level)
        return None

    def mix(self, operation: BeamSplitter | Interferometer) -> None:
        joined = set().union(*(self.groups[mode] for mode in operation.modes))
        photons = sum(self.photons[mode] for mode in joined)
        if photons == 0:
            return  # the vacuum stays as it is
        for mode in joined:
            self.groups[mode] = joined
        self.crowd = max(self.crowd, photons)
        self.components.append(operation)

    def apply(self, operation: Operation) -> NotLinear | None:
        if isinstance(operation, Shift):
            return self.shift(operation)
        if isinstance(operation, PhaseShift):
            self.components.append(operation)
        else:
            self.mix(operation)
        return None


def linear_optics(kernel: Recording) -> Optics | NotLinear:
    """Sorts a recorded kernel.

    Args:
        kernel: With at least one qudit.
    """
    assert kernel.level is not None
    tracker = _Tracker(kernel.modes, kernel.level)
    for operation in kernel.operations:
        obstacle = tracker.apply(operation)
        if obstacle is not None:
            return obstacle
    if tracker.crowd >= kernel.level:
        return NotLinear(
            f"up to {tracker.crowd} photons can meet in one mode, and level {kernel.level} holds {kernel.level - 1}",
            needed_level=tracker.crowd + 1,
        )
    lit = tuple(mode for mode in range(kernel.modes) if tracker.lit(mode))
    kept = tuple(part for part in tracker.components if tracker.lit(part.modes[0]))
    return Optics(kernel.level, tuple(tracker.photons), kept, lit, tuple(sorted(tracker.saturated)))


def program(
    optics: Optics, modes: tuple[int, ...], readout: Readout, *, features: int = 0, noise: Noise | None = None
) -> Program:
    """The program whose modes are the given ones.

    Args:
        optics: What it does.
        modes: Modes of the kernel that the program has, at least those that are lit; at least one holds a photon.
        readout: What a datapoint returns.
        features: Number of features, named x0, x1, ...
        noise: Imperfections.

    Raises:
        ProgramError: There is no photon, or the readout does not go with it.
    """
    place = {mode: index for index, mode in enumerate(modes)}
    assembler = Assembler(len(modes))
    for part in optics.components:
        if isinstance(part, PhaseShift):
            _append_phase(assembler, place[part.mode], part.phase)
        elif isinstance(part, Interferometer):
            assembler.fixed(part.matrix, [place[mode] for mode in part.modes])
        else:
            _append_splitter(assembler, place[part.first], place[part.second], part.theta)
    state = [optics.photons[mode] for mode in modes]
    if not any(state):
        raise ProgramError("the kernel prepares no photon: create() at least one")
    names = [f"x{index}" for index in range(features)]
    return assembler.build(Program, state, names, readout, interference=True, wrap=False, dac_bits=0, noise=noise)


def _append_phase(assembler: Assembler, mode: int, phase: float | Angle) -> None:
    if isinstance(phase, Angle):
        assembler.phase(mode, {f"x{index}": weight for index, weight in phase.weights.items()}, phase.offset)
    else:
        assembler.fixed(np.array([[np.exp(1j * phase)]]), [mode])


# Eigenvectors of a beam splitter, whose eigenvalues are exp(i theta) and exp(-i theta).
_SUPERMODES = np.array([[1, 1], [1j, -1j]]) / np.sqrt(2)


def _append_splitter(assembler: Assembler, first: int, second: int, theta: float | Angle) -> None:
    if not isinstance(theta, Angle):
        assembler.fixed(beam_splitter_matrix(theta), [first, second])
        return
    assembler.fixed(_SUPERMODES.conj().T, [first, second])
    _append_phase(assembler, first, theta)
    _append_phase(assembler, second, -theta)
    assembler.fixed(_SUPERMODES, [first, second])
