"""Programs built from Perceval circuits give the probabilities that Perceval and MerLin give."""

from __future__ import annotations

import itertools
import math

import numpy as np
import perceval as pcvl
import pytest
from perceval.backends import SLOSBackend
from perceval.simulators import Simulator

from photonlink.program import Program
from photonlink.readout import LexGrouping, ModGrouping, Readout

CONVENTIONS = (pcvl.BS.Rx, pcvl.BS.Ry, pcvl.BS.H)


def haar(rng, modes):
    """LAPACK's QR, so that the test does not lean on the package's own generator."""
    q, r = np.linalg.qr(rng.standard_normal((modes, modes)) + 1j * rng.standard_normal((modes, modes)))
    return q * (np.diag(r) / abs(np.diag(r)))


def fixed_block(rng, modes):
    """A random fixed component on `modes` modes: black-box unitary, mesh, permutation, or nested beam splitters."""
    kind = rng.integers(4)
    if kind == 0:
        return pcvl.Unitary(pcvl.Matrix(haar(rng, modes)))
    if kind == 1:
        angles = rng.uniform(0, 2 * np.pi, (modes * modes, 2))
        shape = pcvl.InterferometerShape.RECTANGLE if rng.integers(2) else pcvl.InterferometerShape.TRIANGLE
        return pcvl.GenericInterferometer(
            modes,
            lambda i: pcvl.BS() // pcvl.PS(angles[i, 0]) // pcvl.BS() // pcvl.PS(angles[i, 1]),
            shape=shape,
        )
    if kind == 2:
        return pcvl.PERM([int(k) for k in rng.permutation(modes)])
    nested = pcvl.Circuit(modes, name="nested")
    for _ in range(modes):
        splitter = CONVENTIONS[rng.integers(3)](*(float(v) for v in rng.uniform(0, 2 * np.pi, 5)))
        nested.add(int(rng.integers(modes - 1)), splitter)
    inner = pcvl.Circuit(modes).add(0, nested, merge=False)
    inner.barrier()
    return inner


def input_block(rng, circuit, parameters):
    """Adds components driven by inputs: phase shifters, expressions, and beam splitters in every convention."""
    modes = circuit.m
    for mode in range(modes):
        p, q = (parameters[k] for k in rng.integers(len(parameters), size=2))
        kind = rng.integers(5)
        if kind == 0:
            circuit.add(mode, pcvl.PS(p))
        elif kind == 1:
            a, b, c = (float(v) for v in rng.uniform(-2, 2, 3))
            circuit.add(mode, pcvl.PS(a * p + (q * b + c)))
        elif kind == 2 and mode + 1 < modes:
            convention = CONVENTIONS[rng.integers(3)]
            constant = [float(v) for v in rng.uniform(0, 2 * np.pi, 4)]
            where = rng.integers(5)
            arguments = [*constant[:where], 0.5 * p + 0.1, *constant[where:]]
            circuit.add(mode, convention(*arguments))
        elif kind == 3 and mode + 1 < modes:
            circuit.add(mode, CONVENTIONS[rng.integers(3)](p, phi_tl=-p, phi_br=p + 1.0))


