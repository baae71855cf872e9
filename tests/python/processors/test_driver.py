"""Processors of one's own: what they return becomes results, and whatever they do wrong is an error in bounded time."""

import gc
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest
from drivers import UNITARY, Distribution, OnePhotonChip, Scripted
from scipy.stats import chisquare

import photonlink as phl
from photonlink.errors import LinkClosed, ProcessorError, ProgramError, SessionClosed
from photonlink.processors import Processor

FOREVER = 240.0


@pytest.fixture
def one_photon():
    builder = phl.Program.layered(5, [0, 1, 0, 0, 0]).interferometer(UNITARY).phases(["a", "b", "c"])
    return builder.interferometer(UNITARY.T).build(phl.Readout.probs("fock"))


X = np.random.default_rng(8).uniform(0, np.pi, (3, 3))


# ---- results


def test_samples_of_a_chip_follow_the_distribution_and_others_are_sorted_out(one_photon):
    exact = one_photon.simulate(X)
    with phl.reserve(OnePhotonChip(), one_photon, shots=20_000, seed=5) as session:
        y, info = session.infer(X, return_info=True)
        assert (session.info.target, session.info.processor) == ("one-photon-chip", "one-photon-chip")
        assert not session.info.simulated
        assert session.info.sampler == "processor"
    for row in range(3):
        assert info.counts[row].count.sum() == 20_000
        np.testing.assert_allclose(y[row, info.counts[row].index], info.counts[row].count / 20_000, rtol=1e-12)
        assert chisquare(y[row] * 20_000, exact[row] * 20_000).pvalue > 1e-4
    assert np.all((info.kept_fraction > 0.6) & (info.kept_fraction < 0.75))  # a third is thrown away
    np.testing.assert_allclose(info.standard_errors, np.sqrt(y * (1 - y) / 20_000), atol=1e-12)


@pytest.mark.parametrize("space", ["fock", "unbunched"])
@pytest.mark.parametrize(
    "kind", ["probs", "mode_expectations", "correlators", "click_patterns", "click_probabilities", "samples"]
)
def test_every_readout_of_events_is_that_of_the_simulator(space, kind):
    """Events counted by the simulator for a samples readout, handed in by a driver, give the simulator's results."""
    counted = phl.Program.reservoir(5, 2, features=5, readout=phl.Readout.samples(space))
    program = counted.replace(readout=getattr(phl.Readout, kind)(space))
    x = np.linspace(0, 2, 5)
    with phl.reserve("sim", counted, shots=500, seed=4) as session:
        samples = session.infer(x)

    def act(_phases, events, _datapoint):
        assert events == 500
        states, counts = np.unique(samples, axis=0, return_counts=True)
        return {tuple(state): int(count) for state, count in zip(states.tolist(), counts, strict=True)}

    with phl.reserve(Scripted(act), program, shots=500) as mine, phl.reserve("sim", program, shots=500, seed=4) as sim:
        ours, info = mine.infer(x, return_info=True)
        expected, expected_info = sim.infer(x, return_info=True)
    np.testing.assert_allclose(ours, expected, atol=1e-12)
    assert np.array_equal(info.counts[0].index, expected_info.counts[0].index)
    assert np.array_equal(info.counts[0].count, expected_info.counts[0].count)
    if kind != "samples":
        np.testing.assert_allclose(info.standard_errors, expected_info.standard_errors, atol=1e-12)


def test_threshold_events_with_loss_have_their_place():
    noise = phl.Noise(transmittance=0.5)
    program = phl.Program.reservoir(4, 2, features=4, readout=phl.Readout.probs("fock"), noise=noise)
    program = program.replace(detectors="threshold", min_detected_photons=1)
    seen = {(1, 0, 0, 0): 6, (0, 1, 0, 1): 4}
    with phl.reserve(Scripted(lambda *_: seen), program, shots=10) as session:
        y = session.infer(np.zeros(4))
    assert {program.output_keys[i]: y[i] for i in np.flatnonzero(y)} == {(1, 0, 0, 0): 0.6, (0, 1, 0, 1): 0.4}


