"""Derivatives behind imperfect sources and detectors: against differences of Perceval's Processor and our own."""

import dataclasses
import itertools

import numpy as np
import perceval as pcvl
import pytest

import photonlink as phl
from gradient_reference import READOUTS, SPACES, central
from noise_reference import INPUTS, SETTINGS, by_processor, experiment
from photonlink.errors import ProgramError
from photonlink.gradients import Differentiator, TrainableProgram, value_and_vjp
from photonlink.unitary import haar_unitary

PHASED_MODES = [0, 2]
SOURCES = phl.Noise(brightness=0.9, transmittance=0.8, indistinguishability=0.85, g2=0.05)
SOURCES_OF_PERCEVAL = pcvl.NoiseModel(brightness=0.9, transmittance=0.8, indistinguishability=0.85, g2=0.05)


def between_unitaries(state, readout, noise, detectors, least):
    first, last = (haar_unitary(len(state), seed=seed) for seed in (1, 2))
    builder = phl.Program.layered(len(state), state).interferometer(first).phases(["a", "b"], modes=PHASED_MODES)
    program = builder.interferometer(last).build(
        readout, noise=phl.Noise(**noise), detectors=detectors, min_detected_photons=least
    )

    def unitary(phases):
        turns = np.ones(len(state), dtype=complex)
        turns[PHASED_MODES] = np.exp(1j * phases)
        return last @ (turns[:, None] * first)

    return program, unitary


def observables(distribution, program):
    """Of a distribution over detected states, as the program's readout: mean numbers or, within its space, shares."""
    if program.readout.kind == "mode_expectations":
        return sum(p * np.array(state, dtype=float) for state, p in distribution.items())
    shares = np.array([distribution.get(state, 0.0) for state in program.output_keys])
    return shares / shares.sum()


@pytest.mark.usefixtures("exact_perceval")
@pytest.mark.parametrize("size", [(4, 2), (4, 3)], ids=str)
@pytest.mark.parametrize("noise", SETTINGS, ids=str)
def test_derivatives_are_those_of_percevals_processor(size, noise):
    state = INPUTS[size]
    rng = np.random.default_rng(3)
    phases = rng.uniform(0.5, 6, 2)
    for readout, detectors, least in [
        (phl.Readout.probs("fock"), "pnr", 0),
        (phl.Readout.probs("fock"), "threshold", 1),
        (phl.Readout.probs("unbunched"), "pnr", 1),
        (phl.Readout.mode_expectations("fock"), "pnr", sum(state) - 1),
    ]:
        program, unitary = between_unitaries(state, readout, noise, detectors, least)
        cotangent = rng.normal(size=program.output_size)

        def loss(at, program=program, unitary=unitary, described=(noise, detectors, least), cotangent=cotangent):
            distribution, _ = by_processor(experiment(unitary(at), state, *described))
            return observables(distribution, program) @ cotangent

        vjp = value_and_vjp(program, phases, cotangent)
        assert vjp.value @ cotangent == pytest.approx(loss(phases), abs=1e-9)
        assert np.abs(vjp.phases - central(loss, phases, 1e-4)).max() < 1e-6  # truncation some 1e-8


@pytest.mark.parametrize(("detectors", "least"), [("pnr", 0), ("pnr", 1), ("pnr", None), ("threshold", 1)])
def test_features_agree_with_finite_differences(detectors, least):
    builder = phl.Program.layered(6, [1, 0, 1, 0, 1, 0]).haar(1).phases(["a", "b", "a"], modes=[0, 2, 3], scale=0.7)
    builder = builder.haar(2).phases(["b", "a"], modes=[1, 3], offset=0.4).haar(3)
    rng = np.random.default_rng(1)
    for readout, space in itertools.product(READOUTS, SPACES):
        program = builder.build(readout(space), noise=SOURCES, detectors=detectors, min_detected_photons=least)
        x, cotangent = rng.uniform(-3, 3, (3, 2)), rng.normal(size=(3, program.output_size))
        vjp = value_and_vjp(program, x, cotangent)
        assert np.array_equal(vjp.value, program.simulate(x))

        def loss(at, program=program, weights=cotangent):
            return (program.simulate(at) * weights).sum()

        assert np.abs(vjp.features - central(loss, x)).max() < 1e-7
        alone = Differentiator(program).vjp(x[1], cotangent[1])[0]
        assert np.array_equal(alone, vjp.features[1])


@pytest.mark.parametrize("detector", ["pnr", "threshold"])
def test_trainable_parameters_agree_with_finite_differences(detector):
    circuit = pcvl.Circuit(3) // (0, pcvl.BS(theta=pcvl.P("theta0"))) // (1, pcvl.PS(pcvl.P("px0")))
    circuit = circuit // (1, pcvl.BS(theta=pcvl.P("theta1"), phi_tl=pcvl.P("theta2"))) // (0, pcvl.BS())
    described = pcvl.Experiment(circuit, noise=SOURCES_OF_PERCEVAL)
    described.min_detected_photons_filter(1)
    for mode in range(3):
        described.add(mode, getattr(pcvl.Detector, detector)())
    trainable = TrainableProgram.from_perceval(described, [1, 1, 0], ["px"], ["theta"], phl.Readout.probs("fock"))
    assert trainable.base.noise == SOURCES
    assert (trainable.base.detectors, trainable.base.min_detected_photons) == (detector, 1)
    rng = np.random.default_rng(2)
    values, x = rng.uniform(0.1, 3, 3), rng.uniform(-3, 3, 1)
    cotangent = rng.normal(size=trainable.base.output_size)
    vjp = value_and_vjp(trainable, x, cotangent, parameters=values)
    loss = central(lambda at: trainable.program(at).simulate(x) @ cotangent, values)
    assert np.abs(vjp.parameters - loss).max() < 1e-7


