"""What results and sessions say about themselves."""

import numpy as np
import pytest

import photonlink as phl
from photonlink.errors import ProgramError


def test_exact_results_have_no_quantum_time(program, x):
    with phl.reserve("sim", program) as session:
        _, info = session.infer(x, return_info=True)
    assert info.counts is None
    assert info.standard_errors is None
    assert info.quantum_seconds is None
    assert (info.clock, info.simulated, info.target) == ("virtual", True, "sim")
    assert session.usage.quantum_seconds is None
    assert session.usage.configuration_seconds is None
    assert (session.usage.tokens, session.usage.shots, session.usage.kept_samples) == (40, 0, 0)


def test_kept_fraction_is_the_weight_of_the_space(program, x):
    fock = program.replace(readout=phl.Readout.probs(space="fock"))
    unbunched = [max(key) <= 1 for key in fock.output_keys]
    with phl.reserve("sim", program) as session:
        _, info = session.infer(x, return_info=True)
    np.testing.assert_allclose(info.kept_fraction, fock.simulate(x)[:, unbunched].sum(axis=1), atol=1e-12)


def test_counts_are_the_estimates(program, x):
    with phl.reserve("sim", program, shots=64, seed=9) as session:
        y, info = session.infer(x, return_info=True)
    for row, counts in enumerate(info.counts):
        dense = np.zeros(15)
        dense[counts.index] = counts.count
        assert dense.sum() == 64
        np.testing.assert_allclose(y[row], dense / 64, rtol=0, atol=1e-15)
        assert (np.diff(counts.index.astype(int)) > 0).all()


def test_standard_errors_are_the_spread_of_repeated_estimates(program, x):
    repeats = np.tile(x[0], (4000, 1))
    with phl.reserve("sim", program, shots=100, seed=1, slots=256) as session:
        y, info = session.infer(repeats, return_info=True)
    # The relative error of a standard deviation over 4000 repeats is about 1/sqrt(8000) = 1.1 %: five of those, and
    # what the plug-in estimate is off for rare states.
    common = y.mean(axis=0) > 0.02
    assert common.sum() >= 5
    np.testing.assert_allclose(info.standard_errors[:, common].mean(axis=0), y[:, common].std(axis=0), rtol=0.08)


def test_quantum_time_follows_the_published_flat_figures(program, x):
    rows = np.stack([x[0], x[1], x[1], x[2]])
    rows[3, 1:] = x[1, 1:]
    with phl.reserve("sim", program, shots=500) as session:
        _, info = session.infer(rows, return_info=True)
        usage = session.usage
    assert info.changed_phases.tolist() == [6, 6, 0, 1]
    np.testing.assert_allclose(info.quantum_seconds, [0.025, 0.025, 0.005, 0.025], atol=1e-8)
    assert usage.quantum_seconds == pytest.approx(0.080, abs=1e-6)
    assert usage.configuration_seconds == 1.0
    assert (usage.tokens, usage.shots, usage.kept_samples) == (4, 2000, 2000)


def test_the_clock_can_be_switched_off(program, x):
    with phl.reserve("sim", program, shots=10, clock="none") as session:
        _, info = session.infer(x, return_info=True)
        assert info.quantum_seconds is None
        assert session.usage.quantum_seconds is None
        assert session.info.clock == info.clock == "none"


def test_info_names_what_runs(program):
    with phl.reserve("sim", program, shots=10, preset="belenos", precision="float32", slots=8) as session:
        info = session.info
    assert info.target == info["target"] == "sim"
    assert info.target_overridden_from is None
    assert (info.simulated, info.clock, info.preset, info.precision, info.slots) == (
        True,
        "virtual",
        "belenos",
        "float32",
        8,
    )
    assert info.digest == program.digest
    assert info.chip == program.fit("belenos").label
    assert info.processor
    assert info.kernel_profile
    assert info.link == "in-process"
    assert info.calibration_age_seconds >= 0
    with pytest.raises(KeyError):
        info["nonsense"]


def test_samples_are_fock_states_of_the_right_frequency(x):
    program = phl.Program.reservoir(6, 2, features=6, seed=7, readout=phl.Readout.samples(space="unbunched"))
    exact = program.replace(readout=phl.Readout.probs(space="unbunched"))
    shots = 20_000
    with phl.reserve("sim", program, shots=shots, seed=4) as session:
        y, info = session.infer(x[:3], return_info=True)
        single = session.infer(x[0])
    assert y.shape == (3, shots, 6)
    assert y.dtype == np.uint8
    assert single.shape == (shots, 6)
    assert (y.sum(axis=2) == 2).all()
    assert y.max() == 1
    assert info.standard_errors is None
    keys = {key: index for index, key in enumerate(program.output_keys)}
    for row, probabilities in enumerate(exact.simulate(x[:3])):
        index = np.array([keys[tuple(state)] for state in y[row].tolist()])
        assert (np.diff(index) >= 0).all()
        frequencies = np.bincount(index, minlength=15) / shots
        # Five standard deviations of a binomial frequency; 45 comparisons with a fixed seed.
        assert (abs(frequencies - probabilities) < 5 * np.sqrt(probabilities / shots) + 1e-9).all()


def test_samples_need_shots_and_no_out(x):
    program = phl.Program.reservoir(6, 2, features=6, readout=phl.Readout.samples())
    with pytest.raises(ProgramError, match="shots"):
        phl.reserve("sim", program)
    with phl.reserve("sim", program, shots=5) as session, pytest.raises(ProgramError, match="out"):
        session.infer(x, out=np.zeros((40, 5, 6), np.uint8))


def test_echo_latencies_are_measured_and_cost_no_token(program):
    with phl.reserve("sim", program) as session:
        latencies = session.echo_latency(100)
        assert latencies.shape == (100,)
        assert (latencies > 0).all()
        assert session.usage.tokens == 0
        with pytest.raises(ProgramError, match="rounds"):
            session.echo_latency(0)
