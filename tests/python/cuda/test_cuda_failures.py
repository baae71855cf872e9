"""Failures of device calls are raised once and typed; closing waits for launches, for a bounded time."""

import os
import signal
import threading

import pytest
from device_arrays import (
    Failure,
    arrays,
)

import photonlink as phl
from photonlink.errors import (
    DeviceError,
    LinkClosed,
    LinkTimeout,
    ProcessorError,
    ProgramError,
    SessionClosed,
)


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
