"""Bounded ends when either side of a served session dies, or misbehaves."""

import contextlib
import ctypes
import random
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from service_calls import FOREVER, executed, session_number, usage_of

import photonlink as phl
from photonlink.errors import (
    LedgerError,
    LinkClosed,
    LinkTimeout,
    PhotonLinkError,
    SessionClosed,
)
from photonlink.qsc.client import ControlClient
from photonlink.qsc.launching import ServiceProcess

# ---- ends


CLIENT = """
import sys
import numpy as np
import photonlink as phl
program = phl.Program.reservoir(6, 2, features=6, seed=7)
session = phl.reserve(sys.argv[1], program, shots=10, clock="realtime", transport=sys.argv[2])
print("reserved", flush=True)
session.infer(np.ones((100_000, 6)) * np.arange(100_000)[:, None], timeout=600)
"""


@pytest.mark.parametrize("transport", ["shm", "udp"])
def test_a_killed_client_frees_the_lock_and_the_next_is_served(shared, program, x, transport):
    command = [sys.executable, "-c", CLIENT, shared.target, transport]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "reserved\n"
        number = ControlClient(shared.target).call("GET", "/status")["session"]["session"]
        executed(shared.target, number, 3)
        process.kill()
        process.wait(FOREVER)
        with phl.reserve(shared.target, program, wait=FOREVER, transport=transport) as session:
            assert np.array_equal(session.infer(x), program.simulate(x))
    lost = usage_of(shared.target, number)
    assert lost["end"] == "client lost"
    assert lost["tokens"] > 0


@pytest.mark.parametrize("transport", ["shm", "udp"])
def test_a_killed_service_is_noticed_and_its_counts_are_exact(ledger, program, x, transport):
    service = ServiceProcess(*ledger)
    session = phl.reserve(service.target, program, shots=10, transport=transport)
    session.infer(x)
    session.infer(x[:7])
    service.kill()
    with pytest.raises(LinkClosed):
        session.infer(x, timeout=FOREVER)
    with pytest.raises(LinkClosed, match="no controller service answers"):
        session.usage  # noqa: B018
    with pytest.raises(LinkClosed, match="ledger"):
        session.close()
    assert session.closed
    session.close()  # said once
    with ServiceProcess(*ledger) as service:
        used = usage_of(service.target, session_number(session))
        assert (used["tokens"], used["shots"], used["kept_samples"]) == (47, 470, 470)
        assert (used["end"], used["wall_ns"]) == ("controller killed", None)
        with phl.reserve(service.target, program) as again:
            assert session_number(again) > session_number(session)


def test_killed_mid_request_every_delivered_answer_is_counted(ledger, program):
    """One slot: between a count and its answer there is at most one datapoint."""
    rows = np.ones((10_000, 6)) * np.arange(10_000)[:, None]
    chosen = random.Random(5)
    for _ in range(3):
        service = ServiceProcess(*ledger)
        session = phl.reserve(service.target, program, shots=10, clock="realtime", slots=1)
        number = session_number(session)
        future = session.infer_async(rows, timeout=FOREVER)
        executed(service.target, number, chosen.randint(2, 20))
        service.kill()
        lost = future.exception(FOREVER)
        assert isinstance(lost, LinkClosed)
        assert lost.row > 0
        with pytest.raises(LinkClosed):
            session.close()
        with ServiceProcess(*ledger) as service:
            used = usage_of(service.target, number)
        assert lost.row <= used["tokens"] <= lost.row + 1
        assert used["shots"] == 10 * used["tokens"]


def test_sigterm_finishes_what_was_accepted(ledger, program):
    rows = np.ones((10_000, 6)) * np.arange(10_000)[:, None]
    with ServiceProcess(*ledger) as service:
        session = phl.reserve(service.target, program, shots=10, clock="realtime", slots=4)
        number = session_number(session)
        future = session.infer_async(rows, timeout=FOREVER)
        executed(service.target, number, 5)
        assert service.stop() == 0
        ended = future.exception(FOREVER)
        assert isinstance(ended, (SessionClosed, LinkClosed))
        with pytest.raises(LinkClosed):
            session.close()
    with ServiceProcess(*ledger) as service:
        used = usage_of(service.target, number)
    assert used["end"] == "controller stopped"
    assert used["tokens"] == ended.row > 0


@contextlib.contextmanager
def full_disk(service, folder):
    """No file of the service may grow beyond the length of SQLite's log; rings of one slot still fit."""
    pid, kind = service.process.pid, resource.RLIMIT_FSIZE
    before = resource.prlimit(pid, kind)
    resource.prlimit(pid, kind, ((folder / "ledger.sqlite-wal").stat().st_size, before[1]))
    yield
    resource.prlimit(pid, kind, before)


