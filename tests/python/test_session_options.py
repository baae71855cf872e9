"""Targets, options, and the exclusive lock."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import photonlink as phl
from photonlink.errors import ProgramError, SessionBusy, SessionClosed, TargetUnavailable, Unavailable


def test_unknown_target_lists_the_known_ones(program):
    with pytest.raises(TargetUnavailable, match="sim:cuda") as refused:
        phl.reserve("simulator", program)
    assert refused.value.reason is Unavailable.UNKNOWN
    with pytest.raises(ProgramError, match="target is None, expected a name"):
        phl.reserve(None, program)


def test_hardware_has_no_exact_results(program, monkeypatch):
    monkeypatch.delenv("PCVL_CLOUD_TOKEN", raising=False)
    with pytest.raises(ProgramError, match="shots="):
        phl.reserve("quandela:belenos", program)
    with pytest.raises(TargetUnavailable) as refused:
        phl.reserve("quandela:belenos", program, shots=100)
    assert refused.value.reason is Unavailable.NO_TOKEN


def test_the_environment_replaces_the_target_loudly(program, monkeypatch, caplog):
    monkeypatch.setenv("PHOTONLINK_TARGET", "sim")
    with caplog.at_level(logging.WARNING), phl.reserve("sim:cuda", program) as session:
        assert session.info.target == "sim"
        assert session.info.target_overridden_from == "sim:cuda"
    assert "PHOTONLINK_TARGET" in caplog.text
    monkeypatch.setenv("PHOTONLINK_TARGET", "nonsense")
    with pytest.raises(TargetUnavailable):
        phl.reserve("sim", program)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shots": 0}, "shots is 0"),
        ({"shots": -5}, "shots is -5"),
        ({"shots": 2.5}, "shots is 2.5"),
        ({"shots": True}, "shots is True"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**64}, "seed is"),
        ({"clock": "wall"}, "clock is 'wall'"),
        ({"preset": "acme"}, "unknown preset"),
        ({"precision": "float16"}, "precision is 'float16'"),
        ({"token_budget": -1}, "token_budget"),
        ({"idle_timeout": 0}, "idle_timeout is 0"),
        ({"max_duration": float("nan")}, "max_duration is nan"),
        ({"timeout": -1}, "timeout is -1"),
        ({"slots": 0}, "slots is 0"),
        ({"slots": 5000}, "slots is 5000"),
    ],
)
def test_wrong_options_are_named(program, options, words):
    with pytest.raises(ProgramError, match=words):
        phl.reserve("sim", program, **options)
    phl.reserve("sim", program).close()  # and nothing is held


def test_a_program_is_needed():
    with pytest.raises(ProgramError, match="Program"):
        phl.reserve("sim", [1, 2, 3])


def test_a_program_too_large_for_memory_is_refused(program):
    with phl.Controller(memory_limit=1000) as controller:
        with pytest.raises(ProgramError, match="1000"):
            phl.reserve("sim", program, controller=controller)
        assert controller.status()["state"] != "reserved"


# ---- one session at a time


def test_a_second_session_is_busy(program):
    with phl.reserve("sim", program, max_duration=60) as session:
        with pytest.raises(SessionBusy) as refused:
            phl.reserve("sim", program)
        assert 0 < refused.value.retry_after <= 60
        session.infer(np.zeros(6))
    with phl.reserve("sim", program) as session:
        session.infer(np.zeros(6))


def test_private_controllers_hold_sessions_side_by_side(program, x):
    with phl.Controller() as one, phl.Controller() as two:
        with phl.reserve("sim", program, controller=one) as a, phl.reserve("sim", program, controller=two) as b:
            assert np.array_equal(a.infer(x), b.infer(x))
            assert one.status()["digest"] == program.digest
        assert a.usage.tokens == b.usage.tokens == 40


def test_use_after_close(program, x):
    with phl.reserve("sim", program) as session:
        session.infer(x)
    assert session.closed
    assert session.close() == session.close() == session.usage
    assert session.usage.tokens == 40
    for use in (session.infer, session.infer_async, lambda _: session.echo_latency(1)):
        with pytest.raises(SessionClosed, match="reserve a new one"):
            use(x)
    assert "closed" in repr(session)


def test_exceptions_leave_the_with_block(program):
    with pytest.raises(ZeroDivisionError), phl.reserve("sim", program) as session:
        1 / 0  # noqa: B018
    assert session.closed


def test_a_forgotten_session_gives_the_controller_back(program):
    session = phl.reserve("sim", program)
    with pytest.warns(ResourceWarning, match="not closed"):
        del session
    phl.reserve("sim", program).close()


def test_sessions_can_be_closed_from_many_threads(program):
    session = phl.reserve("sim", program)
    with ThreadPoolExecutor(4) as pool:
        usages = list(pool.map(lambda _: session.close(), range(8)))
    assert len(set(usages)) == 1


def test_token_budget_ends_with_its_reason(program, x):
    with phl.reserve("sim", program, token_budget=25) as session:
        out = np.full((40, 15), np.nan)
        with pytest.raises(SessionClosed, match="budget") as spent:
            session.infer(x, out=out)
        assert spent.value.row == 25
        assert np.array_equal(out[:25], program.simulate(x[:25]))
        assert session.usage.tokens == 25


@pytest.mark.parametrize("limit", ["idle_timeout", "max_duration"])
def test_sessions_end_by_themselves(program, limit):
    """The controller is free again, and the old session says what happened."""
    with phl.Controller() as controller:
        with phl.reserve("sim", program, controller=controller, **{limit: 0.05}) as session:
            ended = threading.Event()
            while controller.status()["state"] != "released" and not ended.wait(0.01):
                pass
            with pytest.raises(SessionClosed, match=r"idle|duration") as closed:
                session.infer(np.zeros(6))
            assert closed.value.row == 0
            phl.reserve("sim", program, controller=controller).close()
        assert session.usage.tokens == 0
