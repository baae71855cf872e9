"""The programs that ``photonlink bench optics`` compares with, each in its own best idiom.

All compute the full Fock-space distribution of Haar, one phase per mode, Haar, in the package's own order of states.
A peer that is not installed is left out, and the report says so.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photonlink.unitary import haar_unitary

__all__ = ["Peer", "Task", "peers"]

Floats = NDArray[Any]
Runner = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Task:
    """What is computed: two interferometers with phases between them, and an input state of single photons."""

    state: list[int]
    unitaries: tuple[NDArray[np.complex128], NDArray[np.complex128]]
    threads: int

    @classmethod
    def haar(cls, state: list[int], threads: int) -> Task:
        """Random interferometers, the same for each number of modes."""
        modes = len(state)
        return cls(state, (haar_unitary(modes, modes), haar_unitary(modes, modes + 1)), threads)

    @property
    def modes(self) -> int:
        """Number of modes."""
        return len(self.state)

    @property
    def photons(self) -> int:
        """Number of photons."""
        return sum(self.state)

    def unitary(self, phases: Floats) -> NDArray[np.complex128]:
        """The matrix of one datapoint, or the matrices (B, m, m) of several."""
        first, last = self.unitaries
        matrices: NDArray[np.complex128] = last @ (np.exp(1j * phases)[..., :, None] * first)
        return matrices

    def circuit(self) -> Any:
        """The same as a Perceval circuit with parameters px0, px1, .."""
        import perceval as pcvl

        circuit = pcvl.Circuit(self.modes)
        circuit.add(0, pcvl.Unitary(pcvl.Matrix(self.unitaries[0])))
        for mode in range(self.modes):
            circuit.add(mode, pcvl.PS(pcvl.P(f"px{mode}")))
        circuit.add(0, pcvl.Unitary(pcvl.Matrix(self.unitaries[1])))
        return circuit


@dataclass(frozen=True)
class Peer:
    """A program, the module it needs, the precision it computes in, and how it is set up for a task."""

    name: str
    module: str
    precision: str
    build: Callable[[Task], Runner]
    most_states: int = 1 << 32  # larger distributions would take it minutes

    @property
    def installed(self) -> bool:
        """Whether it can be compared."""
        return importlib.util.find_spec(self.module) is not None


def _perceval(task: Task) -> Runner:
    """Perceval's backend: one backend, a new circuit per datapoint, all probabilities at once."""
    import perceval as pcvl

    backend = pcvl.SLOSBackend()
    state = pcvl.BasicState(task.state)

    def run(phases: Floats) -> Floats:
        rows = []
        for row in phases:
            backend.set_circuit(pcvl.Unitary(pcvl.Matrix(task.unitary(row))))
            backend.set_input_state(state)
            rows.append(np.asarray(backend.all_prob()))
        return np.array(rows)

    return run


def _exqalibur(task: Task) -> Runner:
    """Perceval's native simulator without Perceval around it."""
    import exqalibur

    backend = exqalibur.SLOS_V3()
    state = exqalibur.FockState(task.state)

    def run(phases: Floats) -> Floats:
        rows = []
        for row in phases:
            backend.set_unitary(task.unitary(row))
            backend.set_input_state(state)
            rows.append(np.asarray(backend.all_probabilities()))
        return np.array(rows)

    return run


def _merlin(precision: str) -> Callable[[Task], Runner]:
    def build(task: Task) -> Runner:
        """MerLin's layer without gradients: it builds the unitary and simulates."""
        import merlin
        import torch

        torch.set_num_threads(task.threads)
        dtype = getattr(torch, precision)
        layer = merlin.QuantumLayer(
            input_size=task.modes,
            circuit=task.circuit(),
            input_state=task.state,
            input_parameters=["px"],
            trainable_parameters=[],
            dtype=dtype,
            measurement_strategy=merlin.MeasurementStrategy.probs(computation_space=merlin.ComputationSpace.FOCK),
        ).eval()

        def run(phases: Floats) -> Floats:
            with torch.no_grad():
                result: Floats = layer(torch.as_tensor(phases, dtype=dtype)).numpy()
                return result

        return run

    return build


