"""Noisy distributions and drawn phases against Perceval's Processor, Simulator and circuits."""

from __future__ import annotations

import itertools

import numpy as np
import perceval as pcvl
import pytest

import photonlink as phl
from noise_reference import (
    INPUTS,
    SETTINGS,
    TOLERANCE,
    as_distribution,
    by_processor,
    experiment,
    kept_fraction,
    largest_difference,
    program_of,
)
from photonlink.errors import ProgramError
from photonlink.unitary import haar_unitary

pytestmark = pytest.mark.usefixtures("exact_perceval")


@pytest.mark.parametrize("size", list(INPUTS))
@pytest.mark.parametrize("noise", SETTINGS, ids=str)
def test_distributions_are_those_of_percevals_processor(size, noise):
    state = INPUTS[size]
    unitary = haar_unitary(len(state), seed=len(state))
    for detectors, least in itertools.product(("pnr", "threshold"), (0, 1, sum(state))):
        described = experiment(unitary, state, noise, detectors, least)
        program = program_of(described)
        theirs, kept = by_processor(described)
        assert largest_difference(as_distribution(program), theirs) < TOLERANCE
        assert kept_fraction(program) == pytest.approx(kept, rel=1e-9)


@pytest.mark.parametrize("name", ["ascella", "belenos", "maring2024"])
@pytest.mark.parametrize("detectors", ["pnr", "threshold"])
def test_presets_agree_with_percevals_simulator(name, detectors):
    """By way of its source's distribution: the Processor itself leaves out configurations below 1e-13 or so, which
    with a transmittance of 2 % changes renormalised probabilities by 2e-9."""
    state = INPUTS[6, 3]
    noise = phl.Noise.preset(name)
    unitary = haar_unitary(6, seed=5)
    source = pcvl.Source.from_noise_model(
        pcvl.NoiseModel(transmittance=noise.transmittance, indistinguishability=noise.indistinguishability, g2=noise.g2)
    )
    simulator = pcvl.simulators.Simulator(pcvl.SLOSBackend())
    simulator.set_circuit(pcvl.Unitary(pcvl.Matrix(unitary)))
    simulator.set_precision(0)
    simulator.set_selection(min_detected_photons_filter=3)
    simulator.compute_physical_logical_perf(True)
    threshold = [pcvl.Detector.threshold()] * 6 if detectors == "threshold" else None
    result = simulator.probs_svd(source.generate_distribution(pcvl.BasicState(state), 0), threshold)
    builder = phl.Program.layered(6, state).interferometer(unitary)
    program = builder.build(phl.Readout.probs("fock"), noise=noise, detectors=detectors)
    theirs = {tuple(s): p for s, p in result["results"].items()}
    assert largest_difference(as_distribution(program), theirs) < TOLERANCE
    assert kept_fraction(program) == pytest.approx(result["physical_perf"], rel=1e-9)


def kept_value(key: tuple[int, ...], kind: str, i: int, j: int) -> float:
    if kind == "click_probabilities":
        return float(key[i] > 0)
    return float(key[i] if kind == "mode_expectations" else key[i] * key[j])


@pytest.mark.parametrize("noise", [SETTINGS[6], SETTINGS[7], {"indistinguishability": 0.6, "brightness": 0.5}], ids=str)
@pytest.mark.parametrize("detectors", ["pnr", "threshold"])
@pytest.mark.parametrize("least", [0, 2, 3])
def test_every_readout_follows_from_the_distribution(noise, detectors, least):
    state = [1, 0, 2, 0, 0]
    described = experiment(haar_unitary(5, seed=9), state, noise, detectors, least)
    distribution = by_processor(described)[0]
    for kind in ("mode_expectations", "correlators", "click_probabilities"):
        program = program_of(described, phl.Readout(kind, "fock"))
        pairs = program.output_keys if kind == "correlators" else [(i, i) for (i,) in program.output_keys]
        expected = [sum(p * kept_value(key, kind, i, j) for key, p in distribution.items()) for i, j in pairs]
        np.testing.assert_allclose(program.simulate(np.zeros(0)), expected, atol=TOLERANCE)
    patterns: dict[tuple[int, ...], float] = {}
    for key, p in distribution.items():
        pattern = tuple(min(n, 1) for n in key)
        patterns[pattern] = patterns.get(pattern, 0.0) + p
    program = program_of(described, phl.Readout.click_patterns())
    assert list(program.output_keys) == sorted(program.output_keys, reverse=True)
    assert largest_difference(as_distribution(program), patterns) < TOLERANCE
    every = np.array(list(as_distribution(program_of(described)).values()))
    for grouping in (phl.LexGrouping(7), phl.ModGrouping(7)):
        padded = np.pad(every, (0, -len(every) % 7))
        sums = padded.reshape(7, -1).sum(1) if isinstance(grouping, phl.LexGrouping) else padded.reshape(-1, 7).sum(0)
        grouped = program_of(described, phl.Readout.probs("fock", grouping)).simulate(np.zeros(0))
        np.testing.assert_allclose(grouped, sums, atol=1e-14)


