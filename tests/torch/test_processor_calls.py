"""Calls of ``photonlink.merlin.Processor``: several at once, cancelled, too late, and its end."""

import threading
import time
from concurrent.futures import CancelledError

import numpy as np
import pytest
import torch
from merlin_models import Residual, built, sequential

import photonlink as phl
from photonlink.errors import LinkTimeout, ProgramError, SessionClosed
from photonlink.merlin import Processor, convert

# Every datapoint then takes its modelled 20 ms and more, as on a chip: calls last long enough to be interrupted.
SLOW = {"clock": "realtime", "preset": "article", "shots": 1000}


@pytest.fixture
def processor():
    with Processor("sim") as opened:
        yield opened


def eventually(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.002)
    assert condition()


# ---- several calls


def test_many_calls_at_once(processor):
    models = [sequential(seed=seed) for seed in range(3)]
    inputs = [torch.rand(3, 5) for _ in range(12)]
    futures = [processor.forward_async(models[k % 3], x) for k, x in enumerate(inputs)]
    with torch.no_grad():
        for k, future in enumerate(futures):
            assert (future.wait() - models[k % 3](inputs[k])).abs().max() < 1e-6


def test_threads_share_a_processor(processor):
    model, x = Residual().eval(), torch.rand(2, 3)
    with torch.no_grad():
        expected = model(x)
    results = [None] * 6

    def call(place):
        results[place] = processor.forward(model, x)

    threads = [threading.Thread(target=call, args=(place,)) for place in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((y - expected).abs().max() < 1e-6 for y in results)


def test_more_programs_than_sessions(processor):
    """The least recently used session makes room, and comes back when it is needed."""
    layers, x = [built(seed=seed) for seed in range(11)], torch.rand(2, 3)
    for layer in [*layers, *layers[:2]]:
        with torch.no_grad():
            expected = layer(x)
        assert (processor.forward(layer, x) - expected).abs().max() < 1e-6


def test_a_session_that_ends_is_replaced():
    layer, x = built(), torch.rand(4, 3)
    with Processor("sim", token_budget=6) as processor:
        expected = processor.forward(layer, x)
        with pytest.raises(SessionClosed, match="budget"):
            processor.forward(layer, x)
        assert torch.equal(processor.forward(layer, x), expected)


def test_sessions_that_follow_each_other_draw_other_samples():
    """On a controller that serves one session at a time, where models of two programs take turns."""
    first, second, x = built(seed=1), built(seed=2), torch.rand(2, 3)
    with phl.Controller() as one, Processor("sim", controller=one, seed=7) as processor:
        draws = []
        for _ in range(3):
            draws.append(processor.forward(first, x, nsample=50))
            processor.forward(second, x, nsample=50)
    expected = [convert(first).program.simulate(x, precision="float32", shots=50, seed=7 + k) for k in range(3)]
    assert all(np.array_equal(draw.numpy(), values) for draw, values in zip(draws, expected, strict=True))


def test_a_session_is_kept_for_the_next_call(photonlink_session):
    layer, x = built(), torch.rand(2, 3)
    session = photonlink_session(convert(layer).program, precision="float32")
    with Processor(session) as processor:
        assert processor.backend_name == session.info.target
        futures = [processor.forward_async(layer, x) for _ in range(4)]
        assert all(torch.equal(future.wait(), futures[0].wait()) for future in futures)
        assert session.usage.tokens == 8
        with pytest.raises(ProgramError, match=r"nsample=7.*shots=None"):
            processor.forward(layer, x, nsample=7)
        with pytest.raises(ProgramError, match=r"the session executes"):
            processor.forward(built(seed=9), x)
    assert not session.closed
    with pytest.raises(ProgramError, match="shots, seed"):
        Processor(session, shots=10, seed=1)


# ---- cancelling, deadlines, the end


def test_a_cancelled_call_ends_alone():
    layer = built()
    with Processor("sim", **SLOW) as processor:
        long = processor.forward_async(layer, torch.rand(300, 3))
        short = processor.forward_async(layer, torch.rand(1, 3))
        eventually(lambda: long.status()["active_chunks"] == 1)
        assert (long.status()["state"], long.status()["progress"]) == ("RUNNING", 0.0)
        long.cancel_remote()
        with pytest.raises(CancelledError):
            long.wait()
        assert short.wait().shape == (1, 6)
        eventually(lambda: long.status()["state"] == "CANCELED")
        short.cancel_remote()  # too late, and harmless
        assert short.wait().shape == (1, 6)


def test_a_call_that_is_cancelled_before_it_begins():
    layer = built()
    with Processor("sim", concurrency=1, **SLOW) as processor:
        first = processor.forward_async(layer, torch.rand(5, 3))
        second = processor.forward_async(layer, torch.rand(300, 3))
        assert second.status()["state"] == "IDLE"
        second.cancel_remote()
        assert first.wait().shape == (5, 6)
        with pytest.raises(CancelledError):
            second.wait()
        eventually(lambda: second.status()["state"] == "CANCELED")
        assert second.job_ids == []


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_deadline(asynchronous):
    layer, x = built(), torch.rand(300, 3)
    with Processor("sim", timeout=1e3, **SLOW) as processor:
        wait = torch.futures.Future.wait if asynchronous else (lambda y: y)
        call = processor.forward_async if asynchronous else processor.forward
        with pytest.raises(LinkTimeout):
            wait(call(layer, x, timeout=1.3))
        assert processor.forward(layer, x[:1]).shape == (1, 6)


def test_the_deadline_counts_while_a_call_waits_for_others():
    layer = built()
    with Processor("sim", **SLOW) as processor:
        long = processor.forward_async(layer, torch.rand(300, 3))
        eventually(lambda: long.status()["active_chunks"] == 1)
        with pytest.raises(LinkTimeout):
            processor.forward_async(layer, torch.rand(1, 3), timeout=0.2).wait()
        assert not long.done()


def test_the_end_comes_soon():
    layer = built()
    processor = Processor("sim", concurrency=2, **SLOW)
    futures = [processor.forward_async(layer, torch.rand(300, 3)) for _ in range(4)]
    eventually(lambda: futures[0].status()["active_chunks"] == 1)
    started = time.monotonic()
    processor.close()
    processor.close()
    assert time.monotonic() - started < 5  # the calls would take half a minute
    for future in futures:
        with pytest.raises(CancelledError):
            future.wait()
    for call in (processor.forward, processor.forward_async, lambda *_: processor.__enter__()):
        with pytest.raises(SessionClosed):
            call(layer, torch.rand(1, 3))


def test_a_callback_may_cancel(processor):
    model = sequential()
    future = processor.forward_async(model, torch.rand(2, 5))
    seen = []
    future.add_done_callback(lambda ended: (ended.cancel_remote(), seen.append(ended.status()["state"])))
    eventually(lambda: seen)
    assert future.wait().shape == (2, 2)


def test_an_error_is_the_callers(processor):
    future = processor.forward_async(sequential(), torch.rand(2, 5, dtype=torch.float64))  # the Linear refuses it
    with pytest.raises(RuntimeError, match="dtype"):
        future.wait()
    eventually(lambda: future.status()["state"] == "ERROR")
    assert "dtype" in future.status()["message"]
