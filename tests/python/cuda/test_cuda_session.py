"""Calls with arrays in device memory: where there is a device, and what is launched."""

import sys
import time

import numpy as np
import pytest
from device_arrays import (
    MISSING_DEVICES,
    SIZE,
    WIDTH,
    DlpackArray,
    Failure,
    address,
    arrays,
    place,
    rows_seen,
    stand_in,
)

import photonlink as phl
from photonlink import _core
from photonlink._failures import Context
from photonlink.cuda import _part
from photonlink.cuda._client import DeviceClient, Pace, Terms
from photonlink.errors import LinkClosed, ProgramError, TargetUnavailable, Unavailable

# ---- no device


@pytest.mark.parametrize(("state", "reason"), MISSING_DEVICES)
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
