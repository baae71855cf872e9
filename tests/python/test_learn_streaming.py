"""The streaming reservoir: steps that depend on their input and on the step before, and on nothing else."""

import pickle

import numpy as np
import pytest

import photonlink as phl
from photonlink.errors import ProgramError, SessionClosed
from photonlink.learn import StreamingReservoir


@pytest.fixture(scope="module")
def series():
    return np.random.default_rng(6).uniform(-1, 1, size=(30, 2))


def by_hand(program, series, w_in, w_fb, bias, rest=0.0):
    """The recurrence with direct simulation: no link, no session."""
    last, found = rest + np.zeros(program.output_size), []
    for u in series:
        last = program.simulate(bias + w_in @ u + w_fb @ (last - rest))
        found.append(last)
    return np.array(found)


@pytest.fixture(scope="module")
def parts():
    program = phl.Program.reservoir(6, 3, features=5, seed=2)
    generator = np.random.default_rng(1)
    w_in, w_fb = generator.normal(size=(5, 2)), generator.normal(size=(5, program.output_size))
    return program, w_in, w_fb, generator.normal(size=5)


def test_steps_are_the_recurrence(parts, series):
    program, w_in, w_fb, bias = parts
    with StreamingReservoir(program, input_weights=w_in, feedback_weights=w_fb, bias=bias) as reservoir:
        expected = by_hand(program, series, w_in, w_fb, bias)
        found = reservoir.run(series)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)  # the loop amplifies rounding
        reservoir.reset()
        np.testing.assert_array_equal(np.stack([reservoir.step(u) for u in series]), found)
        assert reservoir.usage.tokens == 60
        assert reservoir.info.target == "sim"
    assert abs(expected[1:] - by_hand(program, series, w_in, 0 * w_fb, bias)[1:]).max() > 0.01  # it does feed back


def test_a_rest_feeds_nothing_back(parts, series):
    program, w_in, w_fb, bias = parts
    rest = program.simulate(bias)
    weights = {"input_weights": w_in, "feedback_weights": w_fb, "bias": bias, "rest": rest}
    with StreamingReservoir(program, **weights) as reservoir:
        np.testing.assert_allclose(reservoir.step([0.0, 0.0]), rest, rtol=0, atol=1e-12)
        reservoir.reset()
        found = reservoir.run(series)
    np.testing.assert_allclose(found, by_hand(program, series, w_in, w_fb, bias, rest), rtol=0, atol=1e-9)


def test_runs_go_on_where_the_last_one_ended(parts, series):
    program, w_in, w_fb, bias = parts
    with StreamingReservoir(program, input_weights=w_in, feedback_weights=w_fb, bias=bias) as reservoir:
        whole = reservoir.run(series)
        reservoir.reset()
        first = reservoir.run(series[:11])
        copied = pickle.loads(pickle.dumps(reservoir))  # its memory comes along, its session does not
        rest = reservoir.run(series[11:])
        np.testing.assert_array_equal(np.concatenate([first, rest]), whole)
        with copied:
            np.testing.assert_array_equal(copied.run(series[11:]), rest)
            assert copied.usage.tokens == 19


def test_sampled_steps_feed_back_what_was_sampled(parts, series):
    program, w_in, w_fb, bias = parts
    weights = {"input_weights": w_in, "feedback_weights": w_fb, "bias": bias}
    with StreamingReservoir(program, **weights, shots=50, seed=3) as reservoir:
        found = reservoir.run(series)
        assert reservoir.usage.quantum_seconds == pytest.approx(30 * (0.02 + 50 / 100e3))
    last = np.zeros(program.output_size)
    for t, u in enumerate(series):
        np.testing.assert_allclose(found[t].sum(), 1, atol=1e-12)
        last = program.simulate(bias + w_in @ u + w_fb @ last, shots=50, seed=3, ids=[t])
        np.testing.assert_allclose(found[t], last, rtol=0, atol=1e-12)
    with StreamingReservoir(program, **weights, shots=50, seed=4) as other:
        assert (other.run(series[:1]) != found[:1]).any()


