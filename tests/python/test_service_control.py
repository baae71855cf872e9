"""The control plane over plain HTTP: who is let in, in which order, and what is refused before any work is done."""

import asyncio
import contextlib
import http.client
import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

import photonlink as phl
from photonlink.cli import main
from photonlink.errors import (
    LedgerError,
    ProgramError,
    ServiceError,
    SessionBusy,
    SessionClosed,
    TargetUnavailable,
    Unavailable,
)
from photonlink.qsc.client import ControlClient
from photonlink.qsc.config import ServiceConfig
from photonlink.qsc.launching import ServiceProcess

TOKEN = "correct-horse-battery-staple"
FOREVER = 60.0


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One service for the tests that leave it as they found it."""
    with ServiceProcess("--ledger", str(tmp_path_factory.mktemp("ledger") / "l.sqlite")) as service:
        yield service


@pytest.fixture
def client(shared):
    return ControlClient(shared.target)


@pytest.fixture
def ledger(tmp_path):
    return ["--ledger", str(tmp_path / "ledger.sqlite")]


def post(client, program, **query):
    return client.call("POST", "/sessions", query=query, body=program.to_bytes())


def end(client, grant):
    return client.call("DELETE", f"/sessions/{grant['session']}", lease=grant["lease"])


def raw(service, method, path, body=None, headers=None):
    host, port = service.target.removeprefix("qsc://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=FOREVER)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


# ---- what it says


def test_health_status_and_openapi(shared, client):
    assert raw(shared, "GET", "/v1/health")[2] == b'{"status":"ok"}'
    status = client.call("GET", "/status")
    assert status["processor"] == "native-slos"
    assert status["simulated"] is True
    assert status["session"] is None
    assert status["version"] == phl.__version__
    document = json.loads(raw(shared, "GET", "/v1/openapi.json")[2])
    assert document["openapi"].startswith("3.")
    assert {
        "/v1/sessions",
        "/v1/sessions/{session}",
        "/v1/sessions/{session}/renew",
        "/v1/usage",
        "/v1/status",
        "/v1/health",
        "/v1/metrics",
        "/v1/maintenance",
        "/v1/drain",
        "/v1/stop",
    } == set(document["paths"])
    body = document["paths"]["/v1/sessions"]["post"]["requestBody"]
    assert "application/vnd.photonlink.program" in body["content"]


def test_metrics_are_prometheus_text_and_follow_the_ledger(client, shared, program):
    def numbers():
        code, headers, text = raw(shared, "GET", "/v1/metrics")
        assert code == 200
        assert headers["content-type"].startswith("text/plain")
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text.decode())
            for sample in family.samples
        }

    before = numbers()
    with phl.reserve(shared.target, program, shots=10) as session:
        session.infer(np.zeros((3, 6)))
        assert numbers()["photonlink_qsc_session_running",] == 1
        assert numbers()["photonlink_qsc_state", "serving"] == 1
        with pytest.raises(SessionBusy):
            post(client, program)
    after = numbers()
    change = {name: after[name] - before[name] for name in after}
    assert change["photonlink_qsc_tokens_total",] == 3
    assert change["photonlink_qsc_shots_total",] == 30
    assert change["photonlink_qsc_sessions_total",] == 1
    assert change["photonlink_qsc_reservations_total", "granted"] == 1
    assert change["photonlink_qsc_reservations_total", "busy"] == 1
    assert after["photonlink_qsc_session_running",] == 0


def test_unknown_paths_and_queries_are_typed_errors(shared, client, program):
    assert raw(shared, "GET", "/v1/nonsense")[0] == 404
    assert raw(shared, "PUT", "/v1/sessions")[0] == 405
    with pytest.raises(ProgramError, match="shoots"):
        post(client, program, shoots=3)
    with pytest.raises(ProgramError, match="seed"):
        post(client, program, seed=2**64)
    with pytest.raises(ProgramError, match="clock"):
        post(client, program, clock="sundial")
    with pytest.raises(ProgramError, match="preset"):
        post(client, program, preset="nonsense")
    with pytest.raises(ProgramError, match="wait"):
        post(client, program, wait=1e6)
    assert client.call("GET", "/status")["session"] is None


# ---- the lock


def test_busy_says_when_to_retry_and_leases_are_secret(shared, client, program):
    grant = post(client, program, max_duration=50)
    code, headers, body = raw(shared, "POST", "/v1/sessions", program.to_bytes())
    assert code == 409
    assert 1 <= int(headers["retry-after"]) <= 50
    assert json.loads(body)["error"]["type"] == "SessionBusy"
    path = f"/sessions/{grant['session']}"
    for lease in ("guess", "\x7f" * 32, grant["lease"][:-1] + "x"):
        with pytest.raises((SessionClosed, ProgramError)):
            client.call("DELETE", path, lease=lease)
        with pytest.raises((SessionClosed, ProgramError)):
            client.call("POST", f"{path}/renew", lease=lease)
    with pytest.raises(ProgramError, match="Lease"):
        client.call("DELETE", path)
    assert client.call("POST", f"{path}/renew", lease=grant["lease"]) is None
    assert client.call("GET", path)["end"] is None
    assert end(client, grant)["end"] == "released"
    assert end(client, grant)["end"] == "released"  # may be repeated
    with pytest.raises(SessionClosed, match="ended"):
        client.call("POST", f"{path}/renew", lease=grant["lease"])
    with pytest.raises(SessionClosed, match="never was"):
        client.call("GET", "/sessions/123456789")


def test_the_queue_is_served_in_order_of_arrival(client, program):
    grant = post(client, program)
    order, threads = [], []

    def wait_and_leave(number):
        mine = post(client, program, wait=FOREVER)
        order.append(number)
        end(client, mine)

    for number in range(5):
        threads.append(threading.Thread(target=wait_and_leave, args=(number,)))
        threads[-1].start()
        deadline = time.monotonic() + FOREVER
        while client.call("GET", "/status")["waiting"] != number + 1:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    end(client, grant)
    for thread in threads:
        thread.join(FOREVER)
    assert order == [0, 1, 2, 3, 4]


def test_a_wait_is_bounded_and_a_client_that_left_the_queue_is_forgotten(shared, client, program):
    grant = post(client, program)
    with pytest.raises(SessionBusy, match=r"0\.2 s"):
        post(client, program, wait=0.2)
    host, port = shared.target.removeprefix("qsc://").split(":")
    data = program.to_bytes()
    with socket.create_connection((host, int(port)), timeout=FOREVER) as leaver:
        head = f"POST /v1/sessions?wait=50 HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n"
        leaver.sendall(head.encode() + data)
        deadline = time.monotonic() + FOREVER
        while client.call("GET", "/status")["waiting"] != 1:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    while client.call("GET", "/status")["waiting"] != 0:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    end(client, grant)
    end(client, post(client, program))


def test_a_full_queue_refuses(program, ledger):
    with ServiceProcess(*ledger, "--queue", "0") as service:
        client = ControlClient(service.target)
        grant = post(client, program)
        with pytest.raises(SessionBusy, match="places in its queue"):
            post(client, program, wait=5)
        end(client, grant)


def test_of_a_thousand_reservations_at_once_one_wins(shared, client, program):
    host, port = shared.target.removeprefix("qsc://").split(":")
    data = program.to_bytes()
    head = f"POST /v1/sessions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(data)}\r\n\r\n"

    async def attempt(gate):
        reader, writer = await asyncio.open_connection(host, int(port))
        await gate.wait()
        writer.write(head.encode() + data)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    async def storm():
        gate = asyncio.Event()
        attempts = [asyncio.create_task(attempt(gate)) for _ in range(1000)]
        await asyncio.sleep(0.5)
        gate.set()
        return await asyncio.wait_for(asyncio.gather(*attempts), FOREVER)

    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        answers = asyncio.run(storm())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    codes = [int(answer.split()[1]) for answer in answers]
    assert sorted(set(codes)) == [201, 409]
    assert codes.count(201) == 1
    winner = json.loads(answers[codes.index(201)].split(b"\r\n\r\n", 1)[1])
    assert client.call("GET", "/status")["session"]["session"] == winner["session"]
    end(client, winner)


def test_a_session_that_nobody_connects_to_is_released(ledger, program):
    with ServiceProcess(*ledger, "--idle-timeout", "0.5") as service:
        client = ControlClient(service.target)
        grant = post(client, program)
        assert grant["idle_timeout"] == 0.5
        later = post(client, program, wait=FOREVER)
        assert later["session"] == grant["session"] + 1
        assert client.call("GET", f"/sessions/{grant['session']}")["end"] == "idle timeout"
        end(client, later)


# ---- the operator


def test_maintenance_waits_for_the_session_and_shows(client, program):
    grant = post(client, program)
    assert client.call("POST", "/maintenance") == {"maintenance": "requested"}
    assert client.call("GET", "/status")["maintenance"] == "requested"
    with pytest.raises(SessionBusy):  # a calibration inside a session would be a lie
        client.call("DELETE", "/maintenance", query={"calibrated": True})
    assert client.call("GET", f"/sessions/{grant['session']}")["end"] is None
    end(client, grant)
    assert client.call("GET", "/status")["maintenance"] == "active"
    with pytest.raises(SessionBusy, match="maintenance"):
        post(client, program)
    old = client.call("GET", "/status")["calibration_age_seconds"]
    client.call("DELETE", "/maintenance", query={"calibrated": True})
    assert client.call("GET", "/status")["calibration_age_seconds"] < old
    end(client, post(client, program))


def test_draining_refuses_new_sessions_and_can_be_taken_back(client, shared, program, capsys):
    grant = post(client, program)
    assert main(["qsc", "drain", shared.target, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["session"]["session"] == grant["session"]
    assert main(["qsc", "drain", shared.target, "--wait", "0.2"]) == 1
    end(client, grant)
    with pytest.raises(SessionBusy, match="drained"):
        post(client, program)
    assert main(["qsc", "drain", shared.target, "--wait", "5"]) == 0
    assert main(["qsc", "drain", shared.target, "--off"]) == 0
    end(client, post(client, program))
    capsys.readouterr()
    assert main(["qsc", "status", shared.target]) == 0
    assert "native-slos" in capsys.readouterr().out
    assert main(["qsc", "usage", shared.target, "--json", "--limit", "1"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert len(report["sessions"]) == 1
    assert main(["qsc", "usage", shared.target, "--session", str(grant["session"])]) == 0
    assert "released" in capsys.readouterr().out


def test_stop_ends_it(ledger, capsys):
    with ServiceProcess(*ledger, "--name", f"photonlink-test-{os.getpid()}") as service:
        assert main(["qsc", "stop", f"shm://{service.name}", "--wait", "20"]) == 0
        assert "has ended" in capsys.readouterr().out
        assert service.process.wait(FOREVER) == 0
        assert main(["qsc", "status", service.target]) == 1
        assert "TargetUnavailable" in capsys.readouterr().err


# ---- tokens and addresses


def test_the_token_is_asked_for_and_never_shown(tmp_path, ledger, program, monkeypatch):
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    with ServiceProcess(*ledger, "--token-file", str(file), "--log-level", "debug") as service:
        assert raw(service, "GET", "/v1/health")[0] == 200
        for headers in ({}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": f"Basic {TOKEN}"}):
            for method, path in (("GET", "/v1/status"), ("GET", "/v1/metrics"), ("POST", "/v1/stop")):
                code, answered, body = raw(service, method, path, headers=headers)
                assert code == 401
                assert answered["www-authenticate"] == "Bearer"
                assert TOKEN.encode() not in body
        with pytest.raises(TargetUnavailable) as refused:
            phl.reserve(service.target, program)
        assert refused.value.reason is Unavailable.NO_TOKEN
        with phl.reserve(service.target, program, token=TOKEN) as session:
            session.infer(np.zeros((1, 6)))
        monkeypatch.setenv("PHOTONLINK_QSC_TOKEN", TOKEN)
        with phl.reserve(f"shm://{service.name}", program) as session:
            session.infer(np.zeros((1, 6)))
        assert main(["qsc", "status", service.target, "--token-file", str(file)]) == 0
        assert service.stop() == 0
        assert "POST /v1/sessions" in service.said()
        assert TOKEN not in service.said()
    assert TOKEN not in repr(ServiceConfig(ledger=tmp_path, token=TOKEN))


def test_web_pages_cannot_send_anything_to_a_service_without_token(shared):
    code, _, _ = raw(shared, "POST", "/v1/drain", headers={"Origin": "http://example.org"})
    assert code == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_addresses_beyond_this_machine_need_a_token(host, tmp_path):
    with pytest.raises(ServiceError, match="token"):
        ServiceConfig(ledger=tmp_path / "l", host=host)
    assert not ServiceConfig(ledger=tmp_path / "l", host=host, token=TOKEN).loopback


@pytest.mark.parametrize("content", [b"", b"short", b"two words that are long enough", b"\xff" * 40])
def test_bad_token_files_are_refused(content, tmp_path, capsys):
    file = tmp_path / "token"
    file.write_bytes(content)
    assert main(["qsc", "serve", "--token-file", str(file), "--ledger", str(tmp_path / "l")]) == 1
    assert "token file" in capsys.readouterr().err


def test_a_taken_port_name_or_ledger_is_a_typed_error(shared, tmp_path, capsys):
    port = shared.target.rsplit(":", 1)[1]
    assert main(["qsc", "serve", "--port", port, "--ledger", str(tmp_path / "l")]) == 1
    assert "--port" in capsys.readouterr().err
    assert main(["qsc", "serve", "--port", "0", "--name", shared.name, "--ledger", str(tmp_path / "l")]) == 1
    assert "--name" in capsys.readouterr().err
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    assert main(["qsc", "serve", "--port", "0", "--ledger", str(blocked / "l")]) == 1
    assert LedgerError.__name__ in capsys.readouterr().err


def test_a_disk_without_room_for_the_ledger_is_a_typed_error(tmp_path):
    limited = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "from photonlink.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    command = [sys.executable, "-c", limited, "qsc", "serve", "--port", "0", "--ledger", str(tmp_path / "l")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=FOREVER, check=False)
    assert done.returncode == 1
    assert "LedgerError" in done.stderr
    assert "no room" in done.stderr


def test_missing_packages_name_the_extra(capsys, monkeypatch):
    monkeypatch.setattr("photonlink.qsc.server._PACKAGES", ("uvicorn", "a_package_that_is_not_there"))
    assert main(["qsc", "serve"]) == 1
    message = capsys.readouterr().err
    assert "pip install 'photonlink[qsc]'" in message
    assert "a_package_that_is_not_there" in message


def test_the_ledger_folder_is_private(tmp_path):
    with ServiceProcess("--ledger", str(tmp_path / "new" / "l.sqlite")):
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


# ---- bombs


def large(modes, photons):
    return phl.Program.reservoir(modes, photons, features=1, seed=1, readout=phl.Readout.mode_expectations("fock"))


def test_programs_beyond_the_limits_are_refused_before_work(ledger, program):
    limits = ["--max-modes", "8", "--max-photons", "3", "--max-program-bytes", "20000"]
    with ServiceProcess(*ledger, *limits, "--memory-limit", "1000000") as service:
        client = ControlClient(service.target)
        with pytest.raises(ProgramError, match="9 modes"):
            post(client, large(9, 1))
        with pytest.raises(ProgramError, match="4 photons"):
            post(client, large(8, 4))
        assert raw(service, "POST", "/v1/sessions", bytes(20001))[0] == 413
        with pytest.raises(ProgramError, match="20000"):
            phl.reserve(service.target, large(40, 1))
        end(client, post(client, program))


def test_memory_bombs_are_refused_before_they_are_allocated(ledger):
    bomb = phl.Program.reservoir(24, 12, features=1, seed=1, readout=phl.Readout.probs(space="fock"))
    with ServiceProcess(*ledger, "--memory-limit", str(2**28)) as service:
        client = ControlClient(service.target)
        with pytest.raises(ProgramError, match=r"memory|bytes"):
            post(client, bomb)
        lines = Path(f"/proc/{service.process.pid}/status").read_text().splitlines()
        peak = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
        assert peak < 2**30
        assert client.call("GET", "/status")["state"] == "idle"


def test_endless_and_lying_bodies_are_refused(shared, client, program):
    host, port = shared.target.removeprefix("qsc://").split(":")
    limit = client.call("GET", "/status")["limits"]["program_bytes"]
    with socket.create_connection((host, int(port)), timeout=FOREVER) as stream:
        stream.sendall(b"POST /v1/sessions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = b"100000\r\n" + bytes(2**20) + b"\r\n"
        sent = 0
        with contextlib.suppress(OSError):  # reset or broken pipe
            while sent <= 16 * limit:
                stream.sendall(piece)
                sent += 2**20
        assert sent <= 16 * limit
    assert raw(shared, "POST", "/v1/sessions", b"", {"Content-Length": str(10**15)})[0] == 413
    end(client, post(client, program))


def test_damaged_programs_are_refused(client, program):
    import random

    chosen = random.Random(3)
    data = program.to_bytes()
    for _ in range(60):
        damaged = bytearray(data)
        for _ in range(chosen.randint(1, 8)):
            damaged[chosen.randrange(len(damaged))] = chosen.randrange(256)
        if bytes(damaged) == data:
            continue
        with pytest.raises(ProgramError):
            client.call("POST", "/sessions", body=bytes(damaged[: chosen.choice([len(data), len(data) - 1, 50])]))
    for junk in (b"", b"\0" * 100, b"\x80\x04\x95" + os.urandom(200)):
        with pytest.raises(ProgramError):
            client.call("POST", "/sessions", body=junk)
    assert client.call("GET", "/status")["session"] is None
