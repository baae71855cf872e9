"""What a session does on the host with arrays in device memory: dispatch, streams, launches, failures, the end.

The native part is a stand-in that writes down what it is told; kernels are tested in tests/cpp/device and tests/gpu.
"""

import os
import signal
import sys
import threading
import time
import types

import numpy as np
import pytest

import photonlink as phl
from device_arrays import DlpackArray, Failure, InterfaceArray, misaligned, rows_seen, stand_in
from photonlink import _core
from photonlink._failures import Context
from photonlink.cuda import _part
from photonlink.cuda._client import DeviceClient, Pace, Terms
from photonlink.errors import (
    DeviceError,
    LinkClosed,
    LinkTimeout,
    ProcessorError,
    ProgramError,
    SessionClosed,
    TargetUnavailable,
    Unavailable,
)

WIDTH, SIZE = 6, 15


def place(monkeypatch, module):
    monkeypatch.setitem(sys.modules, "photonlink._cuda", module)
    _part.part.cache_clear()
    return module


@pytest.fixture(autouse=True)
def _forget_the_part():
    yield
    _part.part.cache_clear()


@pytest.fixture
def native(monkeypatch):
    return place(monkeypatch, stand_in())


@pytest.fixture
def session(native, program):
    assert native.links == []
    with phl.reserve("sim", program, slots=16) as opened:
        yield opened


def arrays(rows=4, dtype=np.float64, out_dtype=np.float64):
    return DlpackArray(np.zeros((rows, WIDTH), dtype)), DlpackArray(np.zeros((rows, SIZE), out_dtype))


def address(array):
    return array.array.ctypes.data


# ---- no device


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
    place(monkeypatch, stand_in(state))
    x, out = arrays()
    with phl.reserve("sim", program) as opened:
        calls = [
            lambda: opened.infer(x, out=out),
            lambda: opened.infer(x, return_info=True),
            lambda: opened.infer_async(x),
            lambda: opened.submit(x, out=out),
            opened.device_link,
        ]
        for call in calls:
            with pytest.raises(TargetUnavailable, match="the reason and the fix") as refused:
                call()
            assert refused.value.reason is reason
        assert opened.usage.tokens == 0
    assert x.streams == []


def test_a_missing_part_is_named(monkeypatch, program):
    monkeypatch.setitem(sys.modules, "photonlink._cuda", None)
    _part.part.cache_clear()
    with phl.reserve("sim", program) as opened, pytest.raises(TargetUnavailable, match="PHOTONLINK_CUDA=ON") as refused:
        opened.infer(arrays()[0])
    assert refused.value.reason is Unavailable.NOT_BUILT
    assert phl.cuda.available() == (False, Unavailable.NOT_BUILT, str(refused.value))


def test_a_part_that_cannot_be_loaded_is_named(monkeypatch, tmp_path):
    (tmp_path / "_cuda.py").write_text("raise ImportError('libmissing.so: cannot open shared object file')\n")
    monkeypatch.setattr(phl, "__path__", [str(tmp_path), *phl.__path__])
    monkeypatch.delitem(sys.modules, "photonlink._cuda", raising=False)
    with pytest.raises(TargetUnavailable, match=r"cannot be loaded \(libmissing\.so") as refused:
        phl.cuda.require()
    assert refused.value.reason is Unavailable.NOT_BUILT


def test_host_calls_never_look_for_the_part(monkeypatch, program, x):
    monkeypatch.setitem(sys.modules, "photonlink._cuda", None)
    with phl.reserve("sim", program) as opened:
        opened.infer(x)
        opened.check()
        opened.synchronize()
        assert opened._device is None
        for arguments in ({"stream": 0}, {"statuses": np.zeros(40, np.uint32)}):
            with pytest.raises(ProgramError, match="x is in host memory"):
                opened.infer(x, **arguments)


