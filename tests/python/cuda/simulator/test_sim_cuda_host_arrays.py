"""Host arrays in sessions on "sim:cuda": there and back, with reports, failures and deadlines."""

import threading
from concurrent.futures import CancelledError

import numpy as np
import pytest
from device_arrays import SIZE, WIDTH, Failure
from simulator_double import BAD_FEATURE, REFUSED, ids

import photonlink as phl
from photonlink.cuda import _staging
from photonlink.errors import LinkTimeout, ProcessorError, ProgramError, SessionClosed


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_host_arrays_go_there_and_back(double, session, program, x, dtype):
    features = x.astype(dtype)
    out = np.full((len(x), SIZE), np.nan)
    assert session.infer(features, out=out) is out
    assert np.array_equal(out, program.simulate(features.astype(float), shots=50, seed=5))
    single = session.infer(features[0])
    assert np.array_equal(single, program.simulate(features[:1].astype(float), shots=50, seed=5, ids=ids(len(x), 1))[0])
    (staging,) = double.stagings  # made once, on a stream of its own
    assert double.simulators[0].streams == [staging.stream, staging.stream]
    assert session.usage.tokens == len(x) + 1


def test_large_calls_go_in_pieces(monkeypatch, double, session, program, x):
    monkeypatch.setattr(_staging, "_PIECE_BYTES", 5 * (WIDTH * 8 + SIZE * 8 + 12 + 50 * 4))
    y, info = session.infer(x, return_info=True)
    assert np.array_equal(y, program.simulate(x, shots=50, seed=5))
    assert len(double.simulators[0].streams) == -(-len(x) // 5)
    with phl.reserve("sim", program, shots=50, seed=5) as reference:
        expected = reference.infer(x, return_info=True)[1]
    np.testing.assert_array_equal(info.kept_fraction, expected.kept_fraction)


def test_no_rows(double, session):
    assert session.infer(np.empty((0, WIDTH))).shape == (0, SIZE)
    assert double.stagings == []


@pytest.mark.parametrize(
    "readout",
    [
        phl.Readout.probs("fock"),
        phl.Readout.probs("unbunched"),
        phl.Readout.probs("unbunched", phl.LexGrouping(4)),
        phl.Readout.probs("fock", phl.ModGrouping(3)),
        phl.Readout.mode_expectations("fock"),
        phl.Readout.correlators("unbunched"),
        phl.Readout.click_patterns("fock"),
        phl.Readout.click_probabilities(),
        phl.Readout.samples("unbunched"),
    ],
    ids=lambda readout: f"{readout.kind}-{readout.space}-{readout.grouping_name}",
)
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_reports_are_those_of_the_cpu(program, x, readout, precision):
    asked = program.replace(readout=readout)
    with phl.reserve("sim", asked, shots=40, seed=2, precision=precision) as reference:
        expected, known = reference.infer(x, return_info=True)
    with phl.reserve("sim:cuda", asked, shots=40, seed=2, precision=precision) as session:
        found, info = session.infer(x, return_info=True)
        assert session.usage.kept_samples == 40 * len(x)
    assert np.array_equal(found, expected)
    assert found.dtype == expected.dtype
    for mine, theirs in zip(info.counts, known.counts, strict=True):
        assert np.array_equal(mine.index, theirs.index)
        assert np.array_equal(mine.count, theirs.count)
    assert np.array_equal(info.kept_fraction, known.kept_fraction)
    assert np.array_equal(info.changed_phases, known.changed_phases)
    assert (info.target, info.clock, info.simulated) == ("sim:cuda", "virtual", True)
    if readout.kind == "samples":
        assert info.standard_errors is None
    else:
        np.testing.assert_allclose(info.standard_errors, known.standard_errors, atol=1e-12)
    np.testing.assert_allclose(info.quantum_seconds, 0.020 + 40 / 100e3, rtol=1e-12)


def test_exact_reports(program, x):
    with phl.reserve("sim:cuda", program) as session:
        y, info = session.infer(x, return_info=True)
        assert session.usage.quantum_seconds is None
    assert np.array_equal(y, program.simulate(x))
    assert info.counts is info.standard_errors is info.quantum_seconds is None


def test_single_precision_counts_as_many_shots_as_one_likes(program, x):
    """Frequencies of so many shots run together in float32; their counts do not."""
    with phl.reserve("sim:cuda", program, shots=2**22 + 1, precision="float32") as session:
        _, info = session.infer(x[:1], return_info=True)
    assert info.counts[0].count.sum() == 2**22 + 1


def test_features_that_are_not_finite_are_named_before_anything_is_sent(double, session, program, x):
    broken = x.copy()
    broken[3, 2] = np.inf
    with pytest.raises(ProgramError, match=rf"feature '{program.features[2]}' \(column 2\) of row 3") as refused:
        session.infer(broken)
    assert refused.value.row == 3
    assert double.simulators[0].streams == []


def test_a_datapoint_without_samples_is_a_failure_of_the_processor():
    """All photons leave by mode 0: nothing is unbunched."""
    program = phl.Program.layered(2, [2, 0]).phases(["a"]).build(phl.Readout.probs("unbunched"))
    with phl.reserve("sim:cuda", program, shots=10) as session:
        with pytest.raises(ProcessorError, match=r"datapoint 0 of 2 .* no probability into the unbunched space"):
            session.infer(np.zeros((2, 1)))
        session.check()  # heard once
        assert session.usage.tokens == 2


def test_a_failure_of_another_call_is_not_lost(double, session, x):
    simulator = double.simulators[0]
    launched = simulator.infer

    def infer(*arguments):
        launched(*arguments)
        simulator.left = Failure(BAD_FEATURE, row=77, id=77)  # of a device call at the same time

    simulator.infer = infer
    simulator._compute = lambda _x, _y, states, _kept, _shots: states.fill(REFUSED)
    with pytest.raises(phl.errors.PhotonLinkError):
        session.infer(x)
    with pytest.raises(ProgramError, match="row 77"):
        session.check()


def test_a_device_that_hangs_ends_the_call_in_time(double, session, x):
    simulator = double.simulators[0]
    simulator.busy = True
    with pytest.raises(LinkTimeout, match="no answer to datapoint 0 of 40") as late:
        session.infer(x, timeout=0.01)
    assert late.value.row == 0
    simulator.busy = False
    session.infer(x)
    assert len(double.stagings) == 2  # nobody else gets the memory that the launch may still write to


def test_a_waiting_call_can_be_cancelled(double, session, x):
    simulator = double.simulators[0]
    waiting = threading.Event()

    def synchronize(_stream, _timeout):
        waiting.set()
        return False

    simulator.synchronize = synchronize
    future = session.infer_async(x)
    assert waiting.wait(30)
    assert future.cancel()
    with pytest.raises(CancelledError):
        future.result(30)
    del simulator.synchronize


def test_closing_ends_a_waiting_call(double, program, x):
    session = phl.reserve("sim:cuda", program)
    simulator = double.simulators[0]
    waiting = threading.Event()
    waits = simulator.synchronize

    def synchronize(stream, timeout):
        if stream == 0:
            return waits(stream, timeout)
        waiting.set()
        return False

    simulator.synchronize = synchronize
    future = session.infer_async(x)
    assert waiting.wait(30)
    session.close()
    with pytest.raises(SessionClosed, match="closed during the call"):
        future.result(30)
