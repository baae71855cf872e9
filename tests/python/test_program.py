"""What makes a program the same: its digest, equality and copies."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from photonlink.builder import haar_unitary
from photonlink.program import Program
from programs import exact_program, variants


def test_digest_is_pinned():
    assert exact_program().digest == "24bdd6cdd6bf24a919b57775f42cbdc3cbf4f3372afe1a0a0c8cf38ea7566bef"


def test_digest_of_a_reservoir_is_pinned():
    """Neither LAPACK nor fused arithmetic takes part in a Haar unitary: this holds on every platform."""
    assert (
        Program.reservoir(6, 2, 4, seed=7).digest == "b98fbeb49c0fbcbea54ee33457c9d3b60145a0055ac9179fb72c4bb7c77773c9"
    )


def test_digest_is_the_same_in_another_process():
    code = "from photonlink.program import Program; print(Program.reservoir(9, 3, 5, seed=3, scale=0.7).digest)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert out.stdout.strip() == Program.reservoir(9, 3, 5, seed=3, scale=0.7).digest


def test_everything_that_changes_a_result_changes_the_digest():
    programs = list(variants())
    assert len({program.digest for program in programs}) == len(programs)
    assert len(set(programs)) == len(programs)


def test_negative_zero_is_the_same_program():
    plus = Program.layered(2, [1, 0]).interferometer([[1, 0], [0, 1]]).phases([0], offset=0.0).build()
    minus = Program.layered(2, [1, 0]).interferometer([[1, -0.0], [-0.0, 1]]).phases([0], offset=-0.0).build()
    assert plus == minus


def test_programs_cannot_be_changed():
    program = Program.reservoir(4, 2, 3, seed=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        program.modes = 5
    for array in (program.interferometers, program.phase_modes, program.encoding.term_weight):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    unitary = haar_unitary(3, 0)
    built = Program.layered(3, [1, 0, 0]).interferometer(unitary).build()
    digest = built.digest
    unitary[:] = 0
    assert dataclasses.replace(built).digest == digest