# ---- launches


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_launch_on_the_given_stream(native, session, dtype):
    x, out = arrays(dtype=dtype)
    statuses = DlpackArray(np.zeros(4, np.uint32))
    assert session.infer(x, out=out, stream=77, statuses=statuses) is out
    (link,) = native.links
    expected = (address(x), np.dtype(dtype).itemsize, WIDTH, address(out), SIZE, address(statuses), 4, 1.0, 77, 0)
    assert link.calls == [("infer", *expected)]
    assert x.streams == out.streams == statuses.streams == [77]
    assert link.config["slots"] == 16
    assert link.config["output_size"] == SIZE
    assert link.config["observable_bytes"] == 8
    assert link.config["row_timeout"] == link.config["kernel_limit"] == phl.cuda.KERNEL_LIMIT_SECONDS


def test_rows_may_lie_apart_and_a_datapoint_may_be_alone(native, session):
    spread = np.zeros((8, 2 * WIDTH))
    x = DlpackArray(spread[::2, :WIDTH])
    out = DlpackArray(np.zeros((4, SIZE + 3))[:, :SIZE])
    session.infer(x, out=out, stream=0)
    single, single_out = DlpackArray(np.zeros(WIDTH)), DlpackArray(np.zeros(SIZE))
    session.infer(single, out=single_out, stream=0)
    batch, alone = native.links[0].calls
    assert (batch[3], batch[5], batch[7]) == (4 * WIDTH, SIZE + 3, 4)
    assert (alone[3], alone[5], alone[7]) == (WIDTH, SIZE, 1)
    # DLPack's name of the legacy default stream is 1: 0 would be ambiguous there.
    assert x.streams == single.streams == [1]


def test_nothing_is_launched_for_no_rows(native, session):
    x, out = arrays(rows=0)
    assert session.infer(x, out=out) is out
    assert session.submit(x, out=out).collect() is out
    assert native.links[0].calls == []


@pytest.mark.parametrize(
    ("timeout", "default", "expected"), [(None, None, 1.0), (0.2, None, 0.2), (9.0, None, 1.0), (None, 0.3, 0.3)]
)
def test_a_launch_never_gets_more_than_its_limit(native, program, timeout, default, expected):
    with phl.reserve("sim", program, timeout=default) as opened:
        opened.infer(*arrays(), timeout=timeout, stream=0)
    assert native.links[0].calls[0][8] == expected


