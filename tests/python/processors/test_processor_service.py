"""A controller service that owns another processor than the native simulator."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import photonlink as phl
from photonlink.errors import ProgramError
from photonlink.qsc.client import ControlClient
from photonlink.qsc.launching import ServiceProcess

HERE = str(Path(__file__).parent)


@pytest.fixture(scope="module")
def chip(tmp_path_factory):
    ledger = tmp_path_factory.mktemp("ledger") / "l.sqlite"
    with ServiceProcess("--ledger", str(ledger), "--processor", "perceval:belenos") as service:
        yield service


@pytest.mark.parametrize("transport", ["shm", "udp"])
def test_sessions_on_a_service_with_perceval(chip, program, x, transport):
    with phl.reserve(chip.target, program, transport=transport) as session:
        y = session.infer(x[:3])
        assert (session.info.processor, session.info.preset) == ("perceval:belenos", "belenos")
        assert session.info.simulated
        executed = session.program
    assert executed.digest == program.replace(noise=phl.Noise.preset("belenos"), detectors="threshold").digest
    np.testing.assert_allclose(y, executed.simulate(x[:3]), atol=1e-9)
    with phl.reserve(chip.target, program, shots=30, seed=3, transport=transport) as session:
        y = session.infer(x[:2])
        assert session.info.sampler == "inverse_cdf"
    np.testing.assert_allclose(y, executed.simulate(x[:2], shots=30, seed=3), atol=1e-12)


def test_the_status_says_what_it_is(chip):
    status = ControlClient(chip.target).call("GET", "/status")
    assert (status["processor"], status["simulated"]) == ("perceval:belenos", True)
    assert status["datapoint_timeout_seconds"] == 600


def test_a_program_with_other_noise_is_refused(chip, program):
    with pytest.raises(ProgramError, match="noise of its own"):
        phl.reserve(chip.target, program.replace(noise=phl.Noise(transmittance=0.5)))


def test_a_driver_from_a_module(tmp_path):
    one = phl.Program.reservoir(4, 1, features=4)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([HERE, os.environ.get("PYTHONPATH", "")])}
    ledger = str(tmp_path / "l.sqlite")
    with ServiceProcess("--ledger", ledger, "--processor", "drivers:lab", env=environment) as service:
        with phl.reserve(service.target, one, shots=1000, seed=1) as session:
            y = session.infer(np.ones(4))
            assert session.info.processor == "one-photon-chip"
            assert not session.info.simulated
        with pytest.raises(ProgramError, match="no exact results"):
            phl.reserve(service.target, one)
        assert service.stop() == 0
    assert abs(y - one.simulate(np.ones(4))).max() < 0.1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("perceval:lucy", "none of perceval:slos"),
        ("quantum", "unknown processor"),
        ("os:getcwd", "expected a photonlink.processors.Processor"),
        ("quandela:qpu:belenos", "PCVL_CLOUD_TOKEN"),
    ],
)
def test_processors_that_cannot_be_had_are_named(tmp_path, name, words):
    command = [sys.executable, "-m", "photonlink.cli", "qsc", "serve", "--port", "0", "--processor", name]
    environment = {key: value for key, value in os.environ.items() if key != "PCVL_CLOUD_TOKEN"}
    done = subprocess.run(
        [*command, "--ledger", str(tmp_path / "l.sqlite")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr
