"""``benchmarks/merlin/inference.py``: agreement comes before timing, and the report holds what the table shows."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "merlin" / "inference.py"


def test_report(tmp_path):
    report = tmp_path / "report.json"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--sizes", "4,2", "--rows", "2", "--rounds", "1", "--json", str(report)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (case,) = json.loads(report.read_text())["cases"]
    assert set(case["microseconds"]) == set(case["largest_difference"])
    assert len(case["microseconds"]) == 5
    assert set(case["processor_time_ratios"]) < set(case["microseconds"])
    assert all(min(elapsed, processor) > 0 for elapsed, processor in case["microseconds"].values())
    assert max(case["largest_difference"].values()) < 1e-6
    assert all(who in done.stdout for who in case["microseconds"])


def test_nothing_is_timed_that_differs():
    script = runpy.run_path(str(SCRIPT), run_name="not main")
    made = {"MerLin layer": lambda x: x, "other": lambda x: x + 1e-3}
    with pytest.raises(SystemExit, match="nothing was timed"):
        script["differences"](made, torch.zeros(2))