def test_a_service_without_disk_keeps_counting_and_refuses_when_it_could_not(ledger, program, x, tmp_path):
    with ServiceProcess(*ledger) as service:
        control = ControlClient(service.target)
        with phl.reserve(service.target, program) as session:
            session.infer(x[:1])
        with full_disk(service, tmp_path):
            for count in (2, 3):
                with phl.reserve(service.target, program, slots=1) as session:
                    session.infer(x[:count])
                assert session.usage.tokens == count
            assert "ledger" in control.call("GET", "/status")["ledger_problem"]
            assert control.call("GET", "/usage")["total"]["tokens"] == 6
            refused = None
            for _ in range(100):
                try:
                    phl.reserve(service.target, program, slots=1).close()
                except LedgerError as error:
                    refused = error
                    break
            assert "wait to be folded" in str(refused)
        with phl.reserve(service.target, program) as session:  # there is room again
            session.infer(x[:4])
        assert control.call("GET", "/status")["ledger_problem"] is None
        total = control.call("GET", "/usage")["total"]
        assert total["tokens"] == 10
        assert [usage_of(service.target, number)["tokens"] for number in (1, 2, 3)] == [1, 2, 3]


def test_counts_that_could_not_be_folded_survive_a_kill(ledger, program, x, tmp_path):
    with ServiceProcess(*ledger) as service:
        with phl.reserve(service.target, program) as session:
            session.infer(x[:1])
        with full_disk(service, tmp_path), phl.reserve(service.target, program, slots=1) as session:
            session.infer(x[:2])
        service.process.kill()
        service.process.wait(FOREVER)
    with ServiceProcess(*ledger) as service:
        assert ControlClient(service.target).call("GET", "/usage")["total"]["tokens"] == 3
        assert usage_of(service.target, 2)["end"] == "released"


def freeze(process):
    """Stop every thread of a process, and wait until each stands still."""
    process.send_signal(signal.SIGSTOP)
    deadline = time.monotonic() + FOREVER
    tasks = Path(f"/proc/{process.pid}/task")
    while any((task / "stat").read_text().rsplit(")", 1)[1].split()[0] != "T" for task in tasks.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_frozen_service_is_a_timeout(ledger, program, x):
    with ServiceProcess(*ledger) as service, phl.reserve(service.target, program) as session:
        session.infer(x)
        freeze(service.process)
        try:
            with pytest.raises((LinkTimeout, LinkClosed)):
                session.infer(x, timeout=FOREVER)
        finally:
            service.process.send_signal(signal.SIGCONT)


def test_a_forked_child_cannot_use_the_session(shared):
    code = f"""
import os, sys, warnings
import numpy as np
import photonlink as phl
warnings.simplefilter("ignore", DeprecationWarning)
program = phl.Program.reservoir(6, 2, features=6, seed=7)
session = phl.reserve({shared.target!r}, program)
pid = os.fork()
if pid == 0:
    try:
        session.infer(np.zeros((1, 6)))
    except phl.errors.SessionClosed:
        sys.exit(0)
    sys.exit(1)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
assert session.infer(np.zeros((2, 6))).shape == (2, 15)
assert session.close().tokens == 2
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=FOREVER, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# ---- a client that writes into its memory what it likes


def _request_memory():
    """Address ranges of the shared memory that this process may write."""
    found = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        match = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw-s .*/memfd:", line)
        if match:
            found.append((int(match[1], 16), int(match[2], 16)))
    return found


@pytest.mark.parametrize("kind", ["random", "small words", "ones", "mixed"])
def test_garbage_in_the_shared_memory_harms_nobody_else(kind, shared, program, x):
    before = set(_request_memory())
    session = phl.reserve(shared.target, program, shots=10, slots=8)
    (memory,) = set(_request_memory()) - before
    begin, size = memory[0], memory[1] - memory[0]
    rng = np.random.default_rng(17)
    session.infer(x)
    for round_ in range(30):
        words = size // 8
        junk = {
            "random": rng.integers(0, 2**64, words, dtype=np.uint64),
            "small words": rng.integers(0, 60, words, dtype=np.uint64),
            "ones": np.full(words, 2**64 - 1, np.uint64),
            "mixed": np.where(rng.random(words) < 0.5, rng.integers(0, 2**64, words, dtype=np.uint64), round_ + 6),
        }[kind].astype(np.uint64)
        ctypes.memmove(begin, junk.ctypes.data, junk.nbytes)
        time.sleep(0.005)
    with contextlib.suppress(PhotonLinkError):
        session.infer(x[:2], timeout=0.2)
    with contextlib.suppress(PhotonLinkError):
        session.close()
    assert shared.process.poll() is None
    with phl.reserve(shared.target, program, shots=10, seed=3, wait=FOREVER) as healthy:
        assert np.array_equal(healthy.infer(x), program.simulate(x, shots=10, seed=3))
        assert healthy.close().tokens == 40
