"""Device arrays in sessions on "sim:cuda": addresses, streams, graphs, failures."""

import numpy as np
import pytest
from device_arrays import SIZE, WIDTH, DlpackArray, InterfaceArray, arrays
from simulator_double import ids

from photonlink.errors import DeviceError, ProgramError


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_device_arrays_are_used_where_they_are(double, session, program, x, dtype):
    features = DlpackArray(x.astype(dtype))
    out = DlpackArray(np.zeros((len(x), SIZE)))
    statuses = DlpackArray(np.full(len(x), 9, np.uint32))
    assert session.infer(features, out=out, stream=77, statuses=statuses) is out
    assert np.array_equal(out.array, program.simulate(x.astype(dtype).astype(float), shots=50, seed=5))
    assert not statuses.array.any()
    simulator = double.simulators[0]
    assert simulator.streams == [77]
    assert simulator.waits == []  # nothing waited for on the host
    assert features.streams == out.streams == statuses.streams == [77]
    assert double.stagings == []


def test_rows_may_lie_apart_and_a_datapoint_may_be_alone(session, program, x):
    spread, results = np.zeros((len(x), 2 * WIDTH)), np.full((len(x), SIZE + 3), -1.0)
    spread[:, :WIDTH] = x
    session.infer(DlpackArray(spread[:, :WIDTH]), out=DlpackArray(results[:, :SIZE]), stream=0)
    assert np.array_equal(results[:, :SIZE], program.simulate(x, shots=50, seed=5))
    assert (results[:, SIZE:] == -1).all()
    alone = DlpackArray(np.zeros(SIZE))
    session.infer(DlpackArray(x[0].copy()), out=alone, stream=0)
    assert np.array_equal(alone.array, program.simulate(x[:1], shots=50, seed=5, ids=ids(len(x), 1))[0])


def test_the_frameworks_current_stream_and_memory(double, session, cupy, program, x):
    y = session.infer(cupy.Array(x))
    assert type(y) is cupy.Array
    assert np.array_equal(y.array, program.simulate(x, shots=50, seed=5))
    assert double.simulators[0].streams == [33]
    session.synchronize()
    assert {stream for stream, _ in double.simulators[0].waits} == {0, 33}


def test_a_stream_that_an_array_is_written_on_is_waited_for(double, session, x):
    session.infer(InterfaceArray(x, stream=9), out=DlpackArray(np.zeros((len(x), SIZE))), stream=4)
    assert double.simulators[0].waits[0][0] == 9
    assert double.simulators[0].streams == [4]


def test_every_replay_has_ids_of_its_own_and_counts(double, session, program, x):
    features, out = DlpackArray(x.copy()), DlpackArray(np.zeros((len(x), SIZE)))
    double.capturing = True
    session.infer(features, out=out, stream=1)
    double.capturing = False
    assert session.usage.tokens == 0
    for replay in range(3):
        features.array[...] = np.roll(x, replay, axis=0)
        double.replay()
        expected = program.simulate(np.roll(x, replay, axis=0), shots=50, seed=5, ids=ids(replay * len(x), len(x)))
        assert np.array_equal(out.array, expected)
    usage = session.usage
    assert (usage.tokens, usage.shots) == (3 * len(x), 150 * len(x))
    assert usage.quantum_seconds == pytest.approx(3 * len(x) * (0.020 + 50 / 100e3))
    assert usage.configuration_seconds == 1.0


def test_a_failed_row_is_nan_and_raised_by_whoever_looks_next(session, x):
    broken = x.copy()
    broken[2, 1] = np.nan
    out, statuses = DlpackArray(np.zeros((len(x), SIZE))), DlpackArray(np.zeros(len(x), np.uint32))
    session.infer(DlpackArray(broken), out=out, statuses=statuses, stream=0)
    assert np.isnan(out.array[2]).all()
    assert np.flatnonzero(statuses.array).tolist() == [2]
    for look in (session.check, session.synchronize, lambda: session.infer(x)):
        with pytest.raises(ProgramError, match="a feature of row 2 is not finite"):
            look()
        session.check()
        session.infer(DlpackArray(broken), out=out, stream=0)
    with pytest.raises(ProgramError, match="row 2"):
        session.close()
    session.close()


def test_what_makes_no_sense_is_refused(session, x):
    features, out = arrays()
    for call, words in [
        (lambda: session.infer(features, out=out, timeout=1.0), "timeout belongs to calls that wait"),
        (lambda: session.infer(DlpackArray(np.zeros((4, WIDTH)), 1), out=out), "device 1, and the session is on"),
        (lambda: session.infer(features, out=out, return_info=True), "return_info needs the host"),
        (lambda: session.infer(features), "pass out="),
        (lambda: session.infer(x, stream=3), "x is in host memory"),
        (lambda: session.infer_async(features), "does not wait"),
        (lambda: session.submit(features, out=out), "the processor is the device"),
        (session.device_link, "has no link"),
        (lambda: session.device_link(0, slots=4), "keep the simulator"),
        (lambda: session._core_session.open_device_port(4), "has no link"),
        (lambda: session._core_session.native, "has no link"),  # what CUDA-Q's attach() asks for
        (lambda: session.echo_latency(5), "no link whose latency"),
    ]:
        with pytest.raises(ProgramError, match=words):
            call()
    assert session.usage.tokens == 0


def test_what_cuda_refuses_is_a_typed_error(double, session, x):
    double.simulators[0].fails = True
    with pytest.raises(DeviceError, match="cudaErrorUnknown"):
        session.infer(*arrays(), stream=0)
    with pytest.raises(DeviceError, match="cudaErrorUnknown"):
        session.infer(x)
    double.simulators[0].fails = False
    session.infer(x)
