"""The control plane over plain HTTP: what it says, and what its operator may ask of it."""

import json
import os

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from service_calls import FOREVER, end, post, raw

import photonlink as phl
from photonlink.cli import main
from photonlink.errors import (
    ProgramError,
    SessionBusy,
)
from photonlink.qsc.client import ControlClient
from photonlink.qsc.launching import ServiceProcess

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
        assert ControlClient(service.target).call("GET", "/status")["last_end"] is None  # no session has ended yet
        assert main(["qsc", "stop", f"shm://{service.name}", "--wait", "20"]) == 0
        assert "has ended" in capsys.readouterr().out
        assert service.process.wait(FOREVER) == 0
        assert main(["qsc", "status", service.target]) == 1
        assert "TargetUnavailable" in capsys.readouterr().err
