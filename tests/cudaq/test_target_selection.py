"""Selecting the target: by name, natively, back and forth; what is printed, and what is refused."""

import os
import subprocess
import sys
from pathlib import Path

import cudaq
import pytest
from cudaq import spin
from kernels import bell, deuteron

import photonlink as phl
from conftest import held
from photonlink.cudaq import registry
from photonlink.errors import ProgramError, TargetUnavailable, Unavailable

PROGRAM = """\
import cudaq
@cudaq.kernel
def bell():
    q = cudaq.qvector(2)
    h(q[0])
    x.ctrl(q[0], q[1])
    mz(q)
{before}
counts = cudaq.sample(bell, shots_count=10)
print(cudaq.get_target().name, counts.get_total_shots(), (counts.annotations or {{}}).get("method"))
"""


def _run(folder, *arguments, before="", **variables):
    path = Path(folder, "prog.py")
    path.write_text(PROGRAM.format(before=before))
    return subprocess.run(
        [sys.executable, "-W", "ignore", str(path), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | variables,
        check=False,
    )


def test_by_name_is_quiet(tmp_path):
    """Nothing but the program's own output: no log lines of CUDA-Q, none of Perceval's library either."""
    done = _run(tmp_path, before="import perceval; cudaq.set_target('photonlink')")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["photonlink 10 fock"]
    assert done.stderr == ""


def test_perceval_turns_no_messages_on(tmp_path):
    """Nor on other targets, as long as photonlink is installed."""
    done = _run(tmp_path, before="import perceval")
    assert done.stdout.splitlines() == ["qpp-cpu 10 None"]
    assert done.stderr == ""


@pytest.mark.parametrize("way", ["argument", "variable"])
def test_native_selection(way, tmp_path):
    """``--target`` and CUDAQ_DEFAULT_SIMULATOR do not pass through set_target, and must not simulate qubits."""
    if way == "argument":
        done = _run(tmp_path, "--target", "photonlink")
    else:
        done = _run(tmp_path, CUDAQ_DEFAULT_SIMULATOR="photonlink")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["photonlink 10 fock"]


def test_without_an_endpoint_nothing_runs(tmp_path):
    """Selected behind our back, the target fails with a text that names the fix."""
    done = _run(
        tmp_path,
        before="from cudaq.mlir._mlir_libs._quakeDialects import cudaq_runtime; cudaq_runtime.set_target('photonlink')",
    )
    assert done.returncode != 0
    assert "photonlink-endpoint-not-installed-call-cudaq.set_target" in done.stderr


def test_importing_prints_nothing(tmp_path):
    path = tmp_path / "prog.py"
    path.write_text("import cudaq, sys\nassert 'photonlink.cudaq.target' not in sys.modules\n")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.usefixtures("warmed_up")
def test_back_and_forth():
    def once():
        cudaq.set_target("photonlink")
        assert cudaq.get_target().name == "photonlink"
        assert cudaq.observe(deuteron, spin.z(0), 0.3).counts().annotations["method"] == "fock"
        cudaq.set_target("qpp-cpu")
        assert cudaq.observe(deuteron, spin.z(0), 0.3).counts().annotations is None

    once()
    before = held()
    for _ in range(100):
        once()
    assert held() == before
    cudaq.reset_target()


@pytest.mark.usefixtures("photonic")
def test_a_users_own_session_is_not_in_the_way():
    program = phl.Program.reservoir(4, 2, features=4)
    with phl.reserve("sim", program):
        assert cudaq.sample(bell, shots_count=10).get_total_shots() == 10
        with pytest.raises(phl.errors.SessionBusy):
            phl.reserve("sim", program)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"colour": "red"}, "no argument 'colour'; its arguments are qsc"),
        ({"option": "photonlink"}, "no argument 'option'"),
        ({"encoding": "single_rail"}, "expected 'dual_rail'"),
        ({"noise": 3}, "expected a photonlink.Noise"),
        ({"noise": "nowhere"}, "unknown preset 'nowhere'"),
        ({"detectors": None}, "expected 'pnr' or 'threshold'"),
        ({"precision": 64}, "expected 'float64' or 'float32'"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"seed": True}, "seed is True"),
        ({"method": "magic"}, "'fock'"),
        ({"clock": 1}, "'virtual'"),
        ({"preset": "nowhere"}, "unknown preset 'nowhere'"),
        ({"qsc": 5}, "'qsc' of target 'photonlink' is 5"),
    ],
)
def test_wrong_arguments(arguments, said):
    cudaq.set_target("qpp-cpu")
    with pytest.raises(ProgramError) as refused:
        cudaq.set_target("photonlink", **arguments)
    assert said in str(refused.value)
    for name in ("qsc", "encoding", "noise", "detectors", "method", "precision", "seed", "clock", "preset"):
        assert name in str(refused.value)
    assert cudaq.get_target().name == "qpp-cpu"  # nothing has changed


def test_unknown_controllers():
    with pytest.raises(TargetUnavailable) as refused:
        cudaq.set_target("photonlink", qsc="nowhere")
    assert refused.value.reason is Unavailable.UNKNOWN


@pytest.mark.usefixtures("photonic")
def test_a_target_object_selects_too():
    target = cudaq.get_target()
    cudaq.set_target("qpp-cpu")
    cudaq.set_target(target, precision="float32")
    assert cudaq.sample(bell, shots_count=10).annotations["method"] == "fock"


def test_other_versions_are_refused_in_one_line():
    chosen = []
    fake = type("cudaq", (), {"__version__": "CUDA-Q Version 0.17.1 (somewhere)", "set_target": chosen.append})
    registry._register(fake)
    fake.set_target("qpp-cpu")
    assert chosen == ["qpp-cpu"]
    with pytest.raises(TargetUnavailable) as refused:
        fake.set_target("photonlink")
    assert "0.16" in str(refused.value)
    assert "0.17.1" in str(refused.value)
    assert "\n" not in str(refused.value)
