"""Reservations on "sim:cuda": options, devices, and why there is none."""

import subprocess
import sys

import pytest
from device_arrays import MISSING_DEVICES, place
from simulator_double import simulating

import photonlink as phl
from photonlink.errors import ProgramError, SessionBusy, TargetUnavailable, Unavailable


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


@pytest.mark.parametrize(("state", "reason"), MISSING_DEVICES)
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
