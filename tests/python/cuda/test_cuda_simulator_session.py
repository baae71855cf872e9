"""Sessions on "sim:cuda" around a stand-in for the simulator: calls, results, streams, graphs, usage, the end."""

import subprocess
import sys
import threading
from concurrent.futures import CancelledError
from pathlib import Path

import numpy as np
import pytest
from device_arrays import SIZE, WIDTH, DlpackArray, Failure, InterfaceArray, address, arrays, place
from simulator_double import BAD_FEATURE, PROCESSOR_FAILED, REFUSED, simulating

import photonlink as phl
from photonlink.cuda import _simulator, _staging
from photonlink.errors import (
    DeviceError,
    LinkTimeout,
    ProcessorError,
    ProgramError,
    SessionBusy,
    SessionClosed,
    TargetUnavailable,
    Unavailable,
)

pytestmark = pytest.mark.usefixtures("double")


@pytest.fixture
def session(double, program):
    with phl.reserve("sim:cuda", program, shots=50, seed=5) as opened:
        yield opened
    assert double.simulators[0].closed


def ids(first, rows):
    return np.arange(first, first + rows, dtype=np.uint64)


# ---- what it is


def test_what_it_says_of_itself(session):
    info = session.info
    assert (info.target, info.processor, info.simulated, info.clock) == ("sim:cuda", "cuda-slos", True, "virtual")
    assert (info.link, info.sampler) == ("none (stream-ordered launches)", "inverse_cdf")
    assert (info.kernel_profile, info.slots, info.threads) == ("compute capability 9.0", 32, 0)
    assert isinstance(session, phl.Session)
    assert "'sim:cuda', open" in repr(session)


def test_the_simulator_is_told_the_program(double, program):
    with phl.reserve("sim:cuda", program, precision="float32", seed=3, memory_limit=10**8):
        pass
    with phl.reserve("sim:cuda", program):
        pass
    first, second = double.simulators
    assert first.config["memory_limit"] == 10**8
    assert second.config["memory_limit"] == 2**30  # half of what the device has
    assert (first.config["precision"], second.config["precision"]) == ("float32", "float64")
    assert (first.seed, first.shots, second.shots) == (3, 0, 0)
    assert first.config["kind"] == "probabilities"
    assert first.config["space"] == "unbunched"


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("shots", [None, 37])
def test_the_conformance_cases_run_unchanged(monkeypatch, precision, shots):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "conformance"))
    import routes
    import test_conformance

    for number in range(test_conformance.CASES):
        program, x = test_conformance.random_case(number)
        job = routes.Job(program, x, shots, seed=number, precision=precision)
        found = routes.ROUTES["sim:cuda"].run(job)
        expected = program.simulate(x, shots=shots, seed=number, precision=precision)
        assert found.dtype == np.dtype(precision)
        assert np.array_equal(found, expected), f"case {number}: {program!r}"


# ---- host arrays


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
    monkeypatch.setattr(_staging, "_PIECE_BYTES", 5 * (WIDTH * 8 + SIZE * 8 + 12))
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
    "readout", [phl.Readout.probs("fock"), phl.Readout.probs("unbunched"), phl.Readout.samples("unbunched")]
)
def test_reports_are_those_of_the_cpu(program, x, readout):
    asked = program.replace(readout=readout)
    with phl.reserve("sim", asked, shots=40, seed=2) as reference:
        expected, known = reference.infer(x, return_info=True)
    with phl.reserve("sim:cuda", asked, shots=40, seed=2) as session:
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


def test_reports_that_would_need_counts_are_refused(program, x):
    grouped = program.replace(readout=phl.Readout.probs("unbunched", phl.LexGrouping(4)))
    for asked in (grouped, program.replace(readout=phl.Readout.mode_expectations("fock"))):
        with phl.reserve("sim:cuda", asked, shots=10) as session:
            with pytest.raises(ProgramError, match="counts behind every result"):
                session.infer(x, return_info=True)
            assert session.infer(x).shape == (len(x), asked.output_size)
    with (
        phl.reserve("sim:cuda", program, shots=2**22 + 1, precision="float32") as session,
        pytest.raises(ProgramError, match="float64"),
    ):
        session.infer(x[:1], return_info=True)


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
    simulator._compute = lambda _x, _y, states, _kept: states.fill(REFUSED)
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


# ---- arrays in device memory


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


# ---- reserving


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"clock": "realtime"}, "wait for nothing"),
        ({"token_budget": 5}, "token_budget needs a controller"),
        ({"idle_timeout": 1.0}, "idle_timeout needs a controller"),
        ({"max_duration": 1.0}, "max_duration needs a controller"),
        ({"slots": 8}, "slots belongs to a controller"),
        ({"threads": 2}, "threads belongs to a controller"),
        ({"latency": phl.Latency()}, "latency belongs to a controller"),
        ({"wait": 1.0}, "controller services"),
        ({"token": "secret"}, "controller services"),
        ({"precision": "float16"}, "precision is"),
        ({"memory_limit": 0}, "memory_limit is 0"),
        ({"timeout": -1}, "timeout is -1"),
        ({"preset": "acme"}, "unknown preset"),
    ],
)
def test_options_without_a_meaning_are_refused(double, program, options, words):
    with pytest.raises(ProgramError, match=words):
        phl.reserve("sim:cuda", program, **options)
    assert double.simulators == []
    with phl.reserve("sim:cuda", program):  # and nothing is held
        pass


