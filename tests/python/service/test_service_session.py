"""Sessions on a controller service: results and errors as in process."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from service_calls import FOREVER, idle, session_number, usage_of

import photonlink as phl
from photonlink.errors import (
    ProgramError,
    SessionBusy,
    SessionClosed,
    TargetUnavailable,
    Unavailable,
)
from photonlink.qsc.client import ControlClient
from photonlink.qsc.launching import ServiceProcess

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
        with phl.reserve(service.target, program, shots=5, idle_timeout=100, max_duration=40) as session:
            assert (session.slots, session.info.clock, session.info.preset) == (4, "none", "belenos")
            assert (session._options.idle_timeout_s, session._options.max_duration_s) == (7.0, 40.0)
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
    with phl.reserve(shared.target, program, max_duration=2) as session:
        session.infer(x)
        idle(shared.target)
        with pytest.raises(SessionClosed, match="maximum duration"):
            session.infer(x)


def test_an_idle_session_is_released(shared, program, x):
    with phl.reserve(shared.target, program, idle_timeout=2) as session:
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
        phl.reserve(shared.target, program, transport="shm")
    assert ControlClient(shared.target).call("GET", "/usage")["total"]["sessions"] >= 0
    assert ControlClient(shared.target).call("GET", "/status")["session"] is None


def test_options_of_services_are_refused_elsewhere(program):
    with pytest.raises(ProgramError, match="wait and token"):
        phl.reserve("sim", program, token="x" * 20)
    with pytest.raises(ProgramError, match="threads"):
        phl.reserve("qsc://127.0.0.1:1", program, threads=2)
    names = [target.name for target in phl.targets() if target.available]
    assert "qsc://<host>:<port>" in names
