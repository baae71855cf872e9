"""Circuits on linear optics, against the state vector and against gates that Perceval builds."""

import itertools
import math

import numpy as np
import perceval as pcvl
import pytest
from perceval.components import catalog
from references import state_of
from scipy.stats import unitary_group

import photonlink as phl
from photonlink.cudaq.dual_rail import statevector
from photonlink.cudaq.dual_rail.angles import SPLITTER, angles
from photonlink.cudaq.dual_rail.entanglers import HERALDED, POST_SELECTED, Kind, choose
from photonlink.cudaq.dual_rail.lowering import lower
from photonlink.cudaq.dual_rail.optics import Layout, Optics
from photonlink.cudaq.quake.circuit import CZ, Circuit, Gate


def _circuit(rng, wires, pairs):
    """Random gates on all wires before, between and after CZ gates on `pairs`."""
    operations = []
    for pair in (*pairs, None):
        operations += [Gate(wire, unitary_group.rvs(2, random_state=rng)) for wire in range(wires)]
        if pair is not None:
            operations.append(CZ(*pair))
    return Circuit(wires, tuple(range(wires)), tuple(operations), ())


def _by_photons(lowered):
    """Probabilities of the bits given success, and the probability of success."""
    optics = Optics(Layout(lowered.wires, lowered.entanglers), None, "pnr")
    with phl.reserve("sim", optics.program) as session:
        values, info = session.infer(optics.datapoint(lowered.measured_in({}))[None], return_info=True)
    successes = optics.split(values)[0]
    return successes / successes.sum(), float(successes.sum() * info.kept_fraction[0])


def _reference(circuit):
    return np.abs(state_of(circuit).ravel()) ** 2


@pytest.mark.parametrize("case", range(20))
def test_random_circuits(case):
    """Post-selected and heralded gates in any mixture give the state vector's probabilities, and are as probable as
    the gates say: every order of CZ gates shows whether each could be post-selected."""
    rng = np.random.default_rng(case)
    wires = int(rng.integers(2, 5))
    pairs = [tuple(int(k) for k in rng.choice(wires, 2, replace=False)) for _ in range(int(rng.integers(1, 6)))]
    circuit = _circuit(rng, wires, pairs)
    lowered = lower(circuit)
    ours, success = _by_photons(lowered)
    assert ours == pytest.approx(_reference(circuit), abs=1e-12)
    assert success == pytest.approx(Layout(wires, lowered.entanglers).success_probability, rel=1e-9)
    assert statevector.probabilities(wires, lowered.entanglers, lowered.blocks) == pytest.approx(ours, abs=1e-12)


def test_post_selection_where_it_is_not_valid_would_be_wrong():
    """The choice is not overcautious: with both gates of a cycle post-selected, other probabilities come out."""
    circuit = _circuit(np.random.default_rng(1), 2, [(0, 1), (0, 1)])
    lowered = lower(circuit)

    class Wrong(Layout):
        kinds = (Kind.POST_SELECTED, Kind.POST_SELECTED)
        modes, photons = 8, 2

    optics = Optics(Wrong(2, lowered.entanglers), None, "pnr")
    values = optics.split(optics.program.simulate(optics.datapoint(lowered.measured_in({}))[None]))[0]
    assert np.abs(values / values.sum() - _reference(circuit)).max() > 0.01


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([(0, 1)], "P"),
        ([(0, 1), (0, 1)], "HP"),
        ([(0, 1), (1, 2), (2, 3)], "PPP"),
        ([(0, 1), (1, 2), (0, 2)], "HPP"),
        ([(0, 1), (2, 3), (2, 3)], "PHP"),  # a heralded gate elsewhere does not matter
        ([(0, 1), (0, 1), (1, 2)], "HPP"),
        ([(0, 1), (1, 2), (1, 2)], "PHP"),  # nor one on the same wire, as long as it leaves the two sides apart
    ],
)
def test_choice(pairs, expected):
    assert "".join(kind.name[0] for kind in choose(4, pairs)) == expected


@pytest.mark.parametrize("unitary", [POST_SELECTED, HERALDED], ids=["post-selected", "heralded"])
def test_gates_are_unitary(unitary):
    assert np.abs(unitary @ unitary.conj().T - np.eye(6)).max() < 1e-15


def _with_perceval(circuit, gate):
    """The same two-qubit circuit with Perceval's own gate: probabilities given success, and their sum."""
    processor = pcvl.Processor("SLOS", 4)
    for one in circuit.operations:
        if isinstance(one, CZ):
            processor.add([0, 1, 2, 3], catalog[gate].build_processor())
        else:
            processor.add(2 * one.wire, pcvl.Unitary(pcvl.Matrix(one.matrix)))
    processor.with_input(pcvl.BasicState([1, 0, 1, 0]))
    processor.min_detected_photons_filter(2)
    outcome = processor.probs(precision=0)
    values = np.zeros(4)
    for state, probability in outcome["results"].items():
        if state[0] + state[1] == 1 and state[2] + state[3] == 1:
            values[2 * state[1] + state[3]] = probability
    return values / values.sum(), values.sum() * outcome["global_perf"]