def _merlin_graph(precision: str) -> Callable[[Task], Runner]:
    def build(task: Task) -> Runner:
        """MerLin's simulation alone; the unitaries are composed by numpy."""
        import merlin
        import torch
        from merlin.pcvl_pytorch.slos_torchscript import build_slos_distribution_computegraph

        torch.set_num_threads(task.threads)
        graph = build_slos_distribution_computegraph(
            task.modes,
            task.photons,
            computation_space=merlin.ComputationSpace.FOCK,
            keep_keys=False,
            dtype=getattr(torch, precision),
        )
        dtype = torch.cfloat if precision == "float32" else torch.cdouble

        def run(phases: Floats) -> Floats:
            with torch.no_grad():
                unitaries = torch.as_tensor(task.unitary(phases), dtype=dtype)
                result: Floats = graph.compute_probs(unitaries, task.state).reshape(len(phases), -1).numpy()
                return result

        return run

    return build


def _piquasso(task: Task) -> Runner:
    """Piquasso's simulator of passive circuits: a program of a state and a matrix per datapoint."""
    piquasso = importlib.import_module("piquasso")

    simulator = piquasso.PassiveSimulator(d=task.modes, config=piquasso.Config(cutoff=task.photons + 1))
    states = math.comb(task.modes + task.photons - 1, task.photons)

    def run(phases: Floats) -> Floats:
        rows = []
        for row in phases:
            with piquasso.Program() as program:
                piquasso.Q(all) | piquasso.NumberState(task.state)
                piquasso.Q(all) | piquasso.Interferometer(task.unitary(row))
            probabilities = np.asarray(simulator.execute(program).state.fock_probabilities)
            rows.append(probabilities[-states:])  # fewer photons come first
        return np.array(rows)

    return run


def _lightworks(task: Task) -> Runner:
    """The SLOS backend of Lightworks, which gives a dict by state."""
    lightworks = importlib.import_module("lightworks")
    backend = importlib.import_module("lightworks.emulator.backends.slos").SLOSBackend()
    state = lightworks.State(task.state)
    order = [lightworks.State([int(n) for n in each]) for each in _basis(task)]

    def run(phases: Floats) -> Floats:
        rows = []
        for row in phases:
            circuit = lightworks.Unitary(task.unitary(row))._build()
            found = backend.full_probability_distribution(circuit, state)
            rows.append([found.get(each, 0.0) for each in order])
        return np.array(rows)

    return run


def _thewalrus(task: Task) -> Runner:
    """One permanent per state, by The Walrus."""
    thewalrus = importlib.import_module("thewalrus")

    columns = np.flatnonzero(task.state)
    modes_of = [np.repeat(np.arange(task.modes), each) for each in _basis(task)]
    norms = np.array([math.prod(math.factorial(int(n)) for n in each) for each in _basis(task)])

    def run(phases: Floats) -> Floats:
        rows = []
        for row in phases:
            matrix = task.unitary(row)[:, columns]
            rows.append(np.array([abs(thewalrus.perm(matrix[modes])) ** 2 for modes in modes_of]) / norms)
        return np.array(rows)

    return run


def _basis(task: Task) -> NDArray[np.uint8]:
    from photonlink import _core

    return _core.basis_states(task.modes, task.photons, "fock")


def peers() -> tuple[Peer, ...]:
    """Every peer, installed or not."""
    return (
        Peer("perceval SLOS", "perceval", "float64", _perceval),
        Peer("exqalibur", "exqalibur", "float64", _exqalibur),
        Peer("merlin float32", "merlin", "float32", _merlin("float32")),
        Peer("merlin float64", "merlin", "float64", _merlin("float64")),
        Peer("merlin graph float32", "merlin", "float32", _merlin_graph("float32")),
        Peer("piquasso", "piquasso", "float64", _piquasso, most_states=20_000),
        Peer("lightworks SLOS", "lightworks", "float64", _lightworks, most_states=20_000),
        Peer("thewalrus permanents", "thewalrus", "float64", _thewalrus, most_states=20_000),
    )
