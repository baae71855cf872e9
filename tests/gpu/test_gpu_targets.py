"""What holds wherever the processor is: behind a link, or simulated on the device that the arrays lie on."""

import numpy as np
import pytest
from datapoint_ids import SEED, SHOTS, sampled

import photonlink as phl

ATOL = {"sim": 0.0, "sim:cuda": 1e-14}  # the reference runs on the CPU, as "sim" does


@pytest.fixture(params=ATOL)
def target(request):
    return request.param


@pytest.fixture
def session(target, program):
    with phl.reserve(target, program, shots=SHOTS, seed=SEED) as opened:
        if target == "sim":
            opened.device_link()
        yield opened


def test_strided_rows_given_results_and_statuses(xp, target, program, x):
    wide, results = xp.put(np.hstack([x, x])), xp.put(np.full((2 * len(x), 25), -1.0))
    statuses = xp.statuses(len(x))
    with phl.reserve(target, program) as session:
        out = results[::2, 2:22]
        assert session.infer(wide[:, 6:], out=out, statuses=statuses) is out
        session.synchronize()
    found = xp.get(results)
    np.testing.assert_allclose(found[::2, 2:22], program.simulate(x), rtol=1e-12, atol=ATOL[target])
    assert (found[1::2] == -1).all()
    assert (found[:, :2] == -1).all()
    assert (found[:, 22:] == -1).all()
    assert not xp.get(statuses).any()


def test_a_call_is_work_on_the_current_stream(xp, session, program, x):
    """Work before it on the stream is done when it reads, and work behind it sees its results."""
    stream = xp.stream()
    source, features = xp.put(x), xp.put(np.full_like(x, np.nan))
    session.synchronize()
    with xp.on(stream):
        heavy = xp.put(np.random.default_rng(0).normal(size=(2000, 2000)))
        for _ in range(20):
            heavy = heavy @ heavy * 1e-3
        features[...] = source
        y = session.infer(features)
        twice = y * 2
        features[...] = float("nan")
    session.synchronize(stream)
    expected = sampled(program, x, 0)
    assert np.array_equal(xp.get(y), expected)
    assert np.array_equal(xp.get(twice), 2 * expected)


def test_calls_on_several_streams_have_ids_of_their_own(xp, session, program, x):
    streams = [xp.stream() for _ in range(4)]
    features = xp.put(x)
    session.synchronize()
    results = [session.infer(features, stream=stream) for stream in streams]
    for stream in streams:
        session.synchronize(stream)
    found = sorted(xp.get(y).tobytes() for y in results)
    assert found == sorted(sampled(program, x, turn * len(x)).tobytes() for turn in range(4))
    assert session.usage.tokens == 4 * len(x)


def test_every_replay_of_a_cupy_graph_has_ids_of_its_own(cupy, session, program, x):
    features, y = cupy.asarray(x[:50]), cupy.empty((50, 20))
    session.synchronize()
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        session.infer(features, out=y)
        graph = stream.end_capture()
        for replay in range(3):
            graph.launch()
            session.synchronize(stream)
            assert np.array_equal(y.get(), sampled(program, x[:50], 50 * replay))
