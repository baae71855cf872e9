"""What a layer returns: MerLin's measurement strategies as a readout, and a rule from its outputs to the layer's.

MerLin's objects are known by their attributes, so that neither MerLin nor torch has to be installed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photonlink.errors import ProgramError
from photonlink.readout import LexGrouping, ModGrouping, Readout, Space

__all__ = ["Columns", "Measurement", "measurement"]

Key = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Columns:
    """How outputs of a program become columns of a layer: each output is added to one column.

    Attributes:
        column: (program outputs,) int64, the column of each output.
        keys: What each column is about.
    """

    column: NDArray[np.int64]
    keys: tuple[Key, ...]

    def collect(self, y: NDArray[Any]) -> NDArray[Any]:
        """Columns (..., len(keys)) of outputs (..., program outputs)."""
        out = np.zeros((*y.shape[:-1], len(self.keys)), y.dtype)
        np.add.at(out.T, self.column, y.T)
        return out


@dataclass(frozen=True)
class Measurement:
    """A measurement strategy, understood.

    Attributes:
        readout: What the program measures, before any grouping.
        modes: Measured modes of a partial measurement, else None.
        occupancy: Whether states are told apart by which modes are occupied only.
        grouping: Applied to the outputs last, or None.
        amplitudes: Whether amplitudes of the readout's states are wanted, which only a simulation knows.
    """

    readout: Readout
    modes: tuple[int, ...] | None = None
    occupancy: bool = False
    grouping: LexGrouping | ModGrouping | None = None
    amplitudes: bool = False

    def finish(
        self, keys: Callable[[Readout], tuple[Key, ...]], order: Sequence[Key] | None = None
    ) -> tuple[Readout, Columns | None]:
        """The readout for the program, and the rule for its outputs; None where they are the layer's as they are.

        Args:
            keys: Output keys of the program with a readout.
            order: Output keys of the layer before any grouping; by default those of the program, or, where several
                outputs are added up, all that occur in ascending order, as in MerLin.

        Raises:
            ProgramError: The program has outputs that the layer does not have.
        """
        summed = self.occupancy or self.modes is not None
        if order is None and not summed:
            return self._grouped(), None
        labels = keys(self.readout)
        if self.modes is not None:
            labels = tuple(tuple(key[mode] for mode in self.modes) for key in labels)
        order = sorted(set(labels)) if order is None else order
        if labels == tuple(order) and not summed:
            return self._grouped(), None
        place = {key: column for column, key in enumerate(order)}
        unknown = next((label for label in labels if label not in place), None)
        if unknown is not None:
            raise ProgramError(f"the program has an output {unknown} that the layer lacks")
        column = np.array([place[label] for label in labels], np.int64)
        if self.grouping is None:
            return self.readout, Columns(column, tuple(order))
        groups = self.grouping.output_size
        width = -(-len(order) // groups)
        group = column // width if isinstance(self.grouping, LexGrouping) else column % groups
        return self.readout, Columns(group, tuple((index,) for index in range(groups)))

    def _grouped(self) -> Readout:
        return self.readout if self.grouping is None else Readout.probs(self.readout.space, self.grouping)


def measurement(strategy: Any, modes: int, space: Space | None = None) -> Measurement:
    """The measurement of a strategy: a Readout, one of MerLin's, or None for probabilities over unbunched states.

    Args:
        strategy: ``photonlink.Readout``, ``merlin.MeasurementStrategy`` or None.
        modes: Number of modes.
        space: Instead of the strategy's own computation space.

    Raises:
        ProgramError: The strategy is of another type, or measures modes that do not exist.
    """
    if strategy is None:
        strategy = Readout.probs()
    if isinstance(strategy, Readout):
        return Measurement(strategy if strategy.grouping is None else _ungrouped(strategy), grouping=strategy.grouping)
    kind = getattr(getattr(strategy, "type", None), "name", None)
    if kind not in ("PROBABILITIES", "MODE_EXPECTATIONS", "PARTIAL", "AMPLITUDES"):
        raise ProgramError(
            f"measurement_strategy is a {type(strategy).__name__}, expected a photonlink.Readout or a "
            "merlin.MeasurementStrategy, such as MeasurementStrategy.probs(ComputationSpace.FOCK)"
        )
    counted: Space = strategy.computation_space.value if space is None else space
    if kind == "AMPLITUDES":
        return Measurement(Readout.probs(counted), amplitudes=True)
    if kind == "MODE_EXPECTATIONS":
        return Measurement(Readout.mode_expectations(counted))
    probabilities = Readout.probs(counted, strategy.grouping)
    measured = _checked_modes(strategy.measured_modes, modes) if kind == "PARTIAL" else None
    occupancy = bool(getattr(strategy, "occupancy_readout", False))
    readout = Readout.click_patterns(counted) if occupancy else _ungrouped(probabilities)
    return Measurement(readout, measured, occupancy, probabilities.grouping)


def _ungrouped(readout: Readout) -> Readout:
    return Readout(readout.kind, readout.space)


def _checked_modes(measured: Sequence[int], modes: int) -> tuple[int, ...]:
    if not measured or not all(0 <= mode < modes for mode in measured):
        raise ProgramError(f"a partial measurement measures {list(measured)}, expected some of the {modes} modes")
    return tuple(sorted(set(measured)))
