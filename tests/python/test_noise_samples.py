"""Samples of noisy programs against their exact distributions and Perceval's sources."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import photonlink as phl
from noise_reference import (
    INPUTS,
    SETTINGS,
    by_processor,
    experiment,
    program_of,
)
from photonlink.unitary import haar_unitary

pytestmark = pytest.mark.usefixtures("exact_perceval")


@pytest.mark.parametrize("detectors", ["pnr", "threshold"])
def test_samples_pass_chi_square_against_perceval(detectors):
    state = INPUTS[6, 3]
    described = experiment(haar_unitary(6, seed=8), state, SETTINGS[6], detectors, 1)
    theirs, _ = by_processor(described)
    program = program_of(described)
    shots = 200_000
    with phl.reserve("sim", program, shots=shots, seed=12) as session:
        _, info = session.infer(np.zeros(0), return_info=True)
    statistic, freedom = chi_square(program, info.counts[0], theirs)
    assert statistic < freedom + 4 * np.sqrt(2 * freedom)  # 4 standard deviations; the seed is fixed


def little_memory(program: phl.Program) -> phl.Controller:
    """A controller on which the program's distribution does not fit."""
    return phl.Controller(memory_limit=program.predict_bytes(sampled=True))


def chi_square(program: phl.Program, counts: phl.Counts, theirs: dict[tuple[int, ...], float]) -> tuple[float, int]:
    """Statistic and degrees of freedom; states that are expected less than 10 times count together."""
    observed = np.zeros(program.output_size)
    observed[counts.index] = counts.count
    expected = observed.sum() * np.array([theirs.get(key, 0.0) for key in program.output_keys])
    common = expected > 10
    statistic = ((observed - expected)[common] ** 2 / expected[common]).sum()
    rest = observed[~common].sum(), expected[~common].sum()
    if rest[1] > 0:
        statistic += (rest[0] - rest[1]) ** 2 / rest[1]
    else:
        assert rest[0] == 0
    return float(statistic), int(common.sum())


@pytest.mark.parametrize("noise", [SETTINGS[0], SETTINGS[6], SETTINGS[7]], ids=str)
@pytest.mark.parametrize("detectors", ["pnr", "threshold"])
@pytest.mark.parametrize("least", [0, 3])
def test_sampled_sources_pass_chi_square_against_perceval(noise, detectors, least):
    state = INPUTS[6, 3]
    noise = {**noise, "indistinguishability": 0.7}
    described = experiment(haar_unitary(6, seed=8), state, noise, detectors, least)
    theirs, kept = by_processor(described)
    program = program_of(described)
    shots = 30_000
    with (
        little_memory(program) as controller,
        phl.reserve("sim", program, shots=shots, seed=3, controller=controller) as session,
    ):
        _, info = session.infer(np.zeros(0), return_info=True)
        assert info.noise_method == session.info.noise_method == "sampled sources"
    statistic, freedom = chi_square(program, info.counts[0], theirs)
    assert statistic < freedom + 4 * np.sqrt(2 * freedom)  # 4 standard deviations; the seed is fixed
    assert info.kept_fraction[0] == pytest.approx(kept, rel=0.03)


@pytest.mark.parametrize("kind", ["probabilities", "mode_expectations", "correlators", "click_patterns"])
@pytest.mark.parametrize("space", ["fock", "unbunched"])
def test_sampled_sources_estimate_every_readout_for_any_batch(kind, space):
    noise = phl.Noise(transmittance=0.6, indistinguishability=0.8, g2=0.1, phase_imprecision=0.05)
    program = phl.Program.reservoir(
        6, 3, 6, seed=4, readout=phl.Readout(kind, space), noise=noise, min_detected_photons=2
    )
    x = np.random.default_rng(6).uniform(0, 6, (3, 6))
    exact = program.simulate(x)
    with (
        little_memory(program) as controller,
        phl.reserve("sim", program, shots=4000, seed=1, controller=controller) as session,
    ):
        y, info = session.infer(x, return_info=True)
    assert info.noise_method == "sampled sources"
    assert (abs(y - exact) < 5 * info.standard_errors + 5e-3).all()
    with (
        little_memory(program) as controller,
        phl.reserve("sim", program, shots=4000, seed=1, controller=controller) as session,
    ):
        np.testing.assert_array_equal(np.stack([session.infer(row) for row in x]), y)


