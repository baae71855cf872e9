"""Sessions on a controller service: results and errors as in process, and bounded ends when either side dies."""

import contextlib
import ctypes
import random
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import photonlink as phl
from photonlink.errors import (
    LedgerError,
    LinkClosed,
    LinkTimeout,
    PhotonLinkError,
    ProgramError,
    SessionBusy,
    SessionClosed,
    TargetUnavailable,
    Unavailable,
)
from photonlink.qsc.client import ControlClient
from photonlink.qsc.launching import ServiceProcess

FOREVER = 60.0


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One service for the tests that leave it as they found it."""
    with ServiceProcess("--ledger", str(tmp_path_factory.mktemp("ledger") / "l.sqlite")) as service:
        yield service


@pytest.fixture
def ledger(tmp_path):
    return ["--ledger", str(tmp_path / "ledger.sqlite")]


def session_number(session):
    return int(session._remote._path.rsplit("/", 1)[1])


def usage_of(target, number):
    return ControlClient(target).call("GET", f"/sessions/{number}")


def idle(target):
    """Wait until nobody holds the controller."""
    deadline = time.monotonic() + FOREVER
    while ControlClient(target).call("GET", "/status")["session"] is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def executed(target, number, tokens):
    """Wait until a session has executed so many datapoints."""
    deadline = time.monotonic() + FOREVER
    while usage_of(target, number)["tokens"] < tokens:
        assert time.monotonic() < deadline
        time.sleep(0.01)


# ---- the same as in process


def test_info_usage_and_results(shared, program, x):
    with phl.reserve(shared.target, program, shots=37, seed=4, slots=8) as session:
        y, info = session.infer(x, return_info=True)
        later = session.infer_async(x[:3]).result(FOREVER)
        assert session.usage.tokens == 43
        assert session.usage.wall_seconds > 0
        assert (session.info.target, session.info.link) == (shared.target, "shared memory")
        assert (session.info.processor, session.info.simulated) == ("native-slos", True)
        assert (session.info.digest, session.slots) == (program.digest, 8)
        assert session.echo_latency(100).shape == (100,)
    assert np.array_equal(y, program.simulate(x, shots=37, seed=4))
    assert np.array_equal(later, program.simulate(x[:3], shots=37, seed=4, ids=[40, 41, 42]))
    assert info.standard_errors.shape == (40, 15)
    used = session.usage
    assert (used.tokens, used.shots, used.kept_samples) == (43, 43 * 37, 43 * 37)
    assert used.configuration_seconds == 1.0
    assert used.quantum_seconds >= info.quantum_seconds.sum()
    assert session.close() is used


def test_samples_and_exact_results(shared, x):
    program = phl.Program.reservoir(6, 2, features=6, seed=7, readout=phl.Readout.samples(space="fock"))
    with phl.reserve(f"shm://{shared.name}", program, shots=9, seed=2) as remote:
        samples = remote.infer(x[:4])
    with phl.reserve("sim", program, shots=9, seed=2) as local:
        assert np.array_equal(samples, local.infer(x[:4]))
    program = phl.Program.reservoir(6, 2, features=6, seed=7)
    with phl.reserve(shared.target, program, precision="float32") as remote:
        assert np.array_equal(remote.infer(x), program.simulate(x, precision="float32"))
        assert remote.usage.quantum_seconds is None


def test_limits_and_clocks_of_the_service(ledger, program, x):
    options = ["--slots", "4", "--clock", "none", "--preset", "belenos", "--idle-timeout", "7", "--max-duration", "50"]
    with ServiceProcess(*ledger, *options) as service:
        with phl.reserve(service.target, program, shots=5, idle_timeout=100, max_duration=3) as session:
            assert (session.slots, session.info.clock, session.info.preset) == (4, "none", "belenos")
            assert (session._options.idle_timeout_s, session._options.max_duration_s) == (7.0, 3.0)
            session.infer(x)
            assert session.usage.quantum_seconds is None
        with pytest.raises(ProgramError, match="clock is 'virtual'"):
            phl.reserve(service.target, program, clock="virtual")
        with pytest.raises(ProgramError, match="preset is 'article'"):
            phl.reserve(service.target, program, preset="article")


def test_budget_and_maximum_duration(shared, program, x):
    with phl.reserve(shared.target, program, token_budget=5) as session:
        with pytest.raises(SessionClosed, match="budget"):
            session.infer(x)
        assert session.close().tokens == 5
    with phl.reserve(shared.target, program, max_duration=0.3) as session:
        session.infer(x)
        idle(shared.target)
        with pytest.raises(SessionClosed, match="maximum duration"):
            session.infer(x)


def test_an_idle_session_is_released(shared, program, x):
    with phl.reserve(shared.target, program, idle_timeout=0.3) as session:
        session.infer(x)
        idle(shared.target)
        with pytest.raises(SessionClosed, match="idle"):
            session.infer(x)
    assert session.usage.tokens == 40
    assert usage_of(shared.target, session_number(session))["end"] == "idle timeout"


def test_busy_and_wait(shared, program, x):
    first = phl.reserve(shared.target, program, max_duration=30)
    with pytest.raises(SessionBusy) as busy:
        phl.reserve(shared.target, program)
    assert 0 < busy.value.retry_after <= 30
    threading.Timer(0.3, first.close).start()
    with phl.reserve(shared.target, program, wait=FOREVER) as second:
        assert second.infer(x).shape == (40, 15)


def test_environment_variable_moves_a_suite_to_the_service(shared, program, x, monkeypatch):
    monkeypatch.setenv("PHOTONLINK_TARGET", shared.target)
    with phl.reserve("sim", program) as session:
        assert session.info.target_overridden_from == "sim"
        assert np.array_equal(session.infer(x), program.simulate(x))


def test_sessions_leave_nothing_behind(shared, program, x):
    """Descriptors, threads and memory files of the service do not grow with the sessions that it has seen."""

    def resources():
        pid = shared.process.pid
        maps = Path(f"/proc/{pid}/maps").read_text().count("/memfd:")
        return [len(list(Path(f"/proc/{pid}/{kind}").iterdir())) for kind in ("fd", "task")] + [maps]

    for round_ in range(30):
        with phl.reserve(shared.target, program) as session:
            session.infer(x[:2])
        if round_ == 5:
            before = resources()
    deadline = time.monotonic() + FOREVER
    while any(after > early + 1 for after, early in zip(resources(), before, strict=True)):
        assert time.monotonic() < deadline, (before, resources())
        time.sleep(0.05)


# ---- addresses


@pytest.mark.parametrize("target", ["qsc://127.0.0.1:1", "qsc://localhost:2/", "shm://photonlink-nobody", "qsc://:77"])
def test_nobody_there(target, program):
    with pytest.raises(TargetUnavailable) as absent:
        phl.reserve(target, program)
    assert absent.value.reason in (Unavailable.UNREACHABLE, Unavailable.UNKNOWN)


def test_something_else_listens_there(program):
    import http.server

    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "9")
            self.end_headers()
            self.wfile.write(b"[1, 2, 3]")

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with pytest.raises(phl.errors.ProtocolError):
            phl.reserve(f"qsc://127.0.0.1:{server.server_address[1]}", program)
        server.shutdown()
        thread.join()


def test_another_machine_or_user_is_named_before_anything_is_reserved(shared, program, monkeypatch):
    monkeypatch.setattr("photonlink.qsc.protocol.machine", lambda: "elsewhere")
    with pytest.raises(TargetUnavailable, match="another machine") as far:
        phl.reserve(shared.target, program)
    assert far.value.reason is Unavailable.UNSUPPORTED
    assert "shm" in str(far.value)
    monkeypatch.undo()
    monkeypatch.setattr("photonlink.qsc.protocol.user", lambda: 4_000_000)
    with pytest.raises(TargetUnavailable, match="another user"):
        phl.reserve(shared.target, program)
    assert ControlClient(shared.target).call("GET", "/usage")["total"]["sessions"] >= 0
    assert ControlClient(shared.target).call("GET", "/status")["session"] is None


def test_options_of_services_are_refused_elsewhere(program):
    with pytest.raises(ProgramError, match="wait and token"):
        phl.reserve("sim", program, token="x" * 20)
    with pytest.raises(ProgramError, match="threads"):
        phl.reserve("qsc://127.0.0.1:1", program, threads=2)
    names = [target.name for target in phl.targets() if target.available]
    assert "qsc://<host>:<port>" in names


# ---- ends

CLIENT = """
import sys
import numpy as np
import photonlink as phl
program = phl.Program.reservoir(6, 2, features=6, seed=7)
session = phl.reserve(sys.argv[1], program, shots=10, clock="realtime")
print("reserved", flush=True)
session.infer(np.ones((100_000, 6)) * np.arange(100_000)[:, None], timeout=600)
"""


def test_a_killed_client_frees_the_lock_and_the_next_is_served(shared, program, x):
    with subprocess.Popen([sys.executable, "-c", CLIENT, shared.target], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "reserved\n"
        number = ControlClient(shared.target).call("GET", "/status")["session"]["session"]
        executed(shared.target, number, 3)
        process.kill()
        process.wait(FOREVER)
        with phl.reserve(shared.target, program, wait=FOREVER) as session:
            assert np.array_equal(session.infer(x), program.simulate(x))
    lost = usage_of(shared.target, number)
    assert lost["end"] == "client lost"
    assert lost["tokens"] > 0


def test_a_killed_service_is_noticed_and_its_counts_are_exact(ledger, program, x):
    service = ServiceProcess(*ledger)
    session = phl.reserve(service.target, program, shots=10)
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
