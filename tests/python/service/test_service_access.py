"""Who is let in, and what is refused before any work is done."""

import contextlib
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from service_calls import FOREVER, TOKEN, end, post, raw

import photonlink as phl
from photonlink.cli import main
from photonlink.errors import (
    LedgerError,
    ProgramError,
    ServiceError,
    TargetUnavailable,
    Unavailable,
)
from photonlink.qsc.client import ControlClient
from photonlink.qsc.config import ServiceConfig
from photonlink.qsc.launching import ServiceProcess

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


@pytest.mark.parametrize("option", ["port", "slots", "queue", "memory_limit", "drain"])
def test_numbers_that_make_no_sense_are_refused(option, tmp_path, capsys):
    command = ["qsc", "serve", f"--{option.replace('_', '-')}=-1", "--ledger", str(tmp_path / "l")]
    assert main(command) == 1
    assert f"{option} is -1" in capsys.readouterr().err


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
