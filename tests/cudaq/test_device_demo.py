"""The main job with the photonic layer called from a CUDA-Q kernel."""

import json

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")
pytest.importorskip("tqdm")

from photonlink.cli import main
from photonlink.demo.job import run


def test_the_kernel_makes_the_same_table_as_the_cpu():
    options = {"modes": 6, "photons": 2, "shots": 200, "seed": 3, "limit": 150}
    kernel, cpu = run(via="cudaq", **options), run(via="cpu", **options)
    for ours, theirs in zip(kernel.table, cpu.table, strict=True):
        assert np.array_equal(ours.predicted, theirs.predicted)
    assert kernel.tokens == cpu.tokens == 150
    assert kernel.quantum_seconds == cpu.quantum_seconds


def test_the_command_says_who_called(capsys):
    arguments = ["demo", "--via", "cudaq", "--limit", "60", "--modes", "4", "--photons", "1", "--no-png"]
    assert main([*arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["caller"], report["gpu"], report["tokens"]) == ("a CUDA-Q kernel on qpp-cpu", None, 60)
    assert main(arguments) == 0
    assert "called from a CUDA-Q kernel on qpp-cpu" in capsys.readouterr().out
