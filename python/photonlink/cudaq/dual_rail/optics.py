"""The photonic program behind a circuit: everything but its angles, which travel as phases.

Wire w is the mode pair (2w, 2w+1), a photon in the first meaning |0>. Gate g has two more modes behind those of the
wires: empty ones if it is post-selected, with a photon each if it is heralded. One program serves all kernels with the
same sequence of CZ gates, for all their angles and measurement bases: a controller is configured once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import comb

import numpy as np
from numpy.typing import NDArray

from photonlink import _core
from photonlink.builder import LayeredBuilder
from photonlink.cudaq.dual_rail.angles import SPLITTER, angles
from photonlink.cudaq.dual_rail.entanglers import HERALDED, POST_SELECTED, Kind, choose, success_probability
from photonlink.cudaq.quake.circuit import Matrix
from photonlink.noise import Detectors, Noise
from photonlink.program import Program
from photonlink.readout import Readout

__all__ = ["Layout", "Optics"]


@dataclass(frozen=True, slots=True)
class Layout:
    """Modes and photons of a sequence of CZ gates; cheap, to ask for sizes before anything is built.

    Attributes:
        wires: Number of wires.
        entanglers: Pairs of wires.
    """

    wires: int
    entanglers: tuple[tuple[int, int], ...]

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """How each gate is done."""
        return choose(self.wires, self.entanglers)

    @property
    def heralds(self) -> int:
        """Number of photons that announce the success of gates."""
        return 2 * self.kinds.count(Kind.HERALDED)

    @property
    def modes(self) -> int:
        """Number of modes."""
        return 2 * (self.wires + len(self.entanglers))

    @property
    def photons(self) -> int:
        """Number of photons."""
        return self.wires + self.heralds

    @property
    def success_probability(self) -> float:
        """Probability that all gates succeed, with ideal photons."""
        return success_probability(self.kinds)

    @property
    def outcomes(self) -> int:
        """Number of detected states with at most one photon per mode."""
        return comb(self.modes, self.photons)

    @property
    def simulated_states(self) -> int:
        """Number of states that the simulator passes through: of one photon, two, and so on."""
        return sum(comb(self.modes, count) for count in range(1, self.photons + 1))


class Optics:
    """A program, and how its datapoints and results belong to a circuit.

    Args:
        layout: What to build.
        noise: Imperfections, or None.
        detectors: ``"pnr"`` or ``"threshold"``.
    """

    def __init__(self, layout: Layout, noise: Noise | None, detectors: Detectors) -> None:
        self.layout = layout
        self._kinds = layout.kinds
        state = [1, 0] * layout.wires
        for kind in self._kinds:
            state += [1, 1] if kind is Kind.HERALDED else [0, 0]
        builder = Program.layered(layout.modes, state)
        self._add_everything(builder)
        # Successful events have no two photons in one mode; the rest of the selection is done in `split`.
        self.program = builder.build(Readout.probs("unbunched"), noise=noise, detectors=detectors)

    def datapoint(self, blocks: Sequence[Sequence[Matrix]]) -> NDArray[np.float64]:
        """The phases (F,), in radians, that make the program do `blocks`: per wire, one more than it has gates."""
        phases = {
            _name(wire, index, part): phase
            for wire, own in enumerate(blocks)
            for index, block in enumerate(own)
            for part, phase in enumerate(angles(block))
        }
        return np.array([phases[name] for name in self.program.features], np.float64)

    def split(self, outcomes: NDArray[np.generic]) -> NDArray[np.generic]:
        """The successful ones of all outcomes.

        Args:
            outcomes: (B, outcomes), probabilities or counts in the order of the program's output keys.

        Returns:
            (B, 2**wires), indexed by the bits of the wires, wire 0 first.
        """
        return outcomes[:, self.successes]

    @cached_property
    def successes(self) -> NDArray[np.intp]:
        """(2**wires,) positions, in the program's output keys, of the event that shows each string of bits."""
        states = _states(self.program)
        rails = states[:, : 2 * self.layout.wires].reshape(len(states), self.layout.wires, 2)
        herald = states[:, 2 * self.layout.wires :] == np.array(self.program.input_state[2 * self.layout.wires :])
        valid = np.flatnonzero((rails.sum(axis=2) == 1).all(axis=1) & herald.all(axis=1))
        weights = 1 << np.arange(self.layout.wires)[::-1]
        return valid[np.argsort(rails[valid, :, 1] @ weights)]

    # ---- construction

    def _add_everything(self, builder: LayeredBuilder[Program]) -> None:
        done = [0] * self.layout.wires
        last = [sum(wire in pair for pair in self.layout.entanglers) for wire in range(self.layout.wires)]
        for gate, (pair, kind) in enumerate(zip(self.layout.entanglers, self._kinds, strict=True)):
            self._add_blocks(builder, pair, done, last)
            ancilla = 2 * (self.layout.wires + gate)
            modes = [2 * pair[0], 2 * pair[0] + 1, 2 * pair[1], 2 * pair[1] + 1, ancilla, ancilla + 1]
            builder.interferometer(self._on(modes, HERALDED if kind is Kind.HERALDED else POST_SELECTED))
            for wire in pair:
                done[wire] += 1
        self._add_blocks(builder, range(self.layout.wires), done, last)

    def _add_blocks(
        self, builder: LayeredBuilder[Program], wires: Sequence[int], done: Sequence[int], last: Sequence[int]
    ) -> None:
        """The next block of each of `wires`, without the phases at either end of a wire, which would change nothing."""
        splitters = np.eye(self.layout.modes, dtype=np.complex128)
        for wire in wires:
            splitters[2 * wire : 2 * wire + 2, 2 * wire : 2 * wire + 2] = SPLITTER
        for part, affected in (
            (0, [wire for wire in wires if done[wire] > 0]),
            (1, list(wires)),
            (2, [wire for wire in wires if done[wire] < last[wire]]),
        ):
            if affected:
                names = [_name(wire, done[wire], part) for wire in affected]
                builder.phases(names, modes=[2 * wire for wire in affected])
            if part < 2:
                builder.interferometer(splitters)

    def _on(self, modes: Sequence[int], matrix: Matrix) -> Matrix:
        unitary = np.eye(self.layout.modes, dtype=np.complex128)
        unitary[np.ix_(modes, modes)] = matrix
        return unitary


def _name(wire: int, block: int, part: int) -> str:
    return f"wire{wire}.block{block}.phase{part}"


def _states(program: Program) -> NDArray[np.uint8]:
    """(outcomes, modes) photons or clicks per mode of every output key, as an array rather than as tuples."""
    if program.noisy:
        return np.asarray(_core.kept_states(program.spec))
    return np.asarray(_core.basis_states(program.modes, program.photons, program.readout.space))
