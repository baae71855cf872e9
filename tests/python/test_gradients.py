"""Derivatives: finite differences, MerLin's autograd, and parameter shifts against the exact ones."""

import itertools
import pickle
import re
from pathlib import Path

import numpy as np
import perceval as pcvl
import pytest
from scipy import stats

import photonlink as phl
from gradient_reference import READOUTS, SPACES, central
from photonlink.errors import ProgramError
from photonlink.gradients import Differentiator, TrainableProgram, parameter_shift, phase_program, value_and_vjp

CASES = list(itertools.product(range(len(READOUTS)), SPACES, [True, False]))


def shared_features(readout, interference=True):
    """Two features that drive three phases each, with different weights, in two layers."""
    builder = phl.Program.layered(6, [1, 0, 1, 0, 1, 0]).haar(1)
    builder = builder.phases(["a", "b", "a"], modes=[0, 2, 3], scale=[1.0, -0.5, 2.0], offset=0.3).haar(2)
    builder = builder.phases(["b", "a", "b"], modes=[1, 3, 4], scale=0.7).haar(3)
    return builder.build(readout, interference=interference)


def mesh(modes, prefix):
    """MerLin-like: rectangular mesh of interferometers with two trainable phases each."""
    circuit = pcvl.Circuit(modes)
    for column in range(modes):
        for k in range(column % 2, modes - 1, 2):
            inner = pcvl.PS(pcvl.P(f"{prefix}_i{column}_{k}"))
            circuit.add((k, k + 1), pcvl.BS() // inner // pcvl.BS() // pcvl.PS(pcvl.P(f"{prefix}_o{column}_{k}")))
    return circuit


def merlin_circuit(modes, inputs):
    circuit = mesh(modes, "theta_l")
    for mode in range(inputs):
        circuit.add(mode, pcvl.PS(pcvl.P(f"px{mode}")))
    return circuit.add(0, mesh(modes, "theta_r"), merge=True)


# ---- exact derivatives


@pytest.mark.parametrize(("readout", "space", "interference"), CASES)
def test_features_agree_with_finite_differences(readout, space, interference):
    program = shared_features(READOUTS[readout](space), interference)
    rng = np.random.default_rng(1)
    x, cotangent = rng.uniform(-3, 3, (3, 2)), rng.normal(size=(3, program.output_size))
    vjp = value_and_vjp(program, x, cotangent)
    assert np.abs(vjp.value - program.simulate(x)).max() < 1e-13
    differences = central(lambda at: (program.simulate(at) * cotangent).sum(), x)
    assert np.abs(vjp.features - differences).max() < 1e-7
    differentiator = Differentiator(program)
    assert np.array_equal(differentiator.value(x), vjp.value)
    assert np.array_equal(differentiator.vjp(x, cotangent)[0], vjp.features)
    assert np.array_equal(differentiator.vjp(x[1], cotangent[1])[0], vjp.features[1])
    one = value_and_vjp(program, x[1], cotangent[1])
    assert np.array_equal(one.value, vjp.value[1])
    assert np.array_equal(one.features, vjp.features[1])


@pytest.mark.parametrize("convention", ["Rx", "Ry", "H"])
def test_parameters_agree_with_finite_differences(convention):
    """Every kind of beam splitter, shared parameters, expressions, and angles of both kinds of parameters."""
    splitter = {
        "Rx": pcvl.BS.Rx,
        "Ry": pcvl.BS.Ry,
        "H": pcvl.BS.H,
    }[convention]
    theta, phi, px = pcvl.P("theta0"), pcvl.P("theta1"), pcvl.P("px0")
    circuit = pcvl.Circuit(4) // (0, splitter(theta, phi_tl=phi)) // (2, splitter(pcvl.P("theta2"), phi_br=0.4))
    circuit = circuit // (1, pcvl.Unitary(pcvl.Matrix.random_unitary(2))) // (1, pcvl.PS(px))
    circuit = circuit // (0, pcvl.PERM([1, 0])) // (0, pcvl.PS(pcvl.Expression("theta1*0.5 + px0*2 + 0.1", {phi, px})))
    circuit = circuit // (1, splitter(theta)) // (2, pcvl.PS(pcvl.P("px1"))) // (0, splitter()) // (2, splitter())
    trainable = TrainableProgram.from_perceval(circuit, [1, 1, 0, 1], ["px"], ["theta"], phl.Readout.probs("fock"))
    assert trainable.features == ("px0", "px1")
    assert trainable.parameters == ("theta0", "theta1", "theta2")
    rng = np.random.default_rng(2)
    # Positive: Perceval reduces values into the range of a component, which does not go with half of one.
    values, x = rng.uniform(0.1, 3, 3), rng.uniform(-3, 3, (2, 2))
    expected = {f"theta{k}": v for k, v in enumerate(values)}
    for name, value in expected.items():
        circuit.param(name).set_value(value)
    fixed = phl.Program.from_perceval(circuit, [1, 1, 0, 1], ["px"], readout=phl.Readout.probs("fock"))
    program = trainable.program(values)
    assert np.abs(program.simulate(x) - fixed.simulate(x)).max() < 1e-12
    cotangent = rng.normal(size=(2, program.output_size))
    vjp = value_and_vjp(trainable, x, cotangent, parameters=values)
    by_values = central(lambda at: (trainable.program(at).simulate(x) * cotangent).sum(), values)
    by_features = central(lambda at: (program.simulate(at) * cotangent).sum(), x)
    assert np.abs(vjp.parameters - by_values).max() < 1e-7
    assert np.abs(vjp.features - by_features).max() < 1e-7
    alone = Differentiator(trainable).vjp(x, cotangent, parameters=values)
    assert np.array_equal(alone[0], vjp.features)
    assert np.array_equal(alone[1], vjp.parameters)
    again = pickle.loads(pickle.dumps(trainable))
    assert np.array_equal(again.pull_back(values, vjp.interferometers), vjp.parameters)


def test_trainable_values_and_order():
    circuit = merlin_circuit(4, 2)
    circuit.param("theta_r_i0_0").set_value(0.5)
    trainable = TrainableProgram.from_perceval(circuit, [1, 0, 1, 0], ["px"], ["theta_r", "theta_l"])
    assert trainable.parameters[0].startswith("theta_r")
    assert trainable.parameters[-1].startswith("theta_l")
    assert trainable.initial[trainable.parameters.index("theta_r_i0_0")] == 0.5
    assert np.isnan(trainable.initial).sum() == len(trainable.parameters) - 1
    assert trainable.base.layers == 1
    with pytest.raises(ProgramError, match="shape"):
        trainable.program(np.zeros(3))
    with pytest.raises(ProgramError, match="is nan"):
        trainable.program(trainable.initial)


def test_memory_and_threads_do_not_change_results():
    program = phl.Program.reservoir(14, 9, features=14, readout=phl.Readout.probs("unbunched"))
    rng = np.random.default_rng(3)
    x, cotangent = rng.normal(size=(40, 14)), rng.normal(size=(40, program.output_size))
    ample = Differentiator(program, threads=2)
    assert ample.kept_levels == ample.levels == 8
    limit = Differentiator(program, threads=1).memory_bytes * 8 // 10
    tight = Differentiator(program, threads=1, memory_limit=limit)
    assert tight.memory_bytes <= limit
    assert tight.kept_levels < tight.levels
    a, b = ample.value_and_vjp(x, cotangent), tight.value_and_vjp(x, cotangent)
    assert np.array_equal(a.value, b.value)
    assert np.array_equal(a.phases, b.phases)
    assert np.array_equal(a.interferometers, b.interferometers)
    with pytest.raises(ProgramError, match="bytes"):
        Differentiator(program, memory_limit=1000)


def test_refusals_say_what_is_wrong():
    program = shared_features(phl.Readout.probs())
    x = np.zeros((2, 2))
    with pytest.raises(ProgramError, match="cotangent has shape"):
        value_and_vjp(program, x, np.zeros((3, program.output_size)))
    with pytest.raises(ProgramError, match="cotangent in row 1, column 0 is nan"):
        value_and_vjp(program, x, [[0.0] * 20, [np.nan] + [0.0] * 19])
    with pytest.raises(ProgramError, match="TrainableProgram"):
        value_and_vjp(program, x, np.zeros((2, 20)), parameters=[1.0])
    with pytest.raises(ProgramError, match="samples"):
        Differentiator(program.replace(readout=phl.Readout.samples()))
    for noise in (phl.Noise(g2=0.01, phase_imprecision=0.1), phl.Noise(phase_imprecision=0.1)):
        with pytest.raises(ProgramError, match="derivatives"):
            Differentiator(phl.Program.reservoir(4, 2, features=4, noise=noise))
    with pytest.raises(ProgramError, match="threads"):
        Differentiator(program, threads=0)


# ---- MerLin

MERLIN = [
    ("probs", "fock", [1, 0, 1, 0, 1, 0]),
    ("probs", "unbunched", [1, 0, 1, 0, 1, 0]),
    ("probs", "dual_rail", [1, 0, 1, 0, 1, 0]),
    ("probs", "fock", [2, 0, 1, 0, 0, 0]),
    ("mode_expectations", "fock", [1, 0, 1, 0, 1, 0]),
    ("mode_expectations", "unbunched", [1, 0, 1, 0, 1, 0]),
]


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize(("kind", "space", "state"), MERLIN)
def test_gradients_agree_with_merlin(kind, space, state, precision):
    merlin = pytest.importorskip("merlin")
    torch = pytest.importorskip("torch")
    dtype = getattr(torch, precision)
    tolerance = 1e-8 if precision == "float64" else 1e-5
    computation_space = merlin.ComputationSpace(space)
    strategy = merlin.MeasurementStrategy
    layer = merlin.QuantumLayer(
        input_size=6,
        circuit=merlin_circuit(6, 6),
        input_state=state,
        input_parameters=["px"],
        trainable_parameters=["theta"],
        measurement_strategy=getattr(strategy, kind)(computation_space),
        dtype=dtype,
    )
    readout = getattr(phl.Readout, kind)(space)
    trainable = TrainableProgram.from_perceval(merlin_circuit(6, 6), state, ["px"], ["theta"], readout)
    (weights,) = [p for p in layer.parameters() if p.requires_grad]
    rng = np.random.default_rng(5)
    x = torch.tensor(rng.uniform(-3, 3, (4, 6)), dtype=dtype, requires_grad=True)
    y = layer(x)
    cotangent = rng.normal(size=tuple(y.shape))
    (y * torch.tensor(cotangent, dtype=dtype)).sum().backward()
    values = weights.detach().numpy().astype(np.float64)
    vjp = value_and_vjp(trainable, x.detach().numpy(), cotangent, parameters=values, precision=precision)
    if kind == "probs":
        assert list(layer.output_keys) == list(trainable.base.output_keys)
    assert np.abs(vjp.value - y.detach().numpy()).max() < tolerance
    assert np.abs(vjp.features - x.grad.numpy()).max() < tolerance
    assert np.abs(vjp.parameters - weights.grad.numpy()).max() < 4 * tolerance  # sums over four datapoints


# ---- parameter shift


@pytest.mark.parametrize(("readout", "space", "interference"), CASES)
def test_shifts_of_an_exact_session_are_exact(readout, space, interference):
    program = shared_features(READOUTS[readout](space), interference)
    rng = np.random.default_rng(6)
    x, cotangent = rng.uniform(-3, 3, (2, 2)), rng.normal(size=(2, program.output_size))
    exact = value_and_vjp(program, x, cotangent)
    with phl.reserve("sim", phase_program(program), controller=phl.Controller()) as session:
        shifted = parameter_shift(session, x, cotangent, program=program)
        assert session.usage.tokens == shifted.tokens == 2 * (1 + 6 * shifted.settings_per_phase)
    assert shifted.quantum_seconds is None
    assert np.abs(shifted.value - exact.value).max() < 1e-12
    assert np.abs(shifted.phases - exact.phases).max() < 1e-9
    assert np.abs(shifted.features - exact.features).max() < 1e-9


@pytest.mark.parametrize("readout", [phl.Readout.mode_expectations("fock"), phl.Readout.probs("unbunched")])
def test_shifts_of_a_noisy_program_are_exact(readout):
    """Numerator and kept fraction of lossy, partly distinguishable photons, sometimes one too many."""
    noise = phl.Noise(brightness=0.9, transmittance=0.8, indistinguishability=0.85, g2=0.05)
    program = phl.Program.layered(4, [1, 0, 1, 0]).haar(1).phases(["a", "b"]).haar(2).phases(["a"], modes=[2]).haar(3)
    program = program.build(readout, noise=noise)
    rng = np.random.default_rng(10)
    x, cotangent = rng.uniform(-3, 3, (2, 2)), rng.normal(size=(2, program.output_size))
    with phl.reserve("sim", phase_program(program), controller=phl.Controller()) as session:
        shifted = parameter_shift(session, x, cotangent, program=program)
    assert shifted.settings_per_phase == 8  # up to four photons
    differences = central(lambda at: (program.simulate(at) * cotangent).sum(), x)
    assert np.abs(shifted.features - differences).max() < 1e-7
    assert np.abs(shifted.phases - value_and_vjp(program, x, cotangent).phases).max() < 1e-9


def test_rounded_phases_cannot_be_shifted():
    program = phl.Program.reservoir(4, 2, features=4, noise=phl.Noise(phase_imprecision=0.1))
    with phl.reserve("sim", program) as session, pytest.raises(ProgramError, match="rounded to a grid"):
        parameter_shift(session, np.zeros(4), np.zeros(6))


def test_settings_per_phase():
    for readout, settings in [
        (phl.Readout.probs("fock"), 6),
        (phl.Readout.mode_expectations("fock"), 2),
        (phl.Readout.correlators("fock"), 4),
        (phl.Readout.mode_expectations("unbunched"), 6),
        (phl.Readout.click_probabilities("fock"), 6),
    ]:
        cost = phl.gradients.shift_cost(shared_features(readout), rows=3, shots=100)
        assert cost.settings_per_phase == settings
        assert cost.tokens == 3 * (1 + 6 * settings)


def test_modelled_time_is_that_of_the_session():
    program = phl.Program.reservoir(6, 3, features=6, readout=phl.Readout.correlators("fock"))
    rng = np.random.default_rng(7)
    x, cotangent = rng.uniform(1, 2, (3, 6)), rng.normal(size=(3, 15))
    with phl.reserve("sim", program, shots=50) as session:
        shifted = parameter_shift(session, x, cotangent)
        used = session.usage
    cost = phl.gradients.shift_cost(program, rows=3, shots=50)
    assert used.tokens == shifted.tokens == cost.tokens
    assert shifted.quantum_seconds == pytest.approx(used.quantum_seconds, rel=1e-9)
    expected = cost.quantum_seconds - used.configuration_seconds
    assert shifted.quantum_seconds == pytest.approx(expected, rel=1e-6)


def assert_unbiased(estimates, exact, alpha=1e-3):
    """Student's test of every mean, corrected for their number."""
    repetitions = len(estimates)
    error = estimates.std(axis=0, ddof=1) / np.sqrt(repetitions)
    varying = error > 0
    assert varying.mean() > 0.9
    t = (estimates.mean(axis=0) - exact)[varying] / error[varying]
    limit = stats.t.ppf(1 - alpha / (2 * varying.sum()), repetitions - 1)
    assert np.abs(t).max() < limit
    assert np.sqrt(np.mean(t**2)) < 1.5  # and together they scatter as they should


@pytest.mark.parametrize("readout", [phl.Readout.probs("fock"), phl.Readout.probs("unbunched")])
def test_shots_are_unbiased_for_every_parameter(readout):
    """All phases of a (6,3) model, its trainable ones included, from 200 shots per setting."""
    circuit = merlin_circuit(6, 6)
    program = phl.Program.from_perceval(circuit, [1, 0, 1, 0, 1, 0], ["px", "theta"], readout=readout)
    assert len(program.features) == 66
    rng = np.random.default_rng(8)
    x, cotangent = rng.uniform(-3, 3, 66), rng.normal(size=program.output_size)
    exact = value_and_vjp(program, x, cotangent)
    repetitions = 40
    with phl.reserve("sim", phase_program(program), shots=200, seed=9, clock="none") as session:
        shifted = parameter_shift(
            session, np.tile(x, (repetitions, 1)), np.tile(cotangent, (repetitions, 1)), program=program
        )
    assert shifted.settings_per_phase == 6
    assert_unbiased(shifted.features, exact.features)


def test_shift_refusals():
    program = shared_features(phl.Readout.probs())
    cotangent = np.zeros(program.output_size)
    with phl.reserve("sim", program) as session:
        with pytest.raises(ProgramError, match="phase_program"):
            parameter_shift(session, np.zeros(2), cotangent)
        with pytest.raises(ProgramError, match="another program"):
            parameter_shift(session, np.zeros(2), cotangent, program=program)
    carrier = phase_program(program)
    with phl.reserve("sim", carrier) as session, pytest.raises(ProgramError, match="cotangent has shape"):
        parameter_shift(session, np.zeros(2), cotangent[1:], program=program)
    rounded = phl.Program.reservoir(6, 3, features=6, dac_bits=8)
    with phl.reserve("sim", rounded) as session, pytest.raises(ProgramError, match="rounded to 8 bits"):
        parameter_shift(session, np.zeros(6), np.zeros(20))
    with phl.reserve("sim", phase_program(rounded)) as session:
        shifted = parameter_shift(session, np.ones(6), np.arange(20.0), program=rounded)
    assert np.abs(shifted.features - value_and_vjp(rounded, np.ones(6), np.arange(20.0)).features).max() < 1e-9


def test_benchmark_compares_the_same_computation():
    pytest.importorskip("merlin")
    from photonlink.bench import gradients

    report = gradients.run(((4, 2, 3),), threads=1)
    assert [case["who"] for case in report["cases"]] == ["photonlink float32", "photonlink float64", "merlin float32"]
    assert all(case["microseconds"] > 0 and case["batch"] == 3 for case in report["cases"])
    assert report["cases"][0]["ratio"] == 1
    assert "(4,2)" in gradients.render(report)


def test_documented_examples_run():
    text = (Path(__file__).parents[2] / "docs" / "gradients.md").read_text()
    namespace = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block, namespace)
    assert namespace["shifted"].tokens == 1 + 4 * 6
    assert namespace["vjp"].parameters.shape == (2,)
