"""The pytest plugin, used the way users' own projects use it: in a pytest run of its own."""

import os
import subprocess
import sys

import pytest

import photonlink as phl
from photonlink.errors import LinkClosed, LinkTimeout, ProgramError, SessionBusy

HEADER = """
import numpy as np
import pytest
import photonlink as phl

program = phl.Program.reservoir(modes=4, photons=2, features=4, seed=1)
x = np.ones((5, 4))
"""


def run_pytest(tmp_path, code, *options, **variables):
    path = tmp_path / "test_user.py"
    path.write_text(HEADER + code)
    environment = {name: value for name, value in os.environ.items() if name != "PHOTONLINK_TARGET"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, str(path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=tmp_path,
        env={**environment, **variables},
    )


def test_sessions_are_reserved_side_by_side_and_closed(tmp_path):
    done = run_pytest(
        tmp_path,
        """
kept = []

def test_two(photonlink_session):
    a, b = photonlink_session(program), photonlink_session(program, shots=20, seed=3)
    assert np.array_equal(a.infer(x), program.simulate(x))
    assert np.array_equal(b.infer(x), program.simulate(x, shots=20, seed=3))
    kept.extend([a, b])

def test_closed():
    assert [session.closed for session in kept] == [True, True]
""",
    )
    assert "2 passed" in done.stdout, done.stdout


def test_an_option_or_a_variable_moves_the_suite_to_another_target(tmp_path):
    code = """
def test_direct():
    with phl.reserve("sim", program) as session:
        session.infer(x)

def test_fixture(photonlink_session):
    photonlink_session(program).infer(x)
"""
    for options, variables in ((["--photonlink-target", "elsewhere"], {}), ([], {"PHOTONLINK_TARGET": "elsewhere"})):
        done = run_pytest(tmp_path, code, *options, **variables)
        assert "2 failed" in done.stdout, done.stdout
        assert "unknown target 'elsewhere'" in done.stdout
    done = run_pytest(tmp_path, code, "--photonlink-target", "sim")
    assert "2 passed" in done.stdout, done.stdout


def test_what_a_test_leaves_behind_fails_it(tmp_path):
    done = run_pytest(
        tmp_path,
        """
import os, socket, threading
kept = []

@pytest.fixture(autouse=True)
def leaks(photonlink_leak_check):
    pass

def test_thread():
    kept.append(threading.Event())
    threading.Thread(target=kept[-1].wait, daemon=True).start()

def test_socket():
    kept.append(socket.socket())

def test_memory_file():
    kept.append(os.memfd_create("left"))

def test_session():
    kept.append(phl.reserve("sim", program))

def test_tidy():
    with phl.reserve("sim", program, controller=None) as session:
        session.infer_async(x).result()
""".replace('phl.reserve("sim", program, controller=None)', 'phl.reserve("sim", program, controller=phl.Controller())'),
    )
    assert "1 passed" not in done.stdout
    for left in ("thread", "socket:", "memfd:left"):
        assert left in done.stdout
    assert done.stdout.count("left behind by the test") >= 4


def test_the_plugin_imports_nothing_heavy():
    code = (
        "import sys\n"
        "import photonlink.testing\n"
        "heavy = {'numpy', 'perceval', 'photonlink._core', 'photonlink.session'}\n"
        "sys.exit(' '.join(sorted(heavy & set(sys.modules))) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# ---- injected faults, here


def test_fault_busy(program, photonlink_faulty):
    controller = photonlink_faulty("busy")
    with pytest.raises(SessionBusy):
        phl.reserve("sim", program)
    with pytest.raises(SessionBusy):
        phl.reserve("sim", program, controller=controller)


@pytest.mark.parametrize(("fault", "error"), [("timeout", LinkTimeout), ("dead", LinkClosed)])
@pytest.mark.parametrize("at", [0, 3])
def test_faults_start_at_their_datapoint(program, x, photonlink_faulty, fault, error, at):
    photonlink_faulty(fault, at)
    with phl.reserve("sim", program) as session:
        for row in range(at):
            session.infer(x[row])
        with pytest.raises(error):
            session.infer(x[at], timeout=0.2 if fault == "timeout" else None)
        assert session.usage.tokens == at


def test_faults_end_with_their_test(program, x):
    with phl.reserve("sim", program) as session:
        session.infer(x)


def test_unknown_faults_are_refused():
    with pytest.raises(ProgramError, match="fault is 'fire'"):
        phl.Controller(fault="fire")
