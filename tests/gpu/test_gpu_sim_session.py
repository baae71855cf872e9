"""Sessions whose processor is a simulator on the GPU itself: what they compute, in which order, and what they count.

The reference is the simulator on the CPU, which is compared with Perceval elsewhere.
"""

import numpy as np
import pytest
from datapoint_ids import SEED, SHOTS, sampled

import photonlink as phl
from photonlink.errors import ProgramError, SessionBusy, SessionClosed

TOLERANCE = {"float64": {"rtol": 1e-12, "atol": 1e-14}, "float32": {"rtol": 1e-5, "atol": 1e-7}}
READOUTS = {
    "fock": phl.Readout.probs("fock"),
    "unbunched": phl.Readout.probs("unbunched"),
    "dual_rail": phl.Readout.probs("dual_rail"),
    "lex": phl.Readout.probs("fock", phl.LexGrouping(5)),
    "mod": phl.Readout.probs("unbunched", phl.ModGrouping(4)),
    "expectations": phl.Readout.mode_expectations("unbunched"),
    "closed_expectations": phl.Readout.mode_expectations("fock"),
    "correlators": phl.Readout.correlators("unbunched"),
    "closed_correlators": phl.Readout.correlators("fock"),
    "patterns": phl.Readout.click_patterns("fock"),
    "clicks": phl.Readout.click_probabilities("unbunched"),
}


SAMPLES = phl.Readout.samples("unbunched")


def with_readout(name):
    state = [1, 0, 1, 0, 1, 0]
    names = [f"x{k}" for k in range(6)]
    return phl.Program.layered(6, state).haar(1).phases(names).haar(2).build(READOUTS[name])


@pytest.fixture
def session(program):
    with phl.reserve("sim:cuda", program, shots=SHOTS, seed=SEED) as opened:
        yield opened


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", READOUTS)
def test_exact_results_are_those_of_the_cpu(xp, x, name, precision, dtype):
    program, features = with_readout(name), x.astype(dtype)
    expected = program.simulate(features.astype(float), precision=precision)
    with phl.reserve("sim:cuda", program, precision=precision) as session:
        y = session.infer(xp.put(features))
        on_host = session.infer(features)
        session.synchronize()
        assert isinstance(y, xp.kind)
        assert session.usage.tokens == 2 * len(x)
    assert xp.get(y).dtype == on_host.dtype == expected.dtype
    np.testing.assert_allclose(xp.get(y), expected, **TOLERANCE[precision])
    assert np.array_equal(on_host, xp.get(y))


@pytest.mark.parametrize("name", READOUTS)
def test_samples_are_those_of_the_cpu(xp, x, name):
    """The same random numbers; draws within 1e-12 of a boundary may differ, and these seeds have none."""
    program = with_readout(name)
    with phl.reserve("sim:cuda", program, shots=SHOTS, seed=SEED) as session:
        y = session.infer(xp.put(x))
        session.synchronize()
    assert np.array_equal(xp.get(y), sampled(program, x, 0))


@pytest.mark.parametrize("name", [*READOUTS, "samples"])
def test_reports_from_host_arrays(x, name):
    program = with_readout(name) if name in READOUTS else with_readout("unbunched").replace(readout=SAMPLES)
    with phl.reserve("sim", program, shots=SHOTS, seed=SEED) as reference:
        expected, known = reference.infer(x, return_info=True)
    with phl.reserve("sim:cuda", program, shots=SHOTS, seed=SEED) as session:
        found, info = session.infer(x, return_info=True)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(info.kept_fraction, known.kept_fraction, rtol=1e-12)
    if name == "samples":
        assert info.standard_errors is known.standard_errors is None
    else:
        np.testing.assert_allclose(info.standard_errors, known.standard_errors, atol=1e-12)
    for mine, theirs in zip(info.counts, known.counts, strict=True):
        assert np.array_equal(mine.index, theirs.index)
        assert np.array_equal(mine.count, theirs.count)


def test_a_failed_row_is_nan_and_raised_once(xp, session, program, x):
    broken = x.copy()
    broken[7, 3] = np.inf
    statuses = xp.statuses(len(x))
    y = session.infer(xp.put(broken), statuses=statuses)
    with pytest.raises(ProgramError, match="row 7"):
        session.synchronize()
    session.check()
    found, expected = xp.get(y), sampled(program, x, 0)
    assert np.isnan(found[7]).all()
    assert np.flatnonzero(xp.get(statuses)).tolist() == [7]
    assert np.array_equal(np.delete(found, 7, 0), np.delete(expected, 7, 0))


@pytest.mark.parametrize("rows", [1, 64, 200])
def test_every_replay_of_a_torch_graph_has_ids_of_its_own(torch, session, program, x, rows):
    features = torch.from_numpy(x[:rows]).cuda()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y = session.infer(features)
    torch.cuda.synchronize()
    assert session.usage.tokens == 0
    for replay in range(5):
        turned = np.roll(x[:rows], replay, axis=0)
        features.copy_(torch.from_numpy(turned))
        graph.replay()
        torch.cuda.synchronize()
        session.check()
        assert np.array_equal(y.cpu().numpy(), sampled(program, turned, rows * replay))
    usage = session.usage
    assert (usage.tokens, usage.shots) == (5 * rows, 5 * rows * SHOTS)


def test_host_arrays_during_a_capture(torch, session, program, x):
    """They have a stream of their own, which the graph sees nothing of."""
    features = torch.from_numpy(x).cuda()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        y = session.infer(features)
        future = session.infer_async(x)
        on_host = future.result(60)
    graph.replay()
    torch.cuda.synchronize()
    assert np.array_equal(on_host, sampled(program, x, 0))
    assert np.array_equal(y.cpu().numpy(), sampled(program, x, len(x)))


def test_one_session_per_device(session, program):
    with pytest.raises(SessionBusy):
        phl.reserve("sim:cuda", program)
    with pytest.raises(ProgramError, match="has no link"):
        session.device_link()
    session.close()
    with pytest.raises(SessionClosed):
        session.check()
    with phl.reserve("sim:cuda", program) as other:
        assert other.info.simulated


def test_too_little_memory_is_refused_before_anything_is_reserved(program):
    with pytest.raises(ProgramError):
        phl.reserve("sim:cuda", program, memory_limit=1)
    with phl.reserve("sim:cuda", program):
        pass
