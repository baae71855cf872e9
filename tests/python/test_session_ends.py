"""Asynchronous calls, and every way in which a call or a session can end early: each in bounded time, by name."""

import gc
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeout

import numpy as np
import pytest

import photonlink as phl
from photonlink.errors import LinkClosed, LinkTimeout, PhotonLinkError, SessionBusy, SessionClosed

# Long enough that a test which waits for it has failed.
FOREVER = 240.0


def all_slots_return(session):
    """Whether the slots of abandoned calls come back without anybody's help."""
    deadline = time.monotonic() + FOREVER
    while session._core_session.slots_in_use():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


# ---- asynchronous calls


def test_futures_keep_order_and_can_be_asked_again(program, x):
    expected = program.simulate(x, shots=20, seed=3)
    with phl.reserve("sim", program, shots=20, seed=3) as session:
        futures = [session.infer_async(x[begin : begin + 8]) for begin in range(0, 40, 8)]
        last, info = session.infer_async(x[:1], return_info=True).result(FOREVER)
        results = [future.result(FOREVER) for future in futures]
        assert all(future.done() for future in futures)
        assert results[0] is futures[0].result()
    assert np.array_equal(np.concatenate(results), expected)
    assert last.shape == (1, 15)
    assert info.counts is not None


def test_features_may_change_after_an_asynchronous_call(program, x):
    mine = x.copy()
    with phl.reserve("sim", program) as session:
        future = session.infer_async(mine)
        mine[:] = np.nan
        assert np.array_equal(future.result(FOREVER), program.simulate(x))


def test_callbacks_may_close_the_session(program, x):
    session = phl.reserve("sim", program)
    closed = threading.Event()
    session.infer_async(x).add_done_callback(lambda _: (session.close(), closed.set()))
    assert closed.wait(FOREVER)
    assert session.usage.tokens == 40


def test_running_and_waiting_calls_can_be_cancelled(program, x, photonlink_faulty):
    photonlink_faulty("timeout", at=3)
    with phl.reserve("sim", program) as session:
        running, waiting = session.infer_async(x), session.infer_async(x)
        with pytest.raises(FutureTimeout):
            running.result(0.05)
        while session.usage.tokens < 3:  # nobody answers the fourth
            time.sleep(0.005)
        assert waiting.cancel()
        assert waiting.cancelled()
        assert running.cancel()
        with pytest.raises(CancelledError):
            running.result(FOREVER)
        assert not running.cancel()
        assert session.usage.tokens == 3


def test_closing_ends_asynchronous_calls(program, x, photonlink_faulty):
    photonlink_faulty("timeout")
    session = phl.reserve("sim", program)
    futures = [session.infer_async(x) for _ in range(3)]
    session.close()
    for future in futures:
        with pytest.raises(SessionClosed):
            future.result(FOREVER)


def test_closing_ends_calls_of_other_threads(program, x, photonlink_faulty):
    photonlink_faulty("timeout")
    session = phl.reserve("sim", program)
    errors = []
    entered = threading.Event()

    def call():
        entered.set()
        try:
            session.infer(x)
        except PhotonLinkError as error:
            errors.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    entered.wait(FOREVER)
    session.close()
    thread.join(FOREVER)
    assert not thread.is_alive()
    assert [type(error) for error in errors] == [SessionClosed]


# ---- deadlines


@pytest.mark.parametrize("slots", [1, 4, 64])
def test_a_silent_controller_is_a_timeout_that_says_how_far_it_got(program, x, photonlink_faulty, slots):
    photonlink_faulty("timeout", at=17)
    with phl.reserve("sim", program, slots=slots) as session:
        out = np.full((40, 15), np.nan)
        with pytest.raises(LinkTimeout, match="datapoint 17 of 40") as late:
            session.infer(x, out=out, timeout=2)
        assert late.value.row == 17
        assert late.value.request_id == 17
        assert late.value.elapsed >= 2
        assert late.value.target == "sim"
        assert np.array_equal(out[:17], program.simulate(x[:17]))
        assert np.isnan(out[17:]).all()
        with pytest.raises(LinkTimeout):
            session.infer(x[:1], timeout=0.05)