def test_long_acquisitions_take_several_launches(native, program):
    """At 20 ms + 1000 samples at 100 kHz, 30 ms each, half a second holds 16 datapoints."""
    rows = 100
    x, out = arrays(rows)
    statuses = DlpackArray(np.zeros(rows, np.int32))
    with phl.reserve("sim", program, shots=1000, clock="realtime", slots=64) as opened:
        opened.infer(x, out=out, stream=5, statuses=statuses)
        calls = native.links[0].calls
        assert rows_seen(calls) == rows
        assert len(calls) == -(-rows // 16)
        assert max(call[7] for call in calls) == 16
        first = 0
        for _, features, _, _, results, _, states, count, _, stream, first_row in calls:
            assert features == address(x) + first * WIDTH * 8
            assert results == address(out) + first * SIZE * 8
            assert states == address(statuses) + first * 4
            assert stream == 5
            assert first_row == first
            first += count


def test_an_acquisition_beyond_the_limit_says_what_to_do(native, program):
    with phl.reserve("sim", program, shots=60_000, clock="realtime", slots=4) as opened:  # 0.62 s each
        with pytest.raises(ProgramError, match=r"submit\(\) and collect\(\)"):
            opened.infer(*arrays(1), stream=0)
        with pytest.raises(ProgramError, match=r"2 datapoints take 1\.24 s"):
            opened.submit(*arrays(2), stream=0)
        opened.submit(*arrays(1), stream=0).collect()
    with phl.reserve("sim", program, shots=60_000, clock="realtime") as opened:
        opened.device_link(kernel_limit=2.0)
        opened.infer(*arrays(3), stream=0)
    assert [call[7] for call in native.links[1].calls if call[0] == "infer"] == [1, 1, 1]


def test_a_slow_simulator_gets_smaller_launches(native):
    """(m, n) = (12, 6) has 12 * C(17, 5) multiplications per datapoint; they are reckoned at 4 ns."""
    program = phl.Program.reservoir(12, 6, features=12)
    x = DlpackArray(np.zeros((5000, 12)))
    out = DlpackArray(np.zeros((5000, program.output_size)))
    with phl.reserve("sim", program) as opened:
        opened.infer(x, out=out, stream=0)
    calls = [call for call in native.links[0].calls if call[0] == "infer"]
    assert rows_seen(calls) == 5000
    assert max(call[7] for call in calls) == int(0.5 / (20e-6 + 12 * 6188 * 4e-9))


def test_a_noisy_program_gets_smaller_launches_still(native, program):
    """Each of two photons may be lost or not, and distinguishable or not: reckoned as 16 times the work."""
    noisy = program.replace(noise=phl.Noise(transmittance=0.8, indistinguishability=0.9))
    rows = 30_000
    x, out = DlpackArray(np.zeros((rows, WIDTH))), DlpackArray(np.zeros((rows, noisy.output_size)))
    with phl.reserve("sim", noisy) as opened:
        opened.infer(x, out=out, stream=0)
    calls = [call for call in native.links[0].calls if call[0] == "infer"]
    assert rows_seen(calls) == rows
    assert max(call[7] for call in calls) == int(0.5 / (20e-6 + 6 * 7 * 4e-9 * 16))


def test_submit_and_collect(native, session):
    x, out = arrays()
    call = session.submit(x, out=out, stream=3, timeout=0.5)
    assert call.collect(timeout=0.7) is out
    with pytest.raises(ProgramError, match="collected before"):
        call.collect()
    other = session.submit(x, out=out, stream=3)
    other.collect(stream=4)
    names = [(entry[0], *entry[-2:]) for entry in native.links[0].calls]
    assert names == [("submit", 0.5, 3), ("collect", 0.7, 3), ("submit", 1.0, 3), ("collect", 1.0, 4)]
    with pytest.raises(ProgramError, match="slots="):
        session.submit(*arrays(17), stream=0)


def test_every_device_has_a_link_of_its_own(native, session):
    for device in (0, 1, 0):
        x, out = (DlpackArray(np.zeros((2, width)), device) for width in (WIDTH, SIZE))
        session.infer(x, out=out, stream=0)
    assert [link.device for link in native.links] == [0, 1]
    assert [len(link.calls) for link in native.links] == [2, 1]


def test_device_link(native, session):
    link = session.device_link(1, slots=8, kernel_limit=0.5)
    assert (link.device, link.slots, link.kernel_limit, link.multiprocessors) == (1, 8, 0.5, 100)
    assert session.device_link(1) is link
    assert link.argument.tobytes() == native.links[0].argument
    assert link.argument.size == 1  # what CuPy passes by value
    assert link.pointer == 4096
    with pytest.raises(ProgramError, match=r"open already, with kernel_limit=0.5 and slots=8"):
        session.device_link(1, slots=16)
    with pytest.raises(ProgramError, match="there are 3"):
        session.device_link(3)
    with pytest.raises(TargetUnavailable, match="device 2") as refused:
        session.device_link(2)
    assert refused.value.reason is Unavailable.DEVICE_TOO_OLD
    for bad in ({"kernel_limit": 0}, {"slots": 0}, {"device": -1}):
        with pytest.raises(ProgramError):
            session.device_link(**bad)
    assert session.device_link().device == 0


def test_a_session_of_another_process(native, program):
    """The same calls through a client of shared memory: its responses are mapped without the right to write."""
    address = f"@photonlink-test-device-{time.monotonic_ns()}"
    with phl.reserve("sim", program) as opened:
        service = _core.ShmService(opened._core_session, address, slots=8)
        remote = _core.ShmSession(address, program.encoder, output_size=SIZE, max_counts=0, precision="float64")
        context = Context("shm", program.features, lambda: "")
        terms = Terms(context, SIZE, "float64", Pace(0.0, 1e-4, 30.0), None, lambda _slots: remote.open_device_port())
        client = DeviceClient(terms)
        x, out = arrays()
        assert client.infer(x, out, None, 5, None) is out
        (link,) = native.links
        assert (link.config["slots"], link.config["responses_writable"]) == (8, False)
        assert link.config["key"] != 0
        assert rows_seen(link.calls) == 4
        link.failures = [Failure(3)]
        assert isinstance(client.close(), LinkClosed)
        assert client.close() is None
        service.close()


# ---- arrays


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: (DlpackArray(np.zeros((4, WIDTH), np.int64)), None), "x has dtype int64"),
        (lambda: (DlpackArray(np.zeros((4, WIDTH), np.float16)), None), "x has dtype float16"),
        (lambda: (DlpackArray(np.zeros((4, 5))), None), r"x has shape \(4, 5\), expected \(B, 6\)"),
        (lambda: (DlpackArray(np.zeros((1, 4, WIDTH))), None), r"x has shape \(1, 4, 6\)"),
        (lambda: (DlpackArray(np.zeros((WIDTH, 4)).T), None), r"x has strides \(1, 4\).*contiguous"),
        (lambda: (DlpackArray(misaligned((4, WIDTH))), None), "aligned"),
        (lambda: (DlpackArray(np.zeros((4, WIDTH)), kind=10), None), "DLPack device type 10"),
        (lambda: (arrays()[0], np.zeros((4, SIZE))), "out is a numpy.ndarray.* in host memory"),
        (lambda: (arrays()[0], [1.0]), "out is a builtins.list, expected an array in device memory"),
        (lambda: (arrays()[0], DlpackArray(np.zeros((4, SIZE)), 1)), "out lies on device 1 and x on device 0"),
        (lambda: (arrays()[0], DlpackArray(np.zeros((4, SIZE), np.float32))), "out has dtype float32"),
        (lambda: (arrays()[0], DlpackArray(np.zeros((5, SIZE)))), r"expected float64 and \(4, 15\)"),
        (lambda: (arrays()[0], DlpackArray(np.zeros((4, SIZE)), read_only=True)), "out is read-only"),
        (lambda: (arrays()[0], DlpackArray(np.zeros((SIZE, 4)).T)), "out has strides"),
        (lambda: (arrays()[0], DlpackArray(np.zeros((4, SIZE))[::-1])), "run backwards"),
        (lambda: (arrays()[0], DlpackArray(np.broadcast_to(np.zeros(SIZE), (4, SIZE)))), "overlap or run backwards"),
        (lambda: (arrays()[0], None), r"pass out=, an array of shape \(4, 15\) and dtype float64"),
    ],
)
def test_bad_arrays_are_refused_before_anything_is_launched(native, session, make, words):
    x, out = make()
    for call in (session.infer, session.submit):
        with pytest.raises(ProgramError, match=words):
            call(x, out=out, stream=0)
    assert all(link.calls == [] for link in native.links)