def test_a_chip_whose_distribution_is_out_of_reach_is_sampled():
    readout = phl.Readout.samples("unbunched")
    noise = phl.Noise.preset("belenos")
    program = phl.Program.reservoir(24, 12, 24, seed=1, readout=readout, noise=noise, min_detected_photons=6)
    with phl.reserve("sim", program, shots=20, seed=1) as session:
        samples, info = session.infer(np.zeros(24), return_info=True)
    assert samples.shape == (20, 24)
    assert (samples.sum(1).min(), samples.max()) == (6, 1)
    assert info.noise_method == "sampled sources"
    assert 0 < info.kept_fraction[0] < 1


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("shots", [None, 300])
def test_a_session_gives_what_direct_simulation_gives(precision, shots):
    noise = phl.Noise(transmittance=0.4, indistinguishability=0.9, g2=0.03, phase_error=0.1, phase_imprecision=0.01)
    x = np.random.default_rng(5).uniform(0, 6, (11, 5))
    for detectors, kind in itertools.product(
        ("pnr", "threshold"), ("probabilities", "mode_expectations", "correlators")
    ):
        readout = phl.Readout(kind, "fock")
        program = phl.Program.reservoir(
            5, 3, 5, seed=1, readout=readout, noise=noise, detectors=detectors, min_detected_photons=1
        )
        direct = program.simulate(x, precision=precision, shots=shots, seed=3)
        with phl.reserve("sim", program, precision=precision, shots=shots, seed=3) as session:
            first = session.infer(x[:4])
            rest = np.concatenate([session.infer(row)[None] for row in x[4:]])
        np.testing.assert_array_equal(np.concatenate([first, rest]), direct)


def test_samples_are_the_states_that_detectors_show():
    noise = phl.Noise(transmittance=0.5, g2=0.1)
    readout = phl.Readout.samples("fock")
    program = phl.Program.reservoir(4, 2, 4, seed=1, readout=readout, noise=noise, min_detected_photons=1)
    with phl.reserve("sim", program, shots=500, seed=2) as session:
        samples = session.infer(np.zeros(4))
    assert samples.shape == (500, 4)
    assert set(map(tuple, samples.tolist())) <= set(program.output_keys)
    assert set(samples.sum(1).tolist()) >= {1, 2}


def test_the_clock_counts_losses_once():
    """Pure loss in the program takes exactly as long as the preset's own loss on an ideal program."""
    chip = phl.preset("ascella")
    lossy = phl.Noise(transmittance=chip.transmittance.value)
    x = np.zeros((1, 6))
    seconds = []
    for noise in (None, lossy):
        program = phl.Program.reservoir(6, 3, 6, seed=1, noise=noise)
        with phl.reserve("sim", program, shots=100, preset="ascella") as session:
            seconds.append(session.infer(x, return_info=True)[1].quantum_seconds[0])
        assert program.fit("ascella").kept_per_second == pytest.approx(
            phl.Program.reservoir(6, 3, 6, seed=1).fit("ascella").kept_per_second
        )
    assert seconds[1] == pytest.approx(seconds[0], rel=1e-9)


def test_the_method_is_named():
    noise = phl.Noise(transmittance=0.5, indistinguishability=0.9)
    expectations = phl.Readout.mode_expectations("fock")
    cases = {
        "none": phl.Program.reservoir(4, 2, 4),
        "ideal": phl.Program.reservoir(4, 2, 4, noise=phl.Noise(transmittance=0.5)),
        "closed form": phl.Program.reservoir(4, 2, 4, readout=expectations, noise=noise, min_detected_photons=0),
        "exact mixture": phl.Program.reservoir(4, 2, 4, noise=noise),
    }
    for method, program in cases.items():
        with phl.reserve("sim", program) as session:
            info = session.infer(np.zeros(4), return_info=True)[1]
            assert (session.info.noise_method, info.noise_method) == (method, method)