def test_probabilities_are_renormalised_and_sampled_as_in_the_simulator(program, x):
    exact = program.simulate(x[0])
    with phl.reserve(Distribution(exact * 0.25), program) as session:
        y, info = session.infer(x[0], return_info=True)
    np.testing.assert_allclose(y, exact, atol=1e-12)
    np.testing.assert_allclose(info.kept_fraction, 0.25)
    with phl.reserve(Distribution(exact), program, shots=50, seed=2, precision="float32") as session:
        sampled = session.infer(x[0])
    assert np.array_equal(sampled, program.simulate(x[0], shots=50, seed=2, precision="float64").astype(np.float32))
    with (
        phl.reserve(Distribution(np.zeros(15)), program, shots=50) as session,
        pytest.raises(ProcessorError, match="can be kept"),
    ):
        session.infer(x[0])
    with phl.reserve(Distribution(np.zeros(15)), program) as session:
        assert not session.infer(x[0]).any()


def test_one_thread_serves_it_and_datapoints_have_ids(one_photon):
    ids = []

    def act(_phases, events, datapoint):
        ids.append(datapoint)
        return {(1, 0, 0, 0, 0): events}

    driver = Scripted(act)
    with phl.reserve(driver, one_photon, shots=3) as session:
        session.infer(np.zeros((5, 3)))
        assert session.usage.kept_samples == 15
    assert ids == list(range(5))
    assert len(driver.threads) == 1
    assert threading.get_ident() not in driver.threads
    assert driver.closed == 1
    # A closed driver can be used again, but not twice at a time.
    with phl.reserve(driver, one_photon, shots=3), pytest.raises(ProgramError, match="belongs to a controller"):
        phl.reserve(driver, one_photon, shots=3)


def test_a_controller_that_does_not_come_about_leaves_its_processor_to_others(monkeypatch, one_photon):
    def no_memory(*_, **__):
        raise MemoryError

    driver = Scripted(lambda _phases, events, _datapoint: {(1, 0, 0, 0, 0): events})
    with monkeypatch.context() as patched:
        patched.setattr("photonlink._core.Controller", no_memory)
        with pytest.raises(MemoryError):
            phl.Controller(processor=driver)
    with pytest.raises(ProgramError, match="memory_limit is -1"):
        phl.Controller(processor=driver, memory_limit=-1)
    with phl.reserve(driver, one_photon, shots=3) as session:
        session.infer(np.zeros(3))
    assert driver.closed == 2


# ---- refusals


def test_hardware_refuses_exact_results(one_photon):
    with pytest.raises(ProgramError, match="no exact results"):
        phl.reserve(OnePhotonChip(), one_photon)


def test_what_is_no_processor_is_refused(one_photon):
    class Wrong(OnePhotonChip):
        timeout = -1

    with pytest.raises(ProgramError, match="timeout"):
        phl.reserve(Wrong(), one_photon, shots=1)
    with pytest.raises(ProgramError, match=r"expected a photonlink\.processors\.Processor"):
        phl.Controller(processor=object())
    with phl.Controller() as controller, pytest.raises(ProgramError, match="either"):
        phl.reserve(OnePhotonChip(), one_photon, shots=1, controller=controller)


def test_a_controller_of_a_driver_serves_one_session_after_the_other(one_photon):
    with phl.Controller(processor=OnePhotonChip()) as controller:
        for _ in range(2):
            with phl.reserve("sim", one_photon, shots=5, controller=controller) as session:
                assert session.infer(X).shape == (3, 5)
                assert session.info.processor == "one-photon-chip"
        assert controller.status()["processor"] == "one-photon-chip"


# ---- faults