@pytest.mark.parametrize("space", ["unbunched", "dual_rail"])
@pytest.mark.parametrize("detectors", ["pnr", "threshold"])
def test_spaces_keep_their_states_of_what_detectors_show(space, detectors):
    described = experiment(haar_unitary(6, seed=3), INPUTS[6, 3], SETTINGS[6], detectors, 2)
    distribution, kept = by_processor(described)

    def holds(key: tuple[int, ...]) -> bool:
        pairs = [key[k] + key[k + 1] for k in range(0, 6, 2)]
        return max(key) <= 1 if space == "unbunched" else pairs == [1, 1, 1]

    inside = {key: p for key, p in distribution.items() if holds(key)}
    share = sum(inside.values())
    program = program_of(described, phl.Readout.probs(space))
    expected = {key: p / share for key, p in inside.items()}
    assert largest_difference(as_distribution(program), expected) < TOLERANCE
    assert kept_fraction(program) == pytest.approx(kept * share, rel=1e-9)


def test_a_processor_brings_its_surroundings_along():
    described = experiment(haar_unitary(4, seed=2), [1, 0, 1, 0], {}, "threshold", 1)
    described.noise = None
    processor = pcvl.Processor("SLOS", described, noise=pcvl.NoiseModel(transmittance=0.7, g2=0.05))
    readout = phl.Readout.probs("fock")
    program = phl.Program.from_perceval(processor, [1, 0, 1, 0], [], readout)
    assert (program.noise, program.detectors, program.min_detected_photons) == (
        phl.Noise(transmittance=0.7, g2=0.05),
        "threshold",
        1,
    )
    result = {tuple(state): p for state, p in processor.probs(precision=1e-30)["results"].items()}
    assert largest_difference(as_distribution(program), result) < TOLERANCE
    other = phl.Program.from_perceval(processor, [1, 0, 1, 0], [], readout, noise=phl.Noise(), detectors="pnr")
    assert (other.noise, other.detectors, other.min_detected_photons) == (None, "pnr", 1)


def test_keys_come_by_falling_photon_number():
    program = phl.Program.reservoir(
        3, 2, 1, readout=phl.Readout.probs("fock"), noise=phl.Noise(transmittance=0.5), min_detected_photons=0
    )
    # fmt: off
    assert program.output_keys == (
        (2, 0, 0), (1, 1, 0), (1, 0, 1), (0, 2, 0), (0, 1, 1), (0, 0, 2), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0)
    )
    # fmt: on
    assert program.replace(min_detected_photons=None).output_keys == program.output_keys[:6]


def test_without_interference_nothing_interferes():
    lossy = phl.Noise(transmittance=0.6, g2=0.2, g2_distinguishable=False)
    options = {"seed": 4, "readout": phl.Readout.probs("fock"), "min_detected_photons": 0}
    apart = phl.Program.reservoir(5, 3, 5, interference=False, noise=lossy, **options)
    distinguishable = phl.Noise(transmittance=0.6, g2=0.2, indistinguishability=0.0)
    same = phl.Program.reservoir(5, 3, 5, noise=distinguishable, **options)
    x = np.random.default_rng(1).uniform(0, 6, (4, 5))
    np.testing.assert_allclose(apart.simulate(x), same.simulate(x), atol=1e-14)


