"""Sessions on "sim:cuda": what they say of themselves, what they compute, and how they end."""

from pathlib import Path

import numpy as np
import pytest
from device_arrays import SIZE, WIDTH, Failure, address, arrays
from simulator_double import PROCESSOR_FAILED, REFUSED

import photonlink as phl
from photonlink.cuda import _simulator
from photonlink.errors import ProcessorError, SessionClosed


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
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "conformance"))
    import routes
    import test_conformance

    for number in range(test_conformance.CASES):
        program, x = test_conformance.random_case(number)
        job = routes.Job(program, x, shots, seed=number, precision=precision)
        found = routes.ROUTES["sim:cuda"].run(job)
        expected = program.simulate(x, shots=shots, seed=number, precision=precision)
        assert found.dtype == np.dtype(precision)
        assert np.array_equal(found, expected), f"case {number}: {program!r}"


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
    assert seen == [(address(x), 8, WIDTH, address(out), SIZE, 0, 0, 4, 6, 0)]
