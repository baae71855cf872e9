"""Order on streams, the split call, and calls inside CUDA graphs. Sampled results show which ids datapoints had."""

import numpy as np
import pytest
from datapoint_ids import SEED, SHOTS, sampled

import photonlink as phl


@pytest.fixture
def session(program):
    with phl.reserve("sim", program, shots=SHOTS, seed=SEED) as opened:
        opened.device_link()
        yield opened


def test_a_given_stream_waits_for_the_data(xp, session, program, x):
    stream = xp.stream()
    y = session.infer(xp.put(x) + 0, stream=stream)
    session.synchronize(stream)
    assert np.array_equal(xp.get(y), sampled(program, x, 0))


def test_submit_and_collect(xp, session, program, x):
    features, statuses = xp.put(x[:64]), xp.statuses(64)
    call = session.submit(features, statuses=statuses)
    meanwhile = features @ features.T
    y = call.collect()
    session.synchronize()
    assert np.array_equal(xp.get(y), sampled(program, x[:64], 0))
    assert not xp.get(statuses).any()
    assert meanwhile.shape == (64, 64)


def test_submitted_calls_cannot_take_each_others_slots(xp, session, program, x):
    features = xp.put(x)
    first, second = session.submit(features[:40]), session.submit(features[40:64])
    with pytest.raises(phl.errors.ProgramError, match="slots"):
        session.submit(features[:1])
    y = second.collect(), first.collect()
    session.synchronize()
    assert np.array_equal(xp.get(y[1]), sampled(program, x[:40], 0))
    assert np.array_equal(xp.get(y[0]), sampled(program, x[40:64], 40))


def test_a_dropped_call_gives_its_slots_back(xp, session, program, x):
    features = xp.put(x)
    for turn in range(10):
        call = session.submit(features[:64])
        del call
        y = session.infer(features[:64])
        session.synchronize()
        assert np.array_equal(xp.get(y), sampled(program, x[:64], (2 * turn + 1) * 64))


@pytest.mark.parametrize("split", [False, True])
def test_every_replay_of_a_torch_graph_has_ids_of_its_own(torch, session, program, x, split):
    features = torch.from_numpy(x[:64]).cuda()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y = session.submit(features).collect() if split else session.infer(features)
    torch.cuda.synchronize()
    assert session.usage.tokens == 0
    for replay in range(5):
        features.copy_(torch.from_numpy(np.roll(x[:64], replay, axis=0)))
        graph.replay()
        torch.cuda.synchronize()
        session.check()
        assert np.array_equal(y.cpu().numpy(), sampled(program, np.roll(x[:64], replay, axis=0), 64 * replay))
    assert session.usage.tokens == 5 * 64


def test_a_hybrid_layer_in_a_graph(torch, program):
    torch.manual_seed(0)
    options = {"device": "cuda", "dtype": torch.float32}
    encoder, head = torch.nn.Linear(16, 6, **options), torch.nn.Linear(20, 10, **options)
    pixels = torch.rand(32, 16, **options)
    with phl.reserve("sim", program, precision="float32") as session, torch.no_grad():
        session.device_link()
        head(session.infer(encoder(pixels)))
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            scores = head(session.infer(encoder(pixels)))
        for _ in range(3):
            pixels.uniform_()
            graph.replay()
            session.synchronize()
            observables = program.simulate(encoder(pixels).cpu().numpy(), precision="float32")
            torch.testing.assert_close(scores, head(torch.from_numpy(observables).cuda()), rtol=1e-4, atol=1e-4)


def test_a_graph_that_outlives_its_session_gives_nan(torch, program, x):
    features = torch.from_numpy(x[:8]).cuda()
    graph = torch.cuda.CUDAGraph()
    with phl.reserve("sim", program) as session:
        session.device_link()
        with torch.cuda.graph(graph):
            y = session.infer(features)
        graph.replay()
        session.synchronize()
        assert not torch.isnan(y).any()
    graph.replay()
    torch.cuda.synchronize()
    assert torch.isnan(y).all()
