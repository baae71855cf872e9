"""The link under load, kernels of users, and the main job. ``-k sanitizer`` is what compute-sanitizer runs."""

import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import photonlink as phl
from photonlink.cuda import _part
from photonlink.demo import data, device

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples").glob("0[456]_*.py"))


def test_a_million_echoes_from_many_blocks(program):
    """None is lost, doubled or torn: each answer is checked for its own number and contents, on the device."""
    with phl.reserve("sim", program, clock="none") as session:
        link = session.device_link(kernel_limit=60.0, slots=256)
        report = link.echo(callers=1024, calls=1000)
        session.check()
        assert session.usage.tokens == 0
    assert (report.answered, report.wrong, report.incomplete) == (1_024_000, 0, 0)
    assert len(report.latencies) == report.answered


@pytest.mark.parametrize("slots", [1, 2, 7])
def test_more_callers_than_slots(program, slots):
    with phl.reserve("sim", program, clock="none") as session:
        report = session.device_link(kernel_limit=60.0, slots=slots).echo(callers=300, calls=20)
    assert (report.answered, report.wrong, report.incomplete) == (6000, 0, 0)


def test_sanitizer_small_calls_of_every_kind(program, x):
    """Short on purpose: under compute-sanitizer everything takes a hundred times as long."""
    torch = pytest.importorskip("torch")
    features = torch.from_numpy(x[:40]).cuda()
    with phl.reserve("sim", program) as session:
        session.device_link(kernel_limit=30.0, slots=32)
        statuses = torch.zeros(40, dtype=torch.int32, device="cuda")
        y = session.infer(features, statuses=statuses)
        alone = session.infer(features[0].float())
        split = session.submit(features[:20]).collect()
        dropped = session.submit(features[:5])
        del dropped
        session.synchronize()
        assert session.device_link().echo(callers=8, calls=5).answered == 40
    expected = program.simulate(x[:40])
    np.testing.assert_allclose(y.cpu().numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(split.cpu().numpy(), expected[:20], rtol=1e-12)
    np.testing.assert_allclose(alone.cpu().numpy(), expected[0], atol=1e-6)


def test_bare_ping_pong_and_echo_are_measured(program):
    bare = _part.part().measure_ping_pong(0, 2000, 10.0)
    assert bare.rounds == 2000
    assert (np.asarray(bare.latencies_ns) > 0).all()
    with phl.reserve("sim", program, clock="none") as session:
        report = session.device_link().echo(1, 2000)
    assert report.answered == 2000
    assert (report.latencies > 0).all()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_kernels_of_users(path, tmp_path):
    """nvcc and NVRTC, one datapoint after the other, and a thousand steps of feedback in one launch."""
    if "nvcc" in path.read_text() and shutil.which("nvcc") is None:
        pytest.skip("nvcc is not on the PATH")
    pytest.importorskip("cupy")
    done = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, timeout=300, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_examples_with_kernels():
    assert len(EXAMPLES) == 3


def test_the_main_job_from_the_device(tmp_path):
    """Accuracies equal those of the host's job, since the features do."""
    for package in ("sklearn", "matplotlib", "tqdm"):
        pytest.importorskip(package)
    reports = {}
    for via in ("cpu", "cuda"):
        command = [sys.executable, "-m", "photonlink.cli", "demo", "--via", via, "--limit", "300", "--no-png", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path, check=True)
        reports[via] = json.loads(done.stdout)
    assert reports["cuda"]["gpu"]
    assert reports["cuda"]["tokens"] == reports["cpu"]["tokens"] == 300
    for cpu, cuda in zip(reports["cpu"]["table"], reports["cuda"]["table"], strict=True):
        assert cuda["accuracy"] == pytest.approx(cpu["accuracy"], abs=0.02), cpu["method"]


@pytest.mark.parametrize("framework", ["torch", "cupy"])
@pytest.mark.parametrize("images", [100, 64, 5])
def test_the_pass_of_the_main_job(framework, images):
    """Pixels to features by replays of a graph, without the packages that the rest of the job needs."""
    pytest.importorskip(framework)
    rng = np.random.default_rng(images)
    pixels, weights, shift = rng.random((images, 64)), rng.normal(size=(64, 8)), rng.normal(size=8)
    none = np.empty(0, np.int64)
    digits = data.Digits(pixels, pixels @ weights + shift, weights, shift, np.zeros(images, np.int64), none, none)
    program = phl.Program.reservoir(8, 2, features=8, seed=1)
    used = {"torch": device._Torch, "cupy": device._CuPy}[framework]()
    with phl.reserve("sim", program) as session:
        features, latency = device.through_the_device(used, digits, session, "", lambda rows, _label: rows)
        assert session.usage.tokens == images
        assert (device.echo_latency(session, 500) > 0).all()
    # The device's matrix product rounds differently.
    np.testing.assert_allclose(features, program.simulate(digits.phases), rtol=0, atol=1e-9)
    assert latency.shape == (images,)
    assert (latency > 0).all()
    assert used.name()


def test_the_package_needs_no_perceval():
    """This process may have it; a fresh one is told that it has not."""
    code = (
        "import sys; sys.modules['perceval'] = None\n"
        "import numpy as np, photonlink as phl, torch\n"
        "program = phl.Program.reservoir(4, 2, features=4)\n"
        "with phl.reserve('sim', program) as session:\n"
        "    y = session.infer(torch.zeros(3, 4, device='cuda'))\n"
        "    session.synchronize()\n"
        "assert np.allclose(y.cpu(), program.simulate(np.zeros((3, 4))))\n"
    )
    pytest.importorskip("torch")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_the_feedback_loop_of_the_example_locks_on_the_host():
    example = runpy.run_path(str(EXAMPLES[2]), run_name="not main")
    with phl.reserve("sim", example["program"]) as session:
        trace = example["on_the_host"](session)
    assert np.abs(trace[50:] - 0.5).max() < 0.1