def test_other_targets_have_no_device_memory_to_limit(program):
    with pytest.raises(ProgramError, match="Controller"):
        phl.reserve("sim", program, memory_limit=10**9)


def test_a_controller_is_refused(program):
    with phl.Controller() as mine, pytest.raises(ProgramError, match="controller belongs to"):
        phl.reserve("sim:cuda", program, controller=mine)


def test_noise_is_refused_by_name(program):
    noisy = program.replace(noise=phl.Noise(indistinguishability=0.9))
    with pytest.raises(ProgramError, match="reserve target 'sim'"):
        phl.reserve("sim:cuda", noisy, shots=10)
    with phl.reserve("sim:cuda", program):
        pass


def test_one_session_at_a_time(program):
    with phl.reserve("sim:cuda", program) as first:
        with pytest.raises(SessionBusy, match="held by another session"):
            phl.reserve("sim:cuda", program)
        with phl.reserve("sim", program):  # another processor
            pass
        first.close()
        with phl.reserve("sim:cuda", program):
            pass


def test_the_current_device_is_reserved(double, program, cupy):
    with phl.reserve("sim:cuda", program):
        cupy.cuda.Device = lambda: type("Device", (), {"id": 1})()
        with phl.reserve("sim:cuda", program):
            pass
        cupy.cuda.Device = lambda: type("Device", (), {"id": 2})()
        with pytest.raises(TargetUnavailable, match="device 2") as refused:
            phl.reserve("sim:cuda", program)
    assert refused.value.reason is Unavailable.DEVICE_TOO_OLD
    assert [simulator.device for simulator in double.simulators] == [0, 1]


def test_what_the_simulator_refuses_is_an_error_of_the_program():
    large = phl.Program.reservoir(13, 2, features=13)
    with pytest.raises(ProgramError, match="13 modes are too many") as refused:
        phl.reserve("sim:cuda", large)
    assert refused.value.target == "sim:cuda"


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("no_driver", Unavailable.NO_DRIVER),
        ("driver_too_old", Unavailable.DRIVER_TOO_OLD),
        ("no_device", Unavailable.NO_DEVICE),
        ("device_too_old", Unavailable.DEVICE_TOO_OLD),
        ("error", Unavailable.NO_DEVICE),
    ],
)
def test_a_missing_device_is_named(monkeypatch, program, state, reason):
    place(monkeypatch, simulating(state))
    with pytest.raises(TargetUnavailable, match="the reason and the fix") as refused:
        phl.reserve("sim:cuda", program)
    assert refused.value.reason is reason
    (target,) = (target for target in phl.targets() if target.name == "sim:cuda")
    assert (target.available, target.reason) == (False, reason)
    assert "the reason and the fix" in target.detail


def test_a_missing_part_is_named(monkeypatch, program):
    monkeypatch.setitem(sys.modules, "photonlink._cuda", None)
    with pytest.raises(TargetUnavailable, match="PHOTONLINK_CUDA=ON") as refused:
        phl.reserve("sim:cuda", program)
    assert refused.value.reason is Unavailable.NOT_BUILT


def test_the_target_is_listed_when_a_device_can_be_used():
    (target,) = (target for target in phl.targets() if target.name == "sim:cuda")
    assert (target.available, target.reason, target.hardware) == (True, None, False)


def test_reserving_another_target_loads_nothing_of_cuda():
    code = (
        "import sys, photonlink as phl\n"
        "with phl.reserve('sim', phl.Program.reservoir(4, 2, features=4)): pass\n"
        "sys.exit(' '.join({'photonlink.cuda', 'photonlink._cuda'} & set(sys.modules)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# ---- the end


def test_a_closed_session_says_so_and_keeps_its_counts(double, program, x):
    session = phl.reserve("sim:cuda", program, shots=10)
    session.infer(x)
    usage = session.close()
    assert usage == session.usage == session.close()
    assert usage.tokens == len(x)
    for call in (lambda: session.infer(x), session.check, session.device_link, lambda: session.infer_async(x)):
        with pytest.raises(SessionClosed):
            call()
    assert double.simulators[0].closed


def test_memory_that_launches_may_still_touch_is_kept(double, program, monkeypatch):
    monkeypatch.setattr(_simulator, "_kept", [])
    session = phl.reserve("sim:cuda", program)
    double.simulators[0].closes = [False]
    session.close()
    assert _simulator._kept == double.simulators


def test_counts_of_a_failing_close_are_not_lost(double, program, x):
    session = phl.reserve("sim:cuda", program)
    session.infer(x)
    double.simulators[0].left = Failure(REFUSED, row=1, wire_status=PROCESSOR_FAILED)
    with pytest.raises(ProcessorError):
        session.close()
    assert session.usage.tokens == len(x)
    with phl.reserve("sim:cuda", program):
        pass


def test_addresses_are_those_of_the_arrays(double, session):
    seen = []
    double.simulators[0].infer = lambda *arguments: seen.append(arguments)
    x, out = arrays()
    session.infer(x, out=out, stream=6)
    assert seen == [(address(x), 8, WIDTH, address(out), SIZE, 0, 0, 4, 6)]