def random_case(seed):
    """Circuit, parameters in feature order, and input state."""
    rng = np.random.default_rng(seed)
    modes, photons = int(rng.integers(2, 9)), int(rng.integers(1, 6))
    space = ("fock", "unbunched", "dual_rail")[seed % 3]
    if space == "dual_rail":
        photons = max(1, modes // 2)
        modes = 2 * photons
    elif space == "unbunched":
        photons = min(photons, modes)
    parameters = [pcvl.P(f"px{k}") for k in rng.permutation(rng.integers(1, modes + 1))]
    circuit = pcvl.Circuit(modes)
    for _ in range(rng.integers(1, 4)):
        circuit.add(0, fixed_block(rng, modes), merge=bool(rng.integers(2)))
        input_block(rng, circuit, parameters)
    circuit.add(int(rng.integers(modes)), pcvl.PS(parameters[0]))
    circuit.add(0, pcvl.Unitary(pcvl.Matrix(haar(rng, modes))))  # every output space gets some light
    state = np.bincount(rng.integers(modes, size=photons), minlength=modes).tolist()
    return rng, circuit, state, space


def perceval_fock(circuit, values, state):
    """Perceval's distribution over the Fock space, from the backend itself: simulators trim small probabilities."""
    for parameter in circuit.get_parameters():
        parameter.set_value(values[parameter.name])
    backend = SLOSBackend()
    backend.set_circuit(circuit)
    fock_state = pcvl.BasicState(state)
    probabilities = backend.all_prob(fock_state)
    keys = [tuple(key) for key in pcvl.allstate_iterator(fock_state)]
    return dict(zip(keys, probabilities, strict=True))


def in_space(key, space):
    if space == "unbunched":
        return max(key) <= 1
    return space == "fock" or all(key[k] + key[k + 1] == 1 for k in range(0, len(key), 2))


def renormalised(distribution, space):
    kept = {key: value for key, value in distribution.items() if in_space(key, space)}
    total = sum(kept.values())
    return {key: value / total for key, value in kept.items()}


@pytest.mark.parametrize("seed", range(200))
def test_random_programs_agree_with_perceval(seed):
    rng, circuit, state, space = random_case(seed)
    program = Program.from_perceval(circuit, state, ["px"], Readout.probs(space=space))
    x = rng.uniform(0, 2 * np.pi, (3, len(program.features)))
    exact = program.simulate(x)
    single = program.simulate(x, precision="float32")
    assert exact.dtype == np.float64
    assert single.dtype == np.float32
    for row in range(3):
        values = dict(zip(program.features, x[row].tolist(), strict=True))
        expected = renormalised(perceval_fock(circuit, values, state), space)
        assert set(program.output_keys) == set(expected)
        reference = np.array([expected[key] for key in program.output_keys])
        assert abs(exact[row] - reference).max() < 1e-10
        assert abs(single[row] - reference).max() < 2e-6


@pytest.mark.parametrize("space", ["fock", "unbunched"])
@pytest.mark.parametrize("seed", range(5))
def test_other_readouts_are_those_of_percevals_distribution(seed, space):
    rng = np.random.default_rng(1000 + seed)
    modes = 5
    circuit = pcvl.Circuit(modes).add(0, pcvl.Unitary(pcvl.Matrix(haar(rng, modes))))
    for mode in range(modes):
        circuit.add(mode, pcvl.PS(pcvl.P(f"px{mode}")))
    circuit.add(0, pcvl.Unitary(pcvl.Matrix(haar(rng, modes))))
    state = [1, 0, 2, 0, 0] if seed % 2 else [1, 0, 1, 0, 1]
    x = rng.uniform(0, 2 * np.pi, modes)
    program = Program.from_perceval(circuit, state, ["px"])
    values = dict(zip(program.features, x.tolist(), strict=True))
    distribution = renormalised(perceval_fock(circuit, values, state), space)

    def mean(observable):
        return sum(p * observable(key) for key, p in distribution.items())

    def check(readout, expected):
        got = program.replace(readout=readout).simulate(x)
        assert abs(got - np.array(expected)).max() < 1e-10

    check(Readout.mode_expectations(space), [mean(lambda key, i=i: key[i]) for i in range(modes)])
    check(Readout.click_probabilities(space), [mean(lambda key, i=i: key[i] > 0) for i in range(modes)])
    pairs = itertools.combinations(range(modes), 2)
    check(Readout.correlators(space), [mean(lambda key, i=i, j=j: key[i] * key[j]) for i, j in pairs])
    patterns = program.replace(readout=Readout.click_patterns(space)).output_keys
    check(
        Readout.click_patterns(space),
        [mean(lambda key, pattern=pattern: tuple(int(c > 0) for c in key) == pattern) for pattern in patterns],
    )


@pytest.mark.parametrize("seed", range(4))
def test_without_interference_photons_are_percevals_distinguishable_ones(seed):
    rng = np.random.default_rng(seed)
    circuit = pcvl.Circuit(4).add(0, pcvl.Unitary(pcvl.Matrix(haar(rng, 4))))
    circuit.add(1, pcvl.PS(pcvl.P("px")))
    circuit.add(0, pcvl.Unitary(pcvl.Matrix(haar(rng, 4))))
    program = Program.from_perceval(circuit, [1, 1, 0, 1], readout=Readout.probs(space="fock"), interference=False)
    x = float(rng.uniform(0, 2 * np.pi))
    got = program.simulate([x])
    circuit.get_parameters()[0].set_value(x)
    simulator = Simulator(SLOSBackend())
    simulator.set_precision(1e-16)
    simulator.set_circuit(circuit)
    expected = simulator.probs(pcvl.NoisyFockState("|{0},{1},0,{2}>"))
    reference = np.array([expected[pcvl.BasicState(list(key))] for key in program.output_keys])
    assert abs(got - reference).max() < 1e-10


def test_phases_that_meet_on_one_mode_become_one_layer():
    px = [pcvl.P(f"px{k}") for k in range(3)]
    circuit = pcvl.Circuit(3)
    circuit.add(0, pcvl.BS()).add(0, pcvl.PS(px[0])).add(2, pcvl.PS(px[1])).add(0, pcvl.PS(px[1] + 0.5))
    circuit.add(0, pcvl.PERM([2, 1, 0]))  # only routes: the phases behind it still belong to the same layer
    circuit.add(2, pcvl.PS(px[2])).add(0, pcvl.BS())
    program = Program.from_perceval(circuit, [1, 0, 1], ["px"], Readout.probs(space="fock"))
    assert program.layers == 1
    assert program.phases_per_datapoint == 2
    assert program.encode([1.0, 10.0, 100.0]).tolist() == [[111.5, 10.0]]


def test_a_splitter_between_two_phases_separates_layers():
    px = pcvl.P("px")
    circuit = pcvl.Circuit(2).add(0, pcvl.PS(px)).add(0, pcvl.BS()).add(0, pcvl.PS(px)).add(0, pcvl.BS())
    assert Program.from_perceval(circuit, [1, 1], readout=Readout.probs(space="fock")).layers == 2


def test_parameters_with_a_value_are_constants():
    bound, given = pcvl.P("a"), pcvl.P("px_given", 0.25)
    circuit = pcvl.Circuit(2).add(0, pcvl.PS(bound)).add(0, pcvl.BS()).add(0, pcvl.PS(pcvl.P("px") + bound * given))
    circuit.add(0, pcvl.BS())
    bound.set_value(2.0)
    program = Program.from_perceval(circuit, pcvl.BasicState([1, 1]), ["px"], Readout.probs(space="fock"))
    assert program.features == ("px",)
    assert program.encoding.offset.tolist() == [0.5]


def test_experiments_and_processors_are_accepted_when_unitary():
    circuit = pcvl.Circuit(2).add(0, pcvl.BS()).add(0, pcvl.PS(pcvl.P("px"))).add(0, pcvl.BS())
    expected = Program.from_perceval(circuit, [1, 0])
    processor = pcvl.Processor("SLOS", circuit.copy())
    assert Program.from_perceval(processor, [1, 0]) == expected
    assert Program.from_perceval(processor.experiment, [1, 0]) == expected


# ---- MerLin


def merlin():
    pytest.importorskip("torch", reason="torch is not installed")
    return pytest.importorskip("merlin", reason="MerLin is not installed")


def merlin_circuit(seed, modes):
    """Parameters in an order that is neither alphabetical nor numeric, under two prefixes."""
    rng = np.random.default_rng(seed)
    names = ["px10", "py1", "px2", "px1", "py0"][: modes + 1]
    circuit = pcvl.Circuit(modes).add(0, pcvl.Unitary(pcvl.Matrix(haar(rng, modes))))
    for k, name in enumerate(names):
        if k == modes - 1:
            circuit.add(0, pcvl.Unitary(pcvl.Matrix(haar(rng, modes))))
        if k == 2:
            circuit.add(0, pcvl.BS.H(pcvl.P(name)))
        else:
            circuit.add(k % modes, pcvl.PS(pcvl.P(name)))
    return circuit.add(0, pcvl.Unitary(pcvl.Matrix(haar(rng, modes)))), names


@pytest.mark.parametrize("order", [["px", "py"], ["py", "px"]])
@pytest.mark.parametrize(
    ("modes", "state", "space"),
    [
        (4, [1, 0, 1, 0], "unbunched"),
        (4, [1, 0, 1, 0], "dual_rail"),
        (4, [1, 0, 2, 0], "fock"),
        (5, [1, 0, 1, 0, 1], "unbunched"),
        (6, [1, 0, 1, 0, 1, 0], "dual_rail"),
    ],
)
def test_features_keys_and_outputs_are_merlins(order, modes, state, space):
    ml, torch = merlin(), pytest.importorskip("torch")
    circuit, _ = merlin_circuit(modes, modes)
    program = Program.from_perceval(circuit, state, order, Readout.probs(space=space))
    x = np.random.default_rng(0).uniform(0, 2 * np.pi, (4, len(program.features)))

    def layer(strategy):
        return ml.QuantumLayer(
            input_size=len(program.features),
            circuit=circuit,
            input_state=state,
            input_parameters=order,
            trainable_parameters=[],
            measurement_strategy=strategy,
            dtype=torch.float64,
        )

    space_of_merlin = ml.ComputationSpace(space)
    probabilities = layer(ml.MeasurementStrategy.probs(computation_space=space_of_merlin))
    assert list(program.features) == probabilities.export_config()["input_param_order"]
    assert [tuple(key) for key in probabilities.output_keys] == list(program.output_keys)
    assert probabilities.output_size == program.output_size
    expected = probabilities(torch.tensor(x)).detach().numpy()
    assert abs(program.simulate(x) - expected).max() < 1e-10

    expectations = layer(ml.MeasurementStrategy.mode_expectations(space_of_merlin))
    got = program.replace(readout=Readout.mode_expectations(space)).simulate(x)
    assert abs(got - expectations(torch.tensor(x)).detach().numpy()).max() < 1e-10


@pytest.mark.parametrize("groups", [1, 3, 4, 7, 10, 13])
@pytest.mark.parametrize("kind", ["LexGrouping", "ModGrouping"])
def test_groupings_are_merlins(kind, groups):
    ml, torch = merlin(), pytest.importorskip("torch")
    program = Program.reservoir(5, 2, 5, seed=3)
    x = np.random.default_rng(1).uniform(0, 2 * np.pi, (6, 5))
    theirs = getattr(ml, kind)(program.output_size, groups)
    expected = theirs(torch.tensor(program.simulate(x))).numpy()
    ours = {"LexGrouping": LexGrouping, "ModGrouping": ModGrouping}[kind](groups)
    for grouping in (ours, theirs):
        grouped = program.replace(readout=Readout.probs(grouping=grouping))
        assert grouped.output_keys == tuple((k,) for k in range(groups))
        assert abs(grouped.simulate(x) - expected).max() < 1e-12
    assert Readout.probs(grouping=ours) == Readout.probs(grouping=theirs)


def test_merlins_space_is_accepted_by_readouts():
    ml = merlin()
    assert Readout.probs(space=ml.ComputationSpace.DUAL_RAIL) == Readout.probs(space="dual_rail")


def test_reservoir_is_merlins_circuit():
    """The reservoir equals a MerLin layer of the same circuit: U, phases px1.. on modes 0.., U."""
    ml, torch = merlin(), pytest.importorskip("torch")
    program = Program.reservoir(6, 3, 5, seed=11)
    unitary = pcvl.Matrix(program.interferometers[0])
    circuit = pcvl.Circuit(6).add(0, pcvl.Unitary(unitary))
    for k in range(5):
        circuit.add(k, pcvl.PS(pcvl.P(f"px{k + 1}")))
    circuit.add(0, pcvl.Unitary(unitary))
    layer = ml.QuantumLayer(
        input_size=5,
        circuit=circuit,
        input_state=ml.generate_state(6, 3, ml.StatePattern.SPACED),
        input_parameters=["px"],
        trainable_parameters=[],
        measurement_strategy=ml.MeasurementStrategy.probs(),
        dtype=torch.float64,
    )
    x = np.random.default_rng(2).uniform(0, 1, (5, 5))
    assert abs(program.simulate(x) - layer(torch.tensor(x)).detach().numpy()).max() < 1e-10


def test_spaced_state_is_merlins():
    ml = merlin()
    from photonlink.program import spaced_state

    for modes, photons in itertools.product(range(1, 14), repeat=2):
        if photons <= modes:
            assert spaced_state(modes, photons) == tuple(ml.generate_state(modes, photons, "spaced"))


def test_mesh_of_the_builder_is_percevals_rectangle():
    modes, count = 5, 10
    angles = np.random.default_rng(5).uniform(0, 2 * math.pi, (count, 2))
    mesh = pcvl.GenericInterferometer(
        modes, lambda i: pcvl.BS() // pcvl.PS(angles[i, 0]) // pcvl.BS() // pcvl.PS(angles[i, 1])
    )
    program = Program.layered(modes, [1, 0, 0, 0, 0]).mzi_mesh(angles[:, 0], angles[:, 1]).build()
    assert abs(program.interferometers[0] - np.array(mesh.compute_unitary())).max() < 1e-13
