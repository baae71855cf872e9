"""The benchmark of photonic kernels: it refuses to time what does not agree, and says who was faster."""

import runpy
from pathlib import Path

import cudaq
import pytest

from photonlink.cudaq import fock
from photonlink.errors import PhotonLinkError

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "cudaq" / "fock.py"


@pytest.fixture
def benchmark():
    yield runpy.run_path(str(SCRIPT), run_name="not main")
    cudaq.reset_target()


@pytest.mark.parametrize(("kind", "method"), [("linear", "linear_optics"), ("mixed", "state_vector")])
def test_a_case(benchmark, kind, method):
    case = benchmark["measure"]((kind, 4, 2), beside=True, rounds=2)
    assert (case.method, case.amplitudes) == (method, 81.0)
    assert case.ratio > 0
    alone = benchmark["measure"]((kind, 6, 2), beside=False, rounds=1)
    assert (alone.theirs_s, alone.ratio) == (None, None)
    assert "not run" in benchmark["table"]([case, alone])


def test_nothing_is_timed_without_agreement(benchmark, monkeypatch):
    monkeypatch.setattr(fock, "distribution", lambda *_: {"0000": 1.0})
    with pytest.raises(PhotonLinkError, match="nothing was timed"):
        benchmark["measure"](("linear", 4, 2), beside=True, rounds=1)