@pytest.mark.parametrize(("gate", "repeats"), [("postprocessed cz", 1), ("heralded cz", 1), ("heralded cz", 2)])
def test_against_perceval(gate, repeats):
    """Perceval's post-selected CZ is the same gate as ours; two of its heralded ones are one of each of ours."""
    circuit = _circuit(np.random.default_rng(7), 2, [(0, 1)] * repeats)
    ours, success = _by_photons(lower(circuit))
    theirs, their_success = _with_perceval(circuit, gate)
    assert ours == pytest.approx(theirs, abs=1e-6)  # Perceval rounds the parameters of its heralded gate
    exponent = {"postprocessed cz": 1 / 9, "heralded cz": 2 / 27}
    assert their_success == pytest.approx(exponent[gate] ** repeats, rel=1e-3)
    assert success == pytest.approx(1 / 9 * (2 / 27) ** (repeats - 1), rel=1e-9)


@pytest.mark.parametrize("gate", ["h", "x"])
def test_equal_gates_annul_each_other(gate):
    """Two CZ with only phases between them are none; with anything else between they stay."""
    phases = [Gate(wire, np.diag([1, np.exp(0.3j * (wire + 1))])) for wire in range(2)]
    between = Gate(0, np.array([[1, 1], [1, -1]]) / math.sqrt(2)) if gate == "h" else Gate(0, np.diag([1, 1j]))
    rotate = [Gate(wire, unitary_group.rvs(2, random_state=wire)) for wire in range(2)]
    circuit = Circuit(2, (0, 1), (*rotate, CZ(0, 1), *phases, between, CZ(1, 0), *rotate), ())
    lowered = lower(circuit)
    assert len(lowered.entanglers) == (2 if gate == "h" else 0)
    assert _by_photons(lowered)[0] == pytest.approx(_reference(circuit), abs=1e-12)


def test_angles():
    def made(first, middle, last):
        upper = [np.diag([np.exp(1j * phase), 1]) for phase in (first, middle, last)]
        return upper[2] @ SPLITTER @ upper[1] @ SPLITTER @ upper[0]

    rng = np.random.default_rng(0)
    tiny = [np.array([[np.cos(e), -np.sin(e)], [np.sin(e), np.cos(e)]]) for e in (0, 1e-13, 1e-11, 1e-7, np.pi / 2)]
    for unitary in [*unitary_group.rvs(2, size=50, random_state=rng), *tiny, np.diag([1, 1j]), np.eye(2)[::-1]]:
        copy = made(*angles(unitary))
        common = np.vdot(copy, unitary) / 2
        assert np.abs(copy * common - unitary).max() < 3e-12


def test_one_program_for_all_angles_and_bases():
    """What changes between two kernels of one shape travels as phases; the controller stays configured."""
    rng = np.random.default_rng(3)
    first, second = (lower(_circuit(rng, 3, [(0, 1), (1, 2)])) for _ in range(2))
    programs = [Optics(Layout(one.wires, one.entanglers), None, "pnr").program for one in (first, second)]
    assert programs[0].digest == programs[1].digest


@pytest.mark.parametrize("noise", [phl.Noise(indistinguishability=0.9), phl.Noise(g2=0.05), phl.Noise(phase_error=0.1)])
def test_state_vector_refuses_noise(noise):
    with pytest.raises(phl.errors.ProgramError, match="cannot represent"):
        statevector.check_noise(noise)


def test_noise_against_perceval():
    """A Bell pair with partly distinguishable photons, on the very optics: Perceval simulates the same unitary."""
    h = np.array([[1, 1], [1, -1]]) / math.sqrt(2)
    lowered = lower(Circuit(2, (0, 1), (Gate(0, h), Gate(1, h), CZ(0, 1), Gate(1, h)), ()))
    noise = phl.Noise(indistinguishability=0.85)
    optics = Optics(Layout(2, lowered.entanglers), noise, "pnr")
    x = optics.datapoint(lowered.measured_in({}))
    values = optics.split(optics.program.simulate(x[None]))[0]
    unitary = np.eye(6, dtype=complex)
    phases = optics.program.encode(x)[0]
    for layer, matrix in enumerate(optics.program.interferometers):
        unitary = matrix @ unitary
        shift = np.zeros(6)
        here = optics.program.phase_layers == layer
        shift[optics.program.phase_modes[here]] = phases[here]
        unitary = np.exp(1j * shift)[:, None] * unitary
    processor = pcvl.Processor(
        "SLOS", pcvl.Unitary(pcvl.Matrix(unitary)), noise=pcvl.NoiseModel(indistinguishability=0.85)
    )
    processor.min_detected_photons_filter(2)
    processor.with_input(pcvl.BasicState([1, 0, 1, 0, 0, 0]))
    found = processor.probs(precision=0)["results"]
    theirs = np.array(
        [found[pcvl.BasicState([1 - a, a, 1 - b, b, 0, 0])] for a, b in itertools.product((0, 1), repeat=2)]
    )
    assert values / values.sum() == pytest.approx(theirs / theirs.sum(), abs=1e-9)
    assert values[1] + values[2] > 0.001  # and it is not the ideal pair