def test_an_open_session_is_used_and_left_open(parts, series):
    program, w_in, w_fb, _ = parts
    with phl.reserve("sim", program) as session:
        with StreamingReservoir(program, input_weights=w_in, feedback_weights=w_fb, target=session) as reservoir:
            reservoir.run(series)
        assert session.usage.tokens == 30
        session.infer(np.zeros(5))


def test_random_reservoirs_are_the_same_for_the_same_seed(series):
    runs = []
    for seed in (1, 1, 2):
        with StreamingReservoir.random(inputs=2, modes=6, photons=2, seed=seed) as reservoir:
            runs.append(reservoir.run(series))
    np.testing.assert_array_equal(runs[0], runs[1])
    assert abs(runs[0] - runs[2]).max() > 0.01
    with StreamingReservoir.random(inputs=2, modes=6, photons=2, seed=1, interference=False) as control:
        assert abs(control.run(series) - runs[0]).max() > 0.01


def test_deviations_fade_by_the_gain():
    """A small kick decays like gain**t: all directions that are fed back at all alike."""
    norms = []
    for gain in (0.5, 0.9):
        kicks = np.zeros((9, 1))
        kicks[0] = 1e-4
        with StreamingReservoir.random(modes=8, photons=3, input_scale=1, feedback_gain=gain, seed=3) as reservoir:
            rest = reservoir.run(0 * kicks)
            reservoir.reset()
            norms.append(np.linalg.norm(reservoir.run(kicks) - rest, axis=1))
    slow, fast = norms[1][1:] / norms[1][0], norms[0][1:] / norms[0][0]
    assert fast[-1] < 0.05 < slow[-1]
    np.testing.assert_allclose(slow / fast, (0.9 / 0.5) ** np.arange(1, 9), rtol=1e-2)


def test_it_forgets_where_it_started(series):
    with StreamingReservoir.random(inputs=2, modes=6, photons=2, feedback_gain=0.5, seed=1) as reservoir:
        reservoir.run(np.ones((5, 2)))
        one = reservoir.run(series)
        reservoir.reset()
        other = reservoir.run(series)
    assert abs(one[0] - other[0]).max() > 1e-3
    assert abs(one[-1] - other[-1]).max() < 1e-6


def test_refusals(parts, series):
    program, w_in, w_fb, _ = parts
    for weights, words in [
        ({"input_weights": w_in[:4], "feedback_weights": w_fb}, r"input_weights has shape \(4, 2\)"),
        ({"input_weights": w_in, "feedback_weights": w_fb[:, 1:]}, r"expected \(5, 20\)"),
        ({"input_weights": w_in * np.nan, "feedback_weights": w_fb}, "not finite"),
        ({"input_weights": w_in, "feedback_weights": w_fb, "bias": np.zeros(4)}, "bias has shape"),
        ({"input_weights": w_in, "feedback_weights": w_fb, "rest": np.full(20, np.inf)}, "rest has shape"),
    ]:
        with pytest.raises(ProgramError, match=words):
            StreamingReservoir(program, **weights)
    samples = phl.Program.reservoir(6, 3, features=5, readout=phl.Readout.samples())
    with pytest.raises(ProgramError, match="not samples"):
        StreamingReservoir(samples, input_weights=w_in, feedback_weights=w_fb)
    reservoir = StreamingReservoir(program, input_weights=w_in, feedback_weights=w_fb)
    for wrong in (series[:, :1], series * np.inf, series[0]):
        with pytest.raises(ProgramError, match=r"\(T, 2\) for a run"):
            reservoir.run(wrong)
    with pytest.raises(ProgramError, match=r"\(2,\) for a step"):
        reservoir.step(series)
    reservoir.close()
    reservoir.close()
    with pytest.raises(SessionClosed, match="make a new one"):
        reservoir.step(series[0])