def test_results_must_not_land_in_the_features(native, session):
    memory = np.zeros(200)
    x = DlpackArray(memory[: 4 * WIDTH].reshape(4, WIDTH))
    over = DlpackArray(memory[4 * WIDTH - 1 : 4 * WIDTH - 1 + 4 * SIZE].reshape(4, SIZE))
    beside = DlpackArray(memory[4 * WIDTH : 4 * WIDTH + 4 * SIZE].reshape(4, SIZE))
    with pytest.raises(ProgramError, match="out overlaps x"):
        session.infer(x, out=over, stream=0)
    session.infer(x, out=beside, stream=0)
    assert len(native.links[0].calls) == 1


@pytest.mark.parametrize(
    "statuses",
    [np.zeros(4, np.uint8), np.zeros(5, np.uint32), np.zeros((4, 1), np.uint32), np.zeros(8, np.uint32)[::2]],
)
def test_bad_statuses_are_refused(session, statuses):
    x, out = arrays()
    with pytest.raises(ProgramError, match="statuses has"):
        session.infer(x, out=out, stream=0, statuses=DlpackArray(statuses))


@pytest.mark.parametrize("what", ["return_info", "samples"])
def test_what_needs_the_host_says_so(native, program, what):
    readout = phl.Readout.samples() if what == "samples" else program.readout
    x = arrays()[0]
    with phl.reserve("sim", program.replace(readout=readout), shots=10) as opened:
        with pytest.raises(ProgramError, match="host"):
            opened.infer(x, return_info=what == "return_info")
        with pytest.raises(ProgramError, match="does not wait"):
            opened.infer_async(x)
    assert native.links == []