def test_fixed_errors_of_phases_shift_the_point_of_derivatives():
    noise = dataclasses.replace(SOURCES, phase_error=0.2)
    program, other = (phl.Program.reservoir(4, 2, features=4, seed=3, noise=at) for at in (noise, SOURCES))
    rng = np.random.default_rng(4)
    x, cotangent = rng.uniform(0.5, 5, 4), rng.normal(size=program.output_size)
    assert np.abs(program.simulate(x) - other.simulate(x)).max() > 1e-3
    loss = central(lambda at: program.simulate(at) @ cotangent, x)
    assert np.abs(value_and_vjp(program, x, cotangent).features - loss).max() < 1e-7


def test_single_precision_rounds_what_is_computed_in_double():
    program = phl.Program.reservoir(6, 3, features=6, noise=SOURCES)
    x, cotangent = np.ones((2, 6)), np.ones((2, program.output_size), dtype=np.float32)
    single, double = (value_and_vjp(program, x, cotangent, precision=name) for name in ("float32", "float64"))
    assert single.value.dtype == np.float32
    assert np.array_equal(single.value, double.value.astype(np.float32))
    assert np.array_equal(single.features, double.features)


def test_memory_and_threads_do_not_change_results():
    program = phl.Program.reservoir(10, 4, features=10, noise=SOURCES)
    rng = np.random.default_rng(5)
    x, cotangent = rng.uniform(-3, 3, (40, 10)), rng.normal(size=(40, program.output_size))
    ample = Differentiator(program, threads=2)
    tight = Differentiator(program, threads=1, memory_limit=ample.memory_bytes // 8)
    assert tight.memory_bytes <= ample.memory_bytes // 8
    expected, found = (each.value_and_vjp(x, cotangent) for each in (ample, tight))
    for name in ("value", "features", "phases", "interferometers"):
        assert np.array_equal(getattr(found, name), getattr(expected, name))


def test_no_datapoints():
    program = phl.Program.reservoir(5, 3, features=4, noise=SOURCES)
    differentiator = Differentiator(program)
    nothing = np.zeros((0, program.output_size))
    assert differentiator.value(np.zeros((0, 4))).shape == nothing.shape
    vjp = differentiator.value_and_vjp(np.zeros((0, 4)), nothing)
    assert vjp.value.shape == nothing.shape
    assert vjp.features.shape == (0, 4)
    assert vjp.interferometers.shape == program.interferometers.shape
    assert not vjp.interferometers.any()


def test_all_levels_of_a_mixture_are_kept_and_closed_forms_have_none():
    """As many as there may be photons that interfere: the second of a source does unless it is distinguishable."""
    shares, counts = phl.Readout.probs("unbunched"), phl.Readout.mode_expectations("fock")
    for readout, apart, levels in [(shares, True, 3), (shares, False, 6), (counts, False, 0)]:
        noise = phl.Noise(indistinguishability=0.85, g2=0.1, g2_distinguishable=apart)
        program = phl.Program.reservoir(6, 3, features=4, readout=readout, noise=noise, min_detected_photons=0)
        differentiator = Differentiator(program)
        assert differentiator.levels == differentiator.kept_levels == levels


def test_losses_that_leave_an_ideal_program_keep_single_precision():
    """With all photons kept there is no mixture: the same bits as without losses."""
    program = phl.Program.reservoir(6, 3, features=4)
    rng = np.random.default_rng(6)
    x, cotangent = rng.uniform(-3, 3, (5, 4)), rng.normal(size=(5, program.output_size)).astype(np.float32)
    lossy = program.replace(noise=phl.Noise(brightness=0.9, transmittance=0.7))
    found, expected = (value_and_vjp(at, x, cotangent, precision="float32") for at in (lossy, program))
    exact = value_and_vjp(lossy, x, cotangent)
    for name in ("value", "features", "phases", "interferometers"):
        assert np.array_equal(getattr(found, name), getattr(expected, name))
        assert np.abs(getattr(found, name) - getattr(exact, name)).max() < 1e-4
    assert not np.array_equal(found.value, exact.value.astype(np.float32))  # it is computed in single precision


def test_a_trainable_program_has_perfect_phases():
    circuit = pcvl.Circuit(2) // pcvl.BS(theta=pcvl.P("theta")) // pcvl.PS(pcvl.P("px"))
    for imperfect in ({"phase_error": 0.1}, {"phase_imprecision": 0.1}):
        described = pcvl.Experiment(circuit, noise=pcvl.NoiseModel(**imperfect))
        with pytest.raises(ProgramError, match="belong to a fixed circuit"):
            TrainableProgram.from_perceval(described, [1, 0])


def test_refusals():
    rounded = phl.Program.reservoir(4, 2, features=4, noise=phl.Noise(indistinguishability=0.9, phase_imprecision=0.1))
    with pytest.raises(ProgramError, match="remove the phase imprecision"):
        Differentiator(rounded)
    large = phl.Program.reservoir(12, 6, features=12, noise=SOURCES, readout=phl.Readout.probs("unbunched"))
    with pytest.raises(ProgramError, match=r"take \d+ bytes, .* limits are 1000000 bytes"):
        Differentiator(large, memory_limit=1_000_000)
