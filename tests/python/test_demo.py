"""The main job from the command line, reduced."""

import json
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")
pytest.importorskip("tqdm")

import photonlink as phl
from photonlink.cli import main
from photonlink.demo import data, readout
from photonlink.demo.job import run


@pytest.fixture(scope="module")
def result():
    return run(modes=8, photons=2, shots=200, seed=3, limit=300)


def test_the_table_compares_the_same_split(result):
    methods = [row.method for row in result.table]
    assert len(methods) == 5
    assert {len(row.correct) for row in result.table} == {90}
    assert result.table[-1].method == "pixels alone"
    # 28 = (8 choose 2) unbunched states; Fourier features get the same width.
    assert [row.features for row in result.table] == [28, 28, 28, 28, 0]


def test_it_reads_digits(result):
    # Ten classes: chance is 10 %. A linear readout on pixels of 210 training images is far above it.
    assert result.baseline.accuracy > 0.7
    assert result.main.accuracy > 0.7


def test_every_image_is_one_token_and_thirty_milliseconds(result):
    assert result.tokens == 300
    # article preset: 20 ms phase update + 200 samples at 100 kHz.
    assert result.quantum_seconds == pytest.approx(300 * (20e-3 + 200 / 100e3), rel=1e-9)
    assert result.simulated
    assert result.clock == "virtual"


def test_exact_probabilities_take_no_quantum_time():
    report = run(modes=6, photons=2, shots=None, seed=3, limit=100).as_json()
    assert report["quantum_seconds"] is None
    assert report["shots"] is None
    assert report["tokens"] == 100


def test_a_seed_gives_the_same_result(result):
    again = run(modes=8, photons=2, shots=200, seed=3, limit=300)
    for first, second in zip(result.table, again.table, strict=True):
        assert np.array_equal(first.predicted, second.predicted)


def test_scaling_never_sees_the_test_images():
    digits = data.load(8, seed=3, limit=300)
    assert np.abs(digits.phases[digits.train]).max() == pytest.approx(data.PHASE_RANGE)
    assert set(digits.train).isdisjoint(digits.test)
    assert len(digits.train) + len(digits.test) == 300


def test_paired_difference_of_equal_scores_is_zero():
    digits = data.load(8, seed=3, limit=300)
    same = readout.score(digits, "pixels", None)
    assert readout.paired_difference(same, same) == (0.0, 0.0)


def test_command_prints_one_json_object_and_a_picture(tmp_path, capsys):
    picture = tmp_path / "demo.png"
    arguments = ["demo", "--limit", "100", "--modes", "6", "--photons", "2", "--json", "--png", str(picture)]
    assert main(arguments) == 0
    report = json.loads(capsys.readouterr().out)
    assert picture.read_bytes().startswith(b"\x89PNG")
    expected = {"accuracy", "baseline_accuracy", "table", "tokens", "quantum_seconds", "latency_us", "clock"}
    assert expected | {"simulated", "target", "chip"} <= report.keys()
    assert {"p50", "p99", "max"} <= report["latency_us"].keys()
    assert report["latency_us"]["p50"] <= report["latency_us"]["p99"] <= report["latency_us"]["max"]


def test_report_labels_what_is_simulated_and_published(capsys):
    assert main(["demo", "--limit", "100", "--modes", "6", "--photons", "2", "--no-png"]) == 0
    text = capsys.readouterr().out
    assert "simulated" in text
    assert "published" in text
    assert "no quantum benefit is claimed" in text


def test_a_program_that_fits_no_chip_says_so(capsys):
    assert main(["demo", "--limit", "100", "--modes", "26", "--photons", "2", "--no-png"]) == 0
    assert "hypothetical chip" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--photons", "0"], "photon"),
        (["--shots", "-5"], "-5"),
        (["--target", "nowhere"], "nowhere"),
        (["--modes", "4", "--photons", "9"], "photons"),
    ],
)
def test_bad_arguments_end_with_a_typed_error(arguments, named, capsys):
    assert main(["demo", "--limit", "100", "--no-png", *arguments]) == 1
    assert named in capsys.readouterr().err


def test_without_a_device_the_demo_says_why(capsys):
    usable, reason, _ = phl.cuda.available()
    if usable:
        pytest.skip("there is a device: tests/gpu runs the demo on it")
    assert main(["demo", "--via", "cuda", "--limit", "100", "--no-png"]) == 1
    shown = capsys.readouterr()
    assert shown.err.startswith("photonlink: TargetUnavailable: ")
    assert {"not built": "no CUDA part", "no driver": "driver"}.get(reason.value, "device") in shown.err
    assert shown.out == ""


def test_the_report_names_link_and_caller(result):
    report = result.as_json()
    assert (report["link"], report["gpu"]) == ("in-process", None)


def test_phases_are_an_affine_map_of_pixels():
    """What a device computes itself."""
    digits = data.load(8, seed=3, limit=300)
    np.testing.assert_allclose(digits.pixels @ digits.weights + digits.shift, digits.phases, rtol=0, atol=1e-12)


def test_interrupt_releases_the_session_and_says_so():
    # A real SIGINT at the twentieth image, whatever the speed of the machine.
    code = """
import os, signal, sys
import numpy as np
import photonlink as phl
from photonlink import cli
from photonlink.demo import command

def interrupted(rows, label):
    for number, row in enumerate(rows):
        if number == 20:
            os.kill(os.getpid(), signal.SIGINT)
        yield row

command._progress = interrupted
code = cli.main(["demo", "--no-png"])
with phl.reserve("sim", phl.Program.reservoir(modes=2, photons=1, features=2)) as session:
    print("free again" if session.infer(np.zeros(2)).sum() > 0 else "")
sys.exit(code)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 130, done.stderr
    assert "interrupted" in done.stderr
    assert "free again" in done.stdout