def test_host_features_and_device_results_do_not_mix(session, x):
    with pytest.raises(ProgramError, match=r"out is a device_arrays\.DlpackArray .* in device memory"):
        session.infer(x, out=DlpackArray(np.zeros((40, SIZE))))


def test_cuda_array_interface(native, session):
    memory, results = np.zeros((4, 2 * WIDTH), np.float32), np.zeros((4, SIZE))
    x, out = InterfaceArray(memory[:, :WIDTH]), InterfaceArray(results)
    session.infer(x, out=out)
    expected = (memory.ctypes.data, 4, 2 * WIDTH, results.ctypes.data, SIZE, 0, 4, 1.0, 0, 0)
    assert native.links[0].calls == [("infer", *expected)]


def test_an_interface_names_the_stream_that_writes_the_array(native, session):
    out = InterfaceArray(np.zeros((4, SIZE)))
    x = InterfaceArray(np.zeros((4, WIDTH)), stream=55)
    session.infer(x, out=out)
    session.infer(x, out=out, stream=55)
    session.infer(x, out=out, stream=56)
    names = [(call[0], call[9] if call[0] == "infer" else call[1]) for call in native.links[0].calls]
    assert names == [("infer", 55), ("infer", 55), ("synchronize", 55), ("infer", 56)]


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (InterfaceArray(np.zeros((4, WIDTH), ">f8")), "foreign byte order"),
        (InterfaceArray(np.zeros((4, WIDTH)), mask=object()), "mask"),
        (InterfaceArray(np.zeros((4, WIDTH)), strides=(50, 8)), "multiples of 8 bytes"),
    ],
)
def test_interfaces_that_cannot_be_read(session, array, words):
    with pytest.raises(ProgramError, match=words):
        session.infer(array, out=arrays()[1])


# ---- streams


class _Protocol:
    def __cuda_stream__(self):
        return (0, 21)


@pytest.mark.parametrize(
    ("stream", "handle"),
    [
        (0, 0),
        (1, 0),  # another handle of the legacy default stream
        (2, 2),
        (np.int64(40), 40),
        (types.SimpleNamespace(cuda_stream=41), 41),
        (types.SimpleNamespace(ptr=42), 42),
        (_Protocol(), 21),
        (types.SimpleNamespace(__cuda_stream__=(0, 22)), 22),
    ],
)
def test_streams_of_every_library(native, session, stream, handle):
    session.infer(*arrays(), stream=stream)
    assert native.links[0].calls[0][9] == handle


@pytest.mark.parametrize("stream", [-1, "default", 1.5, True, object()])
def test_what_is_no_stream_is_refused(session, stream):
    with pytest.raises(ProgramError, match="stream is"):
        session.infer(*arrays(), stream=stream)


class _Context:
    def __init__(self, log, name):
        self._log, self._name = log, name

    def __enter__(self):
        self._log.append(self._name)
        return self

    def __exit__(self, *_):
        self._log.append(f"end of {self._name}")