# ---- phases


def drawn_circuit(phi: float) -> pcvl.Circuit:
    circuit = pcvl.Circuit(3) // (0, pcvl.PS(0.4)) // (0, pcvl.BS(0.9)) // (1, pcvl.PS(phi)) // (1, pcvl.BS(1.3))
    return (
        circuit // (1, pcvl.PS(2.5, max_error=0.3)) // (0, pcvl.PS(phi + 0.25)) // (0, pcvl.BS()) // (1, pcvl.BS(0.4))
    )


def driven_circuit() -> pcvl.Circuit:
    px = pcvl.P("px")
    shifted = pcvl.Expression("px + 0.25", {px})
    circuit = pcvl.Circuit(3) // (0, pcvl.PS(0.4)) // (0, pcvl.BS(0.9)) // (1, pcvl.PS(px)) // (1, pcvl.BS(1.3))
    return circuit // (1, pcvl.PS(2.5, max_error=0.3)) // (0, pcvl.PS(shifted)) // (0, pcvl.BS()) // (1, pcvl.BS(0.4))


@pytest.mark.parametrize(
    "model", [{"phase_error": 0.2}, {"phase_imprecision": 0.3}, {"phase_error": 0.2, "phase_imprecision": 0.1}]
)
@pytest.mark.parametrize("seed", [0, 7])
def test_phases_err_as_percevals_do_for_the_same_seed(model, seed):
    """One draw of all phase errors: the same for every datapoint of a program, another for another seed."""
    noise = phl.Noise.from_perceval(pcvl.NoiseModel(**model, transmittance=0.5), phase_seed=seed)
    readout = phl.Readout.probs("fock")
    program = phl.Program.from_perceval(driven_circuit(), [1, 1, 0], ["px"], readout, noise=noise)
    computer = pcvl.SimulatedComputer("SLOS")
    computer.noise = pcvl.NoiseModel(**model, transmittance=0.5)
    for phi in (0.3, 2.0, 5.9):
        described = pcvl.Experiment(drawn_circuit(phi), noise=pcvl.NoiseModel(**model, transmittance=0.5))
        drawn = np.array(described.use_phase_noise(seed=seed).unitary_circuit().compute_unitary())
        plain = phl.Program.layered(3, [1, 1, 0]).interferometer(drawn).build(readout).simulate(np.zeros(0))
        np.testing.assert_allclose(program.simulate(np.array([phi])), plain, atol=1e-12)
        fixed = phl.Program.from_perceval(drawn_circuit(phi), [1, 1, 0], [], readout, noise=noise)
        np.testing.assert_allclose(fixed.simulate(np.zeros(0)), plain, atol=1e-12)
        described.with_input(pcvl.BasicState([1, 1, 0]))
        described.min_detected_photons_filter(2)
        result = computer.probs(described, precision=1e-30, compilation_seed=seed)["results"]
        assert largest_difference(as_distribution(fixed), {tuple(s): p for s, p in result.items()}) < TOLERANCE


def test_phases_that_features_drive_are_rounded_after_reduction():
    noise = phl.Noise(phase_imprecision=0.5)
    noisy = phl.Program.reservoir(4, 2, 4, seed=2, noise=noise)
    exact = phl.Program.reservoir(4, 2, 4, seed=2)
    x = np.random.default_rng(3).uniform(-9, 9, (6, 4))
    np.testing.assert_allclose(noisy.simulate(x), exact.simulate(np.round(x % (2 * np.pi) / 0.5) * 0.5), atol=1e-12)
    assert noisy.output_keys == exact.output_keys


def test_phase_noise_that_cannot_be_expressed_is_refused():
    rough = phl.Noise(phase_imprecision=0.1)
    driven = pcvl.Circuit(2) // pcvl.BS(theta=pcvl.P("px"))
    with pytest.raises(ProgramError, match="phase_imprecision rounds"):
        phl.Program.from_perceval(driven, [1, 0], noise=rough)
    with pytest.raises(ProgramError, match="build the program anew"):
        phl.Program.reservoir(4, 2, 4).replace(noise=rough)