def _raise(error):
    raise error


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda *_: _raise(RuntimeError("laser off")), "RuntimeError: laser off"),
        (lambda *_: _raise(SystemExit()), "SystemExit"),
        (lambda *_: {}, "returned 0 events, expected 1 to 4"),
        (lambda *_: {(1, 0, 0, 0, 0): 5}, "returned 5 events, expected 1 to 4"),
        (lambda *_: {(1, 0, 0): 1}, "expected 5 each"),
        (lambda *_: {(1, 0, 0, 0, -1): 1}, "expected integers"),
        (lambda *_: {(1, 0, 0, 0, 300): 1}, "expected integers"),
        (lambda *_: {(1, 0, 0, 0, 0): 1.5}, "expected integers"),
        (lambda *_: ([[1, 0, 0, 0, 0]], [2**40]), "expected integers"),
        (lambda *_: None, "TypeError"),
        (lambda *_: ([[1, 0, 0, 0, 0]], [[1]]), "counts has shape"),
    ],
)
def test_a_datapoint_that_fails_says_why_and_the_session_goes_on(one_photon, act, words):
    script = [act, lambda _p, events, _d: {(1, 0, 0, 0, 0): events}]
    with phl.reserve(Scripted(lambda *how: script.pop(0)(*how)), one_photon, shots=4) as session:
        with pytest.raises(ProcessorError, match=words):
            session.infer(X[0])
        assert session.infer(X[0])[0] == 1.0
        assert session.usage.tokens == 2
        assert session.usage.kept_samples == 4


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros(14), "14 probabilities, expected 15"),
        (np.full(15, np.nan), "probability of"),
        (np.full(15, 1.0), "add up to"),
        (-np.ones(15), "probability of"),
        (np.zeros((15, 1)), "expected one dimension"),
        ("x", "ValueError"),
    ],
)
def test_distributions_that_are_none_are_refused(program, x, values, words):
    with phl.reserve(Distribution(values), program) as session, pytest.raises(ProcessorError, match=words):
        session.infer(x[0])


def test_a_driver_without_its_methods_says_so(program, x):
    class Empty(Processor):
        def configure(self, task):
            pass

    class Promising(Empty):
        exact = True

    with phl.reserve(Empty(), program, shots=1) as session, pytest.raises(ProcessorError, match=r"detect\(\)"):
        session.infer(x[0])
    with phl.reserve(Promising(), program) as session, pytest.raises(ProcessorError, match=r"probabilities\(\)"):
        session.infer(x[0])


def test_loading_that_fails_leaves_nothing_reserved(one_photon):
    events = lambda _p, events, _d: {(1, 0, 0, 0, 0): events}  # noqa: E731
    for error, kind, words in (
        (ProgramError("too many modes"), ProgramError, "too many modes"),
        (RuntimeError("no light"), ProcessorError, "could not load the program: RuntimeError: no light"),
        (LinkClosed("on fire"), LinkClosed, "on fire"),
    ):
        with pytest.raises(kind, match=words):
            phl.reserve(Scripted(events, loading=lambda error=error: _raise(error)), one_photon, shots=1)


def test_a_lost_processor_ends_the_session(one_photon):
    driver = Scripted(lambda *_: _raise(LinkClosed("the chip is gone")))
    with phl.Controller(processor=driver) as controller:
        with (
            phl.reserve("sim", one_photon, shots=4, controller=controller) as session,
            pytest.raises(LinkClosed, match="the chip is gone"),
        ):
            session.infer(X[0])
        assert controller.status()["state"] == "error"
        assert "the chip is gone" in controller.status()["cause"]


