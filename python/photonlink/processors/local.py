"""Perceval on this machine, as a processor: an independent simulation of the same program."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photonlink import _checks, _core
from photonlink.errors import ProgramError
from photonlink.noise import Noise
from photonlink.processors.base import Processor, Task
from photonlink.processors.circuits import TaskCircuit

__all__ = ["PercevalProcessor"]

Floats = NDArray[np.float64]

# Perceval trims what is less likely than this.
_PRECISION = 1e-30


class PercevalProcessor(Processor):
    """Perceval's exact simulation (SLOS), and its ``NoiseModel`` for noisy programs.

    It gives probabilities, for exact results; samples are drawn from them by photonlink. Hence the same seed gives the
    same samples as the native simulator, but where rounding decides.

    Args:
        preset: Name of the chip whose sources and detectors it has, or ``None`` for those of the program itself.
        timeout: Seconds that loading a program, or one datapoint, may take.

    Raises:
        ProgramError: There is no such preset, or it describes no chip.

    Examples:
        >>> import numpy as np
        >>> import photonlink as phl
        >>> program = phl.Program.reservoir(4, 2, features=4)
        >>> with phl.reserve("perceval:slos", program) as session:
        ...     np.allclose(session.infer(np.ones(4)), program.simulate(np.ones(4)), atol=1e-12)
        True
    """

    simulated = True
    exact = True

    def __init__(self, preset: str | None = None, *, timeout: float = 600.0) -> None:
        importlib.import_module("perceval")  # takes seconds: better now than in the first session
        self.noise = None if preset is None else Noise.preset(preset)
        self.name = f"perceval:{preset or 'slos'}"
        self.timeout = _checks.number("timeout", timeout, 0.0, "a number of seconds")
        self._probabilities: Callable[[Floats], Floats] | None = None

    def configure(self, task: Task) -> None:
        """Build circuit and simulator.

        Raises:
            ProgramError: The program's noise is not that of the chip.
        """
        if self.noise is not None and (task.noise, task.detectors) != (self.noise, "threshold"):
            raise ProgramError(
                f"{self.name} has the sources and detectors of that chip, and the program has others: reserve it by "
                "that name with a program without noise, or give it noise=Noise.preset(...), detectors='threshold'"
            )
        ideal = Noise(g2_distinguishable=task.noise.g2_distinguishable, phase_imprecision=task.noise.phase_imprecision)
        plain = task.noise == ideal and task.interference and task.detectors == "pnr"
        self._probabilities = _Ideal(task) if plain and task.least_photons == task.photons else _Noisy(task)

    def probabilities(self, phases: Floats) -> Floats:
        """See :meth:`Processor.probabilities`."""
        assert self._probabilities is not None
        return self._probabilities(phases)


class _Ideal:
    """Every photon arrives: the backend's distribution, of which the kept states are picked."""

    def __init__(self, task: Task) -> None:
        import perceval as pcvl

        self._task = task
        self._circuit = TaskCircuit(task)
        self._backend: Any = pcvl.SLOSBackend()
        self._kept = None if task.space == "fock" else _positions(task)

    def __call__(self, phases: Floats) -> Floats:
        self._circuit.set(self._task.executed(phases))
        self._backend.set_circuit(self._circuit.circuit)
        self._backend.set_input_state(self._circuit.input_state)
        everything = np.asarray(self._backend.all_prob(), np.float64)
        return everything if self._kept is None else everything[self._kept]


def _positions(task: Task) -> NDArray[np.intp]:
    """Where the kept states lie in the Fock basis, whose order is Perceval's."""
    basis = _core.basis_states(task.modes, task.photons, "fock")
    position = {state.tobytes(): number for number, state in enumerate(np.ascontiguousarray(basis, np.uint8))}
    return np.array([position[state.tobytes()] for state in task.kept_states], np.intp)


class _Noisy:
    """Imperfect sources and detectors by Perceval's processor. Phases are executed as drawn, not drawn again."""

    def __init__(self, task: Task) -> None:
        import perceval as pcvl

        self._task = task
        self._circuit = TaskCircuit(task)
        noise = task.noise
        model = pcvl.NoiseModel(
            brightness=noise.brightness,
            transmittance=noise.transmittance,
            indistinguishability=noise.indistinguishability if task.interference else 0.0,
            g2=noise.g2,
            g2_distinguishable=noise.g2_distinguishable or not task.interference,
        )
        experiment: Any = pcvl.Experiment(self._circuit.circuit, noise=model)
        if task.detectors == "threshold":
            for mode in range(task.modes):
                experiment.add(mode, pcvl.Detector.threshold())
        experiment.with_input(self._circuit.input_state)
        experiment.min_detected_photons_filter(task.least_photons)
        self._processor: Any = pcvl.Processor("SLOS", experiment)
        self._processor.compute_physical_logical_perf(True)
        self._position = {tuple(state): number for number, state in enumerate(task.kept_states.tolist())}

    def __call__(self, phases: Floats) -> Floats:
        self._circuit.set(self._task.executed(phases))
        answer = self._processor.probs(precision=_PRECISION)
        passed = float(answer["physical_perf"])  # probability of enough photons; Perceval renormalises by it
        values = np.zeros(len(self._position))
        for state, probability in answer["results"].items():
            number = self._position.get(tuple(state))
            if number is not None:
                values[number] = probability * passed
        return values
