"""Device functions called from real kernels: bytes on the wire, values that come back, what they steer."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import cudaq
import device_kernels as kernels
import numpy as np
import pytest
from device_kernels import FEATURES
from scipy import stats

import photonlink as phl
from photonlink.cudaq import device
from photonlink.qsc.launching import ServiceProcess
from photonlink.realtime import Client, Request, Response, Service


def logged(*values):
    """What cudaq.run returns for floats: its output log keeps six digits."""
    return pytest.approx(values, rel=1e-5)


class Recorder:
    """A transport that keeps what is sent, and answers each request with the same payload."""

    slot_bytes = 256
    peer = "recorder"

    def __init__(self, answer):
        self.sent = []
        self._answer = answer

    def send(self, datagram):
        self.sent.append(Request.decode(datagram))

    def receive(self, _seconds):
        request = self.sent[-1]
        return Response(0, request.request_id, self._answer, request.ptp_timestamp).encode()

    def close(self):
        pass


# ---- the wire


@pytest.mark.parametrize(
    ("kernel", "name", "payload", "answer", "value"),
    [
        (kernels.golden_add, "addThem", "2900000000000000 0100000000000000", "2a" + 7 * "00", 42),
        (kernels.golden_getc, "getc", "2900000000000000 0900000000000000 01", "0505", True),
        (
            kernels.golden_mix,
            "mix",
            (
                "07000000 2c010000 0100000000000000 000000000000f83f 0102000000000000 0900000000000000 0d010000"
                "00000040 0200000000000000 000000000000e03f 000000000000d03f 07"
            ),
            "01" + 7 * "00",
            1,
        ),
    ],
)
def test_golden_payloads(kernel, name, payload, answer, value):
    recorder = Recorder(bytes.fromhex(answer))
    with Client(recorder) as client, device.attach(client, kernels.SERVICE):
        assert cudaq.run(kernel, shots_count=2) == [value, value]
    assert [request.payload.hex() for request in recorder.sent] == 2 * [payload.replace(" ", "")]
    assert recorder.sent[0].function_id == phl.realtime.function_id(name)


def test_golden_payload_of_a_function_that_returns_nothing():
    recorder = Recorder(b"")
    with Client(recorder) as client, device.attach(client, kernels.SERVICE):
        kernels.golden_enq()
    assert [request.payload.hex() for request in recorder.sent] == ["2900000000000000" + "0900000000000000" + "0d01"]


# ---- sessions


PROGRAMS = {
    "fock": {"readout": phl.Readout.probs(space="fock")},
    "groups": {"readout": phl.Readout.probs(space="unbunched", grouping=phl.LexGrouping(4))},
    "expectations": {"readout": phl.Readout.mode_expectations(space="fock")},
    "correlators": {"readout": phl.Readout.correlators()},
    "clicks": {"readout": phl.Readout.click_patterns()},
}


@pytest.mark.parametrize("shots", [None, 50])
@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("kind", PROGRAMS)
def test_every_bit_of_every_observable_reaches_the_kernel(kind, precision, shots):
    program = phl.Program.reservoir(5, 2, features=5, seed=3, **PROGRAMS[kind])
    x = np.random.default_rng(2).uniform(0, np.pi, size=(6, 5))
    options = {"shots": shots, "seed": 9, "precision": precision}
    kernels.kept.clear()
    with phl.reserve("sim", program, **options) as session, device.attach(session):
        kernels.keep_all(x.ravel().tolist(), *x.shape, program.output_size)
    assert np.array_equal(np.array(kernels.kept), program.simulate(x, **options))


def test_a_kernel_infers_what_the_session_infers(session):
    expected = session.infer(np.array(FEATURES))
    for index in (0, 7, 14):
        assert cudaq.run(kernels.infer_one, FEATURES, index, shots_count=3) == logged(*[expected[index]] * 3)
        assert cudaq.run(kernels.infer_then_ask, FEATURES, index, shots_count=1) == logged(expected[index])
    assert session.usage.tokens == 1 + 3 * 4


def test_a_kernel_that_was_not_bound_gets_the_same(session):
    expected = session.infer(np.array(FEATURES))
    assert cudaq.run(kernels.infer_unbound, FEATURES, 4, shots_count=2) == logged(expected[4], expected[4])


def test_a_float32_session(program):
    with phl.reserve("sim", program, precision="float32") as session, device.attach(session):
        expected = session.infer(np.array(FEATURES))
        assert cudaq.run(kernels.infer_one, FEATURES, 4, shots_count=1) == logged(expected[4])


@pytest.mark.parametrize("target", ["qpp-cpu", "density-matrix-cpu"])
def test_observables_are_angles(session, target):
    cudaq.set_target(target)
    try:
        expected = np.cos(3.0 * session.infer(np.array(FEATURES))[2])
        exact = cudaq.observe(kernels.rotate, cudaq.spin.z(0), FEATURES, 2).expectation()
        assert exact == pytest.approx(expected, abs=1e-6)
        counts = cudaq.sample(kernels.rotate, FEATURES, 2, shots_count=4000)
        ones = counts.count("1") if "1" in counts else 0
        assert stats.binomtest(ones, 4000, (1 - expected) / 2).pvalue > 1e-6
    finally:
        cudaq.reset_target()


def test_observables_steer_the_kernel(session):
    probability = session.infer(np.array(FEATURES))[3]
    assert cudaq.run(kernels.flip_if_above, FEATURES, 3, probability - 1e-9, shots_count=4) == [True] * 4
    assert cudaq.run(kernels.flip_if_above, FEATURES, 3, probability + 1e-9, shots_count=4) == [False] * 4


def test_run_async(session):
    expected = session.infer(np.array(FEATURES))
    pending = [cudaq.run_async(kernels.infer_one, FEATURES, index, shots_count=2) for index in (1, 5)]
    assert [result.get() for result in pending] == [logged(*[expected[1]] * 2), logged(*[expected[5]] * 2)]


def test_threads_compile_one_kernel_and_keep_their_own_datapoints(session, program):
    def launch(index):
        return [
            cudaq.run(kernels.infer_in_threads, (0.1 * step + np.array(FEATURES)).tolist(), index, shots_count=2)
            for step in range(5)
        ]

    with ThreadPoolExecutor(3) as threads:
        results = list(threads.map(launch, range(3)))
    expected = program.simulate(np.array(FEATURES) + 0.1 * np.arange(5)[:, None])
    for index, result in enumerate(results):
        assert result == [logged(value, value) for value in expected[:, index]]
    assert session.usage.tokens == 3 * 5 * 2


def test_samples_and_their_photons(program):
    with phl.reserve("sim", program, shots=1, seed=11) as session, device.attach(session):
        drawn = cudaq.run(kernels.sample_photons, FEATURES, shots_count=400)
        assert session.usage.shots == 400
    keys = program.output_keys
    counts = np.zeros(len(keys))
    for value in drawn:
        state = value % 1000
        counts[state] += 1
        assert value // 1000 == int("".join(map(str, keys[state])), 3)
    expected = 400 * program.simulate(np.array(FEATURES))
    common = expected >= 5
    observed = np.append(counts[common], counts[~common].sum())
    assert stats.chisquare(observed, np.append(expected[common], expected[~common].sum())).pvalue > 1e-6


def test_ten_thousand_calls_in_one_run(session):
    assert cudaq.run(kernels.echo_sum, 100, shots_count=100) == [4950] * 100
    assert session.usage.tokens == 0


@pytest.mark.usefixtures("session")
def test_other_captures_stay():
    assert cudaq.run(kernels.mixed_captures, 10, shots_count=2) == [kernels.OFFSET + 13 + 1] * 2


@pytest.mark.usefixtures("session")
def test_a_kernel_that_calls_a_bound_kernel():
    assert cudaq.run(kernels.calls_a_bound_kernel, 4, shots_count=2) == [1 + 6 + 1] * 2


@pytest.mark.usefixtures("session")
def test_a_kernel_that_is_bound_after_it_ran():
    assert cudaq.run(kernels.bound_later, 4, shots_count=1) == [8]
    assert kernels.bound_later.captured_variables()
    device.bind(kernels.bound_later)
    assert not kernels.bound_later.captured_variables()
    assert cudaq.run(kernels.bound_later, 5, shots_count=2) == [10, 10]


@pytest.mark.usefixtures("session")
def test_on_stim():
    cudaq.set_target("stim")
    try:
        assert cudaq.run(kernels.echo_sum, 4, shots_count=2) == [6, 6]
    finally:
        cudaq.reset_target()


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize(("value", "result"), [(9, 9), (0, 32)])
def test_calls_in_branches_and_loops(value, result):
    assert cudaq.run(kernels.in_branches, value, shots_count=2) == [result] * 2


def test_two_sessions_on_two_devices(program):
    other = phl.Program.reservoir(4, 1, features=4, seed=2)
    with (
        phl.reserve("sim", program) as first,
        phl.reserve("sim", other, controller=phl.Controller()) as second,
        device.attach(first),
        device.attach(second, 77),
    ):
        assert cudaq.run(kernels.call_elsewhere, shots_count=1) == [1]
        assert cudaq.run(kernels.infer_one, FEATURES, 0, shots_count=1) == logged(first.infer(np.array(FEATURES))[0])
        assert second.usage.tokens == 0


@pytest.mark.parametrize("transport", [None, "shm", "udp"])
@pytest.mark.parametrize("shots", [1, 3000])
def test_samples_of_many_shots(program, tmp_path, transport, shots):
    reservoir = phl.Program.reservoir(6, 2, features=6, seed=7, readout=phl.Readout.samples(space="unbunched"))
    with phl.reserve("sim", reservoir, shots=shots, seed=4) as session:
        expected = session.infer(np.array([FEATURES] * 3)).reshape(3, -1)
    checksums = (expected.astype(int) @ np.arange(1, 6 * shots + 1)).tolist()
    with contextlib.ExitStack() as stack:
        target = "sim"
        if transport is not None:
            target = stack.enter_context(ServiceProcess("--ledger", str(tmp_path / "ledger.sqlite"))).target
        options = {} if transport is None else {"transport": transport}
        session = stack.enter_context(phl.reserve(target, program, shots=shots, seed=4, **options))
        stack.enter_context(device.attach(session))
        photons = [np.int8(0)] * (6 * shots)
        assert cudaq.run(kernels.sample_all, FEATURES, photons, 6 * shots, shots_count=3) == checksums
        assert session.usage.tokens == 3


@pytest.mark.parametrize(("transport", "link"), [("shm", "shared memory"), ("udp", "UDP")])
def test_on_a_controller_service(program, tmp_path, transport, link):
    with (
        ServiceProcess("--ledger", str(tmp_path / "ledger.sqlite")) as service,
        phl.reserve(service.target, program, transport=transport) as session,
        device.attach(session),
    ):
        assert session.info.link == link
        expected = program.simulate(np.array(FEATURES))
        assert cudaq.run(kernels.infer_one, FEATURES, 6, shots_count=2) == logged(expected[6], expected[6])
        assert cudaq.run(kernels.echo_sum, 100, shots_count=10) == [4950] * 10
        assert session.usage.tokens == 2


def test_any_realtime_service_over_udp():
    service = Service()

    @service.function("addThem(i64 a, i64 b) -> i64")
    def add(a, b):
        return a + b

    @service.function("getc(i64 decoder, out bool[] corrections, bool reset)")
    def corrections(decoder, count, reset):
        return [decoder == 41 and reset and i == 2 for i in range(count)]

    with service.serve() as server, device.attach(server.address, kernels.SERVICE):
        assert cudaq.run(kernels.golden_add, shots_count=3) == [42] * 3
        assert cudaq.run(kernels.golden_getc, shots_count=1) == [True]
        assert service.counters.executed == 4


# ---- callbacks and native functions


def test_callbacks():
    assert cudaq.run(kernels.call_describe, shots_count=2) == [307, 307]
    assert cudaq.run(kernels.call_squares, shots_count=1) == [0.5 * (1 + 4 + 9)]
    assert cudaq.run(kernels.call_evens, shots_count=1) == [6]
    assert cudaq.run_async(kernels.call_squares, shots_count=1).get() == [7.0]


def test_a_callback_is_still_the_function():
    assert kernels.squares(2.0, 3) == [0.0, 2.0, 8.0]
    assert kernels.squares.__name__ == "squares"


@pytest.mark.parametrize(("value", "result"), [(3, 2.5), (-8, 4.0)])
def test_native_functions(value, result):
    assert cudaq.run(kernels.call_native, value, shots_count=2) == [result, result]