def test_a_driver_that_hangs_ends_the_session_within_its_limit(one_photon):
    stop = threading.Event()
    try:
        with phl.reserve(Scripted(lambda *_: stop.wait(FOREVER), timeout=2), one_photon, shots=4) as session:
            with pytest.raises(LinkClosed, match="no answer within its limit"):
                session.infer(X[0])
            stop.set()
    finally:
        stop.set()
    stop.clear()
    try:
        with pytest.raises(LinkClosed, match="no answer within its limit"):
            phl.reserve(Scripted(lambda *_: {}, timeout=0.2, loading=stop.wait), one_photon, shots=4)
    finally:
        stop.set()


def test_events_that_are_never_kept_end_with_the_time(one_photon):
    driver = Scripted(lambda _p, events, _d: {(2, 0, 0, 0, 0): events}, timeout=2)
    with phl.reserve(driver, one_photon, shots=4) as session, pytest.raises(LinkClosed, match="no answer within"):
        session.infer(X[0])


def test_closing_the_session_interrupts_a_driver_that_listens(one_photon):
    began, over = threading.Event(), threading.Event()

    def act(*_):
        began.set()
        while driver.wait(FOREVER):
            pass
        over.set()

    driver = Scripted(act, timeout=10 * FOREVER)
    session = phl.reserve(driver, one_photon, shots=4)
    future = session.infer_async(X[0])
    assert began.wait(FOREVER)
    session.close()
    assert over.wait(FOREVER)
    with pytest.raises((SessionClosed, ProcessorError)):
        future.result(FOREVER)


def test_a_driver_may_use_photonlink_itself(one_photon):
    """Nobody who waits for the driver holds what the driver needs: the interpreter lock, or a lock of the core."""

    def act(_phases, events, _datapoint):
        with phl.reserve("sim", one_photon, shots=events) as inner:
            inner.infer(np.ones(3))
            gc.collect()
        return {(1, 0, 0, 0, 0): events}

    with phl.reserve(Scripted(act), one_photon, shots=4) as session:
        assert session.infer(X)[:, 0].tolist() == [1.0] * 3


def test_a_controller_that_is_dropped_ends_its_driver():
    driver = Scripted(lambda _p, events, _d: {(1, 0, 0, 0, 0): events})
    controller = phl.Controller(processor=driver)
    thread = controller._host._thread
    gone = weakref.ref(controller)
    del controller
    gc.collect()
    assert gone() is None
    thread.join(FOREVER)
    assert not thread.is_alive()
    assert driver.closed == 1


_PROLOGUE = """
import os, sys, time
import numpy as np
import photonlink as phl

class Driver(phl.processors.Processor):
    name, simulated = "driver", True
    def configure(self, task): self.task = task
    def detect(self, phases, events, datapoint): return {self.task.input_state: events}

program = phl.Program.reservoir(4, 1, features=4)
"""


def _python(code):
    done = subprocess.run(
        [sys.executable, "-c", _PROLOGUE + code], capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_a_forked_child_keeps_away_and_can_have_its_own():
    code = """
session = phl.reserve(Driver(), program, shots=5)
child = os.fork()
if child == 0:
    try:
        session.infer(np.zeros(4))
    except phl.errors.SessionClosed:
        with phl.reserve(Driver(), program, shots=5) as mine:
            mine.infer(np.zeros(4))
        sys.exit(7)
    sys.exit(1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
print(session.infer(np.zeros(4)).sum())
session.close()
"""
    status, out, err = _python(code)
    assert (status, out) == (0, "1.0\n"), err


@pytest.mark.parametrize("listens", [True, False])
def test_the_interpreter_ends_while_a_driver_is_at_work(listens):
    code = f"""
class Busy(Driver):
    def detect(self, phases, events, datapoint):
        print("at work", flush=True)
        while self.wait(600) if {listens} else time.sleep(600) or True: pass

session = phl.reserve(Busy(), program, shots=5)
future = session.infer_async(np.zeros(4))
while not session._core_session.slots_in_use(): time.sleep(0.001)
"""
    status, out, err = _python(code)
    assert status == 0, err
    assert out in ("at work\n", "")
    assert "Fatal" not in err
    assert "terminate" not in err
