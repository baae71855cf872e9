"""A service whose wall clock jumps: it tells when a session began, and nothing else hangs on it."""

import os
import shutil
import struct
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from service_calls import FOREVER, idle, session_number, usage_of

import photonlink as phl
from photonlink.qsc.launching import ServiceProcess

DAY = 86_400
X = np.random.default_rng(3).uniform(0, 2 * np.pi, (12, 6))


@pytest.fixture
def jumping(tmp_path, ledger):
    """A service, and what sets its wall clock wrong by some seconds."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        pytest.skip("no C compiler to build the clock with")
    library, offset = tmp_path / "jumping_clock.so", tmp_path / "offset"
    source = Path(__file__).with_name("jumping_clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-Wall", "-Werror", str(source), "-o", str(library)], check=True)

    def jump(seconds):
        with offset.open("r+b") as file:
            file.write(struct.pack("=q", int(seconds * 1e9)))

    offset.write_bytes(bytes(8))
    environment = os.environ | {"LD_PRELOAD": str(library), "JUMPING_CLOCK": str(offset)}
    with ServiceProcess(*ledger, env=environment) as service:
        yield service, jump


@pytest.mark.parametrize("transport", ["shm", "udp"])
def test_a_session_goes_on_whatever_the_wall_clock_says(jumping, transport):
    service, jump = jumping
    program = phl.Program.reservoir(6, 2, features=6, seed=7)
    options = {"shots": 20, "seed": 5, "clock": "realtime", "transport": transport, "idle_timeout": FOREVER}
    with phl.reserve("sim", program, shots=20, seed=5) as session:
        expected = session.infer(X)
    began = time.time(), time.monotonic()
    with phl.reserve(service.target, program, **options) as session:
        got = [session.infer(X[:4])]
        for rows, seconds in ((X[4:8], 300 * DAY), (X[8:], -300 * DAY)):
            jump(seconds)
            got.append(session.infer(rows))
        number = session_number(session)
    elapsed = time.monotonic() - began[1]
    np.testing.assert_array_equal(np.concatenate(got), expected)
    used = usage_of(service.target, number)
    assert (used["end"], used["tokens"]) == ("released", len(X))
    assert used["quantum_ns"] * 1e-9 <= used["wall_ns"] * 1e-9 <= elapsed
    assert abs(used["started_unix_ns"] * 1e-9 - began[0]) < FOREVER + elapsed


def test_sessions_of_a_past_that_was_yet_to_come_keep_their_order(jumping):
    """The ledger's order is that of the numbers; an idle session ends by the time that passed."""
    service, jump = jumping
    program = phl.Program.reservoir(6, 2, features=6, seed=7)
    numbers = []
    for seconds in (300 * DAY, -300 * DAY):
        jump(seconds)
        with phl.reserve(service.target, program) as session:
            session.infer(X)
            numbers.append(session_number(session))
    assert numbers[1] == numbers[0] + 1
    began = [usage_of(service.target, number)["started_unix_ns"] * 1e-9 - time.time() for number in numbers]
    np.testing.assert_allclose(began, [300 * DAY, -300 * DAY], atol=2 * FOREVER)
    session = phl.reserve(service.target, program, idle_timeout=4.0)
    session.infer(X)
    jump(300 * DAY)
    session.infer(X)  # hardly any time has passed
    idle(service.target)
    assert usage_of(service.target, session_number(session))["end"] == "idle timeout"
    session.close()