@pytest.fixture
def cupy(monkeypatch):
    """A framework with a current stream 33, whose arrays are numpy's."""
    module = types.ModuleType("cupy")
    module.log, module.capturing = [], False
    stream = types.SimpleNamespace(ptr=33, is_capturing=lambda: module.capturing)
    module.cuda = types.SimpleNamespace(
        get_current_stream=lambda _device=0: stream,
        Device=lambda device=0: _Context(module.log, f"device {device}"),
        ExternalStream=lambda handle, device: _Context(module.log, f"stream {handle} of {device}"),
        Stream=types.SimpleNamespace(null=_Context(module.log, "null stream")),
    )

    class Array(DlpackArray):
        __module__ = "cupy._core"

    def empty(shape, dtype):
        module.log.append("empty")
        return Array(np.empty(shape, dtype))

    module.empty, module.Array = empty, Array
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


def test_the_frameworks_current_stream_and_memory(native, session, cupy):
    x = cupy.Array(np.zeros((4, WIDTH)))
    y = session.infer(x)
    assert type(y) is cupy.Array
    assert (y.array.shape, y.array.dtype) == ((4, SIZE), np.float64)
    assert native.links[0].calls[0][9] == 33
    # -1: no handshake on the stream that the array lives on.
    assert x.streams == y.streams == [-1]
    assert session.infer(cupy.Array(np.zeros(WIDTH))).array.shape == (SIZE,)


def test_results_belong_to_the_stream_of_the_call(session, cupy):
    x = cupy.Array(np.zeros((4, WIDTH)))
    cupy.log.clear()
    session.infer(x, stream=44)
    begin = cupy.log.index("stream 44 of 0")
    assert cupy.log[begin : begin + 3] == ["stream 44 of 0", "empty", "end of stream 44 of 0"]
    assert x.streams == [44]


def test_a_device_is_opened_before_the_capture(native, session, cupy):
    x = cupy.Array(np.zeros((4, WIDTH)))
    cupy.capturing = True
    with pytest.raises(ProgramError, match=r"session.device_link\(\) before the capture"):
        session.infer(x)
    cupy.capturing = False
    session.device_link(0)
    cupy.capturing = True
    session.infer(x)
    assert len(native.links[0].calls) == 1


# ---- failures and the end


@pytest.mark.parametrize(
    ("failure", "error", "words"),
    [
        (Failure(1, row=3, id=7 << 32 | 9), LinkTimeout, "datapoint 3 of a device call"),
        (Failure(2, close_reason=5), LinkClosed, "the controller died"),
        (Failure(2), SessionClosed, "closed by this process"),
        (Failure(3), LinkClosed, "stopped answering"),
        (Failure(4, wire_status=101), SessionClosed, "token budget"),
        (Failure(4, wire_status=103), ProcessorError, "processor failed"),
        (Failure(5), phl.errors.ProtocolError, "wire format"),
        (Failure(8, row=2), ProgramError, "a feature of row 2 is not finite"),
        (Failure(9, row=2), ProgramError, "give a phase a value that is not finite"),
        (Failure(11), ProgramError, "compile it again"),
    ],
)
@pytest.mark.parametrize("look", ["call", "check", "link", "synchronize", "close"])
def test_failures_are_raised_once_and_typed(native, program, failure, error, words, look):
    opened = phl.reserve("sim", program)
    link = opened.device_link()
    native.links[0].failures = [failure]
    looks = {
        "call": lambda: opened.infer(*arrays(), stream=0),
        "check": opened.check,
        "link": link.check,
        "synchronize": lambda: opened.synchronize(0),
        "close": opened.close,
    }
    with pytest.raises(error, match=words) as raised:
        looks[look]()
    assert raised.value.target == "sim"
    assert raised.value.row == failure.row
    assert raised.value.request_id == failure.id % 2**32
    assert raised.value.elapsed == 0.25
    opened.close()
    assert opened.closed


