"""Every example runs alone on the simulated target, and so does the README's."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _run(arguments, cwd):
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=120, cwd=cwd, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("[0-9]*.py")), ids=lambda path: path.stem)
def test_example(path, tmp_path):
    assert _run([str(path)], tmp_path).strip()


def test_readme_examples(tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert blocks, "README.md shows no Python"
    for number, block in enumerate(blocks):
        if "def test_" in block:
            path = tmp_path / f"test_readme_{number}.py"
            path.write_text(block)
            _run(["-m", "pytest", "-q", "-p", "no:cacheprovider", str(path)], tmp_path)
        else:
            path = tmp_path / f"readme_{number}.py"
            path.write_text(block)
            _run([str(path)], tmp_path)
