"""Threads run where they were told to, refusals are said, and insisting makes them errors."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import photonlink as phl
from photonlink.cli import main
from photonlink.errors import ProgramError, ServiceError
from photonlink.latency import Latency, parse_cpus
from photonlink.qsc.client import ControlClient
from photonlink.qsc.launching import ServiceProcess

CPU = min(os.sched_getaffinity(0))
ABSENT = 1023  # no machine that runs this has so many


def program():
    return phl.Program.reservoir(4, 1, features=4)


def threads(process="self"):
    """CPUs that each thread of a process may use, as the kernel says, by thread id."""
    cpus = {}
    for task in Path(f"/proc/{process}/task").iterdir():
        status = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line)
        cpus[int(task.name)] = set(parse_cpus(status["Cpus_allowed_list"]))
    return cpus


def policies():
    return [os.sched_getscheduler(thread) for thread in threads()]


def test_cpu_lists():
    assert parse_cpus("3") == (3,)
    assert parse_cpus("0-2, 5,1") == (0, 1, 2, 5)
    for wrong in ("", "a", "1-", "-1", "2;3", "1024", "0-99999999999"):
        with pytest.raises(ProgramError, match="no list of CPUs"):
            parse_cpus(wrong)


def test_the_dispatcher_is_pinned_where_the_kernel_can_show_it():
    everybody = set(threads())
    with phl.reserve("sim", program(), latency=Latency(dispatcher_cpus=(CPU,))) as session:
        session.infer(np.zeros(4))
        new = {thread: cpus for thread, cpus in threads().items() if thread not in everybody}
        (outcome,) = session.info.latency
    assert (outcome.measure, outcome.asked, outcome.granted) == ("dispatcher CPUs", str(CPU), True)
    assert list(new.values()).count({CPU}) >= 1
    assert threads()[os.getpid()] == os.sched_getaffinity(0), "the caller's own threads stay where they were"


def test_priority_is_granted_or_refused_with_a_reason():
    with phl.reserve("sim", program(), latency=Latency(realtime_priority=1)) as session:
        session.infer(np.zeros(4))
        (outcome,) = session.info.latency
        assert (os.SCHED_FIFO in policies()) == outcome.granted
    assert outcome.granted or "RLIMIT_RTPRIO" in outcome.detail


def test_what_is_refused_is_a_report_and_not_a_failure():
    with phl.Controller(latency=Latency(dispatcher_cpus=(ABSENT,), local_memory=True)) as controller:
        with phl.reserve("sim", program(), controller=controller) as session:
            assert session.infer(np.zeros((2, 4))).shape == (2, 4)
            assert session.info.latency == controller.latency
        assert [outcome.granted for outcome in controller.latency] == [False, False]
        assert "may not be used" in controller.latency[0].detail or "none of these" in controller.latency[0].detail
        assert "not available" in controller.latency[1].detail
        assert [entry["granted"] for entry in controller.status()["latency"]] == [False, False]


def test_insisting_is_an_error_that_names_what_was_refused():
    asked = Latency(dispatcher_cpus=(ABSENT,), insist=True)
    with pytest.raises(ServiceError, match=f"dispatcher CPUs .{ABSENT}."):
        phl.Controller(latency=asked)
    with pytest.raises(ServiceError, match="dispatcher CPUs"):
        phl.reserve("sim", program(), latency=asked)
    with phl.Controller(latency=Latency(dispatcher_cpus=(CPU,), insist=True)) as granted:
        assert granted.latency[0].granted


def test_memory_is_locked_for_the_process_or_the_limit_is_named():
    code = (
        "import photonlink as phl\n"
        "from photonlink.latency import Latency\n"
        "with phl.Controller(latency=Latency(lock_memory=True)) as c:\n"
        "    locked = [l for l in open('/proc/self/status') if l.startswith('VmLck')][0].split()[1]\n"
        "    print(c.latency[0].granted, int(locked), c.latency[0].detail)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    granted, locked, detail = done.stdout.split(maxsplit=2)
    assert (granted == "True") == (int(locked) > 0)
    assert granted == "True" or "RLIMIT_MEMLOCK" in detail


def test_a_session_of_its_own_leaves_no_thread_behind():
    before = set(threads())
    with phl.reserve("sim", program(), latency=Latency(dispatcher_cpus=(CPU,))) as session:
        session.infer(np.zeros(4))
    assert set(threads()) <= before


def test_wrong_values_are_named():
    for wrong in ({"dispatcher_cpus": (-1,)}, {"transport_cpus": (1024,)}, {"realtime_priority": 100}):
        with pytest.raises(ProgramError, match=next(iter(wrong))):
            Latency(**wrong)
    with phl.Controller() as mine, pytest.raises(ProgramError, match="latency belongs to the controller"):
        phl.reserve("sim", program(), controller=mine, latency=Latency())
    with pytest.raises(ProgramError, match="latency belongs"):
        phl.reserve("qsc://127.0.0.1:1", program(), latency=Latency())


def test_a_service_pins_its_threads_and_says_so(tmp_path, capsys):
    options = ["--dispatcher-cpus", str(CPU), "--transport-cpus", str(CPU), "--local-memory"]
    with ServiceProcess("--ledger", str(tmp_path / "l.sqlite"), *options) as service:
        with phl.reserve(service.target, program()) as session:
            session.infer(np.zeros(4))
            pinned = [cpus for cpus in threads(service.process.pid).values() if cpus == {CPU}]
            granted = {outcome.measure: outcome.granted for outcome in session.info.latency}
        report = ControlClient(service.target).call("GET", "/status")["latency"]
        assert main(["qsc", "status", service.target]) == 0
    # Without other CPUs to choose from, every thread is "pinned".
    assert len(pinned) >= 2 if len(os.sched_getaffinity(0)) > 1 else pinned
    assert granted["dispatcher CPUs"]
    assert granted["transport CPUs"]
    assert [entry["measure"] for entry in report] == ["transport CPUs", "dispatcher CPUs", "local memory"]
    assert f"latency: dispatcher CPUs {CPU}: granted" in capsys.readouterr().out


def test_a_service_that_insists_does_not_start(tmp_path):
    options = ["--dispatcher-cpus", str(ABSENT), "--insist", "--ledger", str(tmp_path / "l.sqlite")]
    with pytest.raises(ServiceError, match="the system refused"):
        ServiceProcess(*options)


def test_jitter_report_explains_its_worst_cases(capsys):
    assert main(["bench", "link", "--jitter", "--rounds", "2000", "--dispatcher-cpus", str(CPU), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["rounds"] == sum(report["histogram"]["counts"]) == 2000
    assert len(report["histogram"]["edges_ns"]) == len(report["histogram"]["counts"]) + 1
    for name in ("caller", "process"):
        assert all(report["during"][name][key] >= 0 for key in ("voluntary_switches", "involuntary_switches"))
    assert report["during"]["process"]["minor_faults"] >= 0
    worst = report["worst"]
    assert worst == sorted(worst, key=lambda row: -row["ns"])
    assert worst[0]["ns"] == report["max_ns"]
    assert all(0 <= row["round"] < 2000 for row in worst)
    assert report["latency"][0]["measure"] == "dispatcher CPUs"


def test_jitter_options_are_not_ignored_without_it(capsys):
    assert main(["bench", "link", "--rounds", "5", "--dispatcher-cpus", str(CPU)]) == 1
    assert "--jitter" in capsys.readouterr().err
    assert main(["bench", "link", "--jitter", "--rounds", "100", "--caller-cpu", str(ABSENT)]) == 1
    assert "may not use CPUs [1023]" in capsys.readouterr().err