def test_closing_releases_everything_before_it_raises(native, program):
    opened = phl.reserve("sim", program)
    opened.infer(*arrays(), stream=0)
    native.links[0].failures = [Failure(1)]
    with pytest.raises(LinkTimeout), opened:
        pass
    with phl.reserve("sim", program) as again:  # the controller is free
        assert again.usage.tokens == 0
    assert opened.close() is opened.usage


def test_an_error_in_the_block_is_not_masked(native, program):
    opened = phl.reserve("sim", program)
    opened.device_link()
    native.links[0].failures = [Failure(1)]
    with pytest.raises(ZeroDivisionError) as raised, opened:
        raise ZeroDivisionError
    assert "a device call had failed: LinkTimeout" in raised.value.__notes__[0]


def test_a_session_that_is_dropped_warns_of_the_failure(native, program):
    opened = phl.reserve("sim", program)
    opened.device_link()
    native.links[0].failures = [Failure(1)]
    with pytest.warns(ResourceWarning, match="not closed"), pytest.warns(RuntimeWarning, match="no answer"):
        del opened


@pytest.mark.parametrize("left", [[True], [False, True], [False, False]])
def test_launches_get_time_before_their_port_closes(native, program, left):
    """First the native part waits for launches, then the port ends them, then it waits again, and if that fails too
    everything they may touch stays."""
    from photonlink.cuda import _link

    kept = len(_link._kept)
    with phl.reserve("sim", program) as opened:
        port = opened.device_link()._port
        native.links[0].closes = list(left)
    assert native.links[0].calls == [("close", 2.0), ("close", 5.0)][: len(left)]
    assert len(_link._kept) - kept == (left == [False, False])
    assert port.close_reason != 0  # the controller has gone
    del _link._kept[kept:]


def test_replays_get_time_too(native, program):
    with phl.reserve("sim", program) as opened:
        opened.device_link()
        native.links[0].graphs = True
    assert [call[0] for call in native.links[0].calls] == ["synchronize", "close"]


@pytest.mark.usefixtures("native")
def test_nothing_runs_after_the_end(program):
    opened = phl.reserve("sim", program)
    link, call = opened.device_link(), opened.submit(*arrays(), stream=0)
    opened.close()
    for use in (lambda: opened.infer(*arrays()), opened.device_link, opened.check, opened.synchronize, call.collect):
        with pytest.raises(SessionClosed):
            use()
    assert "closed" in repr(link)


def test_what_cuda_refuses_is_typed(native, session):
    session.device_link()
    native.links[0].fails = True
    with pytest.raises(DeviceError, match="cudaErrorUnknown") as raised:
        session.infer(*arrays(), stream=0)
    assert raised.value.target == "sim"
    with pytest.raises(DeviceError):
        session.synchronize(0)


def test_a_link_that_cannot_be_made_gives_its_port_back(native, program, monkeypatch):
    def refuse(_self, **_config):
        raise native.CudaError("could not map the link: cudaErrorNotSupported")

    monkeypatch.setattr(native.DeviceLink, "__init__", refuse)
    with phl.reserve("sim", program) as opened:
        for _ in range(200):  # ports of a session are not endless
            with pytest.raises(DeviceError, match="could not map"):
                opened.device_link()


def test_synchronize_is_bounded(native, session):
    session.device_link()
    session.synchronize()
    assert [call[:2] for call in native.links[0].calls] == [("synchronize", 0)]
    native.links[0].busy = True
    with pytest.raises(LinkTimeout, match=r"within 0\.25 s"):
        session.synchronize(0, timeout=0.25)
    # In slices, between which Python handles signals.
    waits = [call[2] for call in native.links[0].calls[1:]]
    assert max(waits) <= 0.1
    assert len(waits) >= 3
    native.links[0].busy = False


def test_a_signal_ends_a_wait(native, session):
    session.device_link()
    native.links[0].busy = True
    # A shell starts background jobs with the signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            session.synchronize(0, timeout=30.0)
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)
        native.links[0].busy = False
