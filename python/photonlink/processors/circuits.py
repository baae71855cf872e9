"""Tasks as Perceval circuits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from photonlink.processors.base import Task

__all__ = ["TaskCircuit"]


class TaskCircuit:
    """The circuit of a task, built once; a datapoint sets its parameters.

    Attributes:
        circuit: A ``perceval.Circuit``.
        input_state: A ``perceval.BasicState``.
    """

    def __init__(self, task: Task) -> None:
        import perceval as pcvl

        self.input_state = pcvl.BasicState(list(task.input_state))
        self._parameters = [pcvl.P(f"phase{number}") for number in range(task.phase_layers.size)]
        self.circuit: Any = pcvl.Circuit(task.modes)
        for layer, matrix in enumerate(task.interferometers):
            self.circuit.add(0, pcvl.Unitary(pcvl.Matrix(matrix)))
            for number in np.flatnonzero(task.phase_layers == layer).tolist():
                self.circuit.add(int(task.phase_modes[number]), pcvl.PS(self._parameters[number]))
        self.set(np.zeros(len(self._parameters)))

    def set(self, phases: NDArray[np.float64]) -> None:
        """Set the phase shifters to `phases` (P,), radians."""
        for parameter, phase in zip(self._parameters, phases.tolist(), strict=True):
            parameter.set_value(phase % (2 * np.pi))
