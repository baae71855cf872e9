"""What the page about kernels and reservoirs says runs, and so does the benchmark."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_runs(tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "learn.md").read_text(), flags=re.DOTALL)
    facts = "assert (kernel.settings(100), kernel.quantum_seconds(100)) == (4950, 149.5)\n"
    facts += "assert round(kernel.usage.quantum_seconds, 9) == 1.35\nassert observables.shape == (200, 66)\n"
    page = tmp_path / "page.py"
    page.write_text("\n".join([*blocks, facts]))
    done = subprocess.run([sys.executable, str(page)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_the_benchmark_runs(tmp_path):
    pytest.importorskip("merlin")
    report = tmp_path / "report.json"
    program = [str(ROOT / "benchmarks" / "learn" / "kernels.py"), "--sizes", "4,2", "--rows", "5", "--rounds", "1"]
    done = subprocess.run(
        [sys.executable, *program, "--json", str(report)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    cases = json.loads(report.read_text())["cases"]
    assert {case["who"] for case in cases} == {f"{who} float{n}" for who in ("photonlink", "merlin") for n in (32, 64)}
    assert all(case["difference"] < 1e-4 and case["ratio"] > 0 for case in cases)
