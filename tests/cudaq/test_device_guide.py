"""The code of docs/device_calls.md runs, each piece as a program of its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "device_calls.md").read_text()
PIECES = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


def test_there_is_code():
    assert len(PIECES) == 2


@pytest.mark.parametrize("piece", PIECES, ids=["hybrid", "own functions"])
def test_it_runs(piece, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(piece)
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