def test_the_default_deadline_is_the_sessions(program, x, photonlink_faulty):
    photonlink_faulty("timeout")
    with phl.reserve("sim", program, timeout=0.1) as session:
        with pytest.raises(LinkTimeout):
            session.infer(x)
        with pytest.raises(LinkTimeout):
            session.infer_async(x).result(FOREVER)


def test_slots_of_abandoned_calls_return_and_later_results_are_right(program, x):
    """With the real-time clock each datapoint takes 20 ms: the call gives up long before the last one."""
    with phl.reserve("sim", program, shots=10, clock="realtime", slots=8) as session:
        for _ in range(3):
            with pytest.raises(LinkTimeout):
                session.infer(x, timeout=0.1)
        assert all_slots_return(session)
        used = session.usage.tokens
        assert used >= 8
        # Ids of rows that were never sent are not used again, so that no random number is.
        expected = program.simulate(x[:2], shots=10, ids=[120, 121])
        assert np.array_equal(session.infer(x[:2]), expected)
        assert session.usage.tokens == used + 2


def test_memory_of_abandoned_calls_outlives_them():
    """The controller writes large results where the caller said, also after the caller has let go of that array."""
    program = phl.Program.reservoir(8, 6, features=8, seed=1, readout=phl.Readout.probs(space="fock"))
    x = np.random.default_rng(1).uniform(0, np.pi, size=(6, 8))
    for return_info in (False, True):
        with phl.reserve("sim", program, shots=10, clock="realtime", slots=4) as session:
            with pytest.raises(LinkTimeout):
                session.infer(x, timeout=0.001, return_info=return_info)
            gc.collect()
            scribble = [np.full((6, program.output_size), 7.0) for _ in range(50)]
            assert all_slots_return(session)
            assert all((array == 7.0).all() for array in scribble)
            assert np.array_equal(session.infer(x[:1]), program.simulate(x[:1], shots=10, ids=[6]))


def test_the_realtime_clock_never_ends_early(program, x):
    with phl.reserve("sim", program, shots=100, clock="realtime") as session:
        started = time.monotonic()
        _, info = session.infer(x[:5], return_info=True)
        elapsed = time.monotonic() - started
    assert info.clock == "realtime"
    assert elapsed >= info.quantum_seconds.sum() >= 5 * 0.021 - 1e-9


# ---- controllers that fail


@pytest.mark.parametrize("slots", [1, 64])
def test_a_dead_controller_is_named(program, x, photonlink_faulty, slots):
    photonlink_faulty("dead", at=5)
    session = phl.reserve("sim", program, slots=slots)
    with pytest.raises(LinkClosed, match="died") as lost:
        session.infer(x)
    assert lost.value.row <= 5
    with pytest.raises(PhotonLinkError):
        session.infer(x)
    assert session.close().tokens <= 5


def test_after_a_dead_controller_the_target_can_be_reserved_again(program, x):
    with phl.Controller(fault="dead") as controller:
        with phl.reserve("sim", program, controller=controller) as session, pytest.raises(LinkClosed):
            session.infer(x)
        with pytest.raises(LinkClosed, match="error state"):
            phl.reserve("sim", program, controller=controller)
    with phl.reserve("sim", program) as session:
        assert np.array_equal(session.infer(x), program.simulate(x))


def test_a_closed_controller_ends_its_session(program, x):
    controller = phl.Controller()
    with phl.reserve("sim", program, controller=controller) as session:
        controller.close()
        with pytest.raises(SessionClosed, match="shutdown"):
            session.infer(x)
    with pytest.raises(LinkClosed, match="shut down"):
        phl.reserve("sim", program, controller=controller)


# ---- processes


def run_python(code, timeout=FOREVER):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=timeout, check=False
    )


PRELUDE = """
import os, sys, threading
import numpy as np
import photonlink as phl
from photonlink.errors import PhotonLinkError, SessionClosed
program = phl.Program.reservoir(6, 2, features=6, seed=7)
x = np.ones((40, 6))
"""


def test_a_forked_child_finds_its_session_closed():
    """Every use in the child is refused; its way out does not disturb the parent; it may reserve its own."""
    code = (
        PRELUDE
        + """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forking with threads
session = phl.reserve("sim", program)
future = session.infer_async(x)
future.result()
pid = os.fork()
if pid == 0:
    code = 0
    uses = [lambda: session.infer(x), lambda: session.infer_async(x), lambda: session.usage, session.close,
            lambda: session.echo_latency(1)]
    for use in uses:
        try:
            use()
            code = 1
        except SessionClosed as error:
            if "fork" not in str(error): code = 2
    assert session.closed
    session.__exit__(None, None, None)
    with phl.reserve("sim", program) as own:
        if not np.array_equal(own.infer(x), program.simulate(x)): code = 3
    del session
    sys.exit(code)  # a whole interpreter exit, not os._exit
_, status = os.waitpid(pid, 0)
assert os.waitstatus_to_exitcode(status) == 0, status
assert session.infer(x).shape == (40, 15)
session.close()
"""
    )
    done = run_python(code)
    assert (done.returncode, done.stderr) == (0, "")


def test_multiprocessing_children_reserve_their_own():
    code = (
        PRELUDE
        + """
import multiprocessing
import warnings
warnings.simplefilter("ignore", DeprecationWarning)

def work(seed):
    with phl.reserve("sim", program, shots=5, seed=seed) as session:
        return session.infer(x)

with phl.reserve("sim", program) as session, multiprocessing.get_context("fork").Pool(2) as pool:
    results = pool.map(work, range(4))
    assert session.infer(x).shape == (40, 15)
assert all(np.array_equal(y, program.simulate(x, shots=5, seed=s)) for s, y in enumerate(results))
"""
    )
    done = run_python(code)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "call",
    [
        "session.infer(np.ones((10_000, 6)) * np.arange(10_000)[:, None])",
        "session.infer_async(np.ones((10_000, 6)) * np.arange(10_000)[:, None]).result()",
        "session.infer(np.ones((10_000, 6)) * np.arange(10_000)[:, None], return_info=True)",
    ],
)
def test_interrupting_a_call_ends_it_and_releases_the_session(call):
    """The call would take minutes on the real-time clock; it is interrupted when the first datapoints are there."""
    code = (
        PRELUDE
        + f"""
import time
def tell():
    while not session.usage.tokens:
        time.sleep(0.01)
    print("started", flush=True)
with phl.reserve("sim", program, shots=10, clock="realtime") as session:
    threading.Thread(target=tell).start()
    try:
        {call}
    except KeyboardInterrupt:
        interrupted = True
assert interrupted
assert 0 < session.usage.tokens < 10_000
phl.reserve("sim", program).close()
print("released", flush=True)
"""
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "started\n"
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=FOREVER)
    assert (process.returncode, out) == (0, "released\n")


def test_interrupting_a_reservation_ends_it():
    """Preset belenos configures for 15.5 s; nothing is held afterwards."""
    code = (
        PRELUDE
        + """
try:
    print("started", flush=True)
    phl.reserve("sim", program, shots=10, clock="realtime", preset="belenos")
except KeyboardInterrupt:
    phl.reserve("sim", program).close()
    print("released", flush=True)
"""
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "started\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=FOREVER)
    assert (process.returncode, out) == (0, "released\n")


@pytest.mark.parametrize("ending", ["", "sys.exit(0)", "raise SystemExit"])
def test_leaving_the_interpreter_with_open_sessions_ends_them(ending):
    """A call in flight, an asynchronous one, and another thread's: the exit waits for none of them."""
    code = (
        PRELUDE
        + f"""
session = phl.reserve("sim", program, shots=10, clock="realtime")
rows = np.ones((10_000, 6)) * np.arange(10_000)[:, None]
future = session.infer_async(rows)
threading.Thread(target=lambda: session.infer(rows), daemon=True).start()
{ending}
"""
    )
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    assert "Fatal" not in done.stderr


def test_a_second_session_of_a_busy_fault(program, photonlink_faulty):
    photonlink_faulty("busy")
    with pytest.raises(SessionBusy):
        phl.reserve("sim", program)
