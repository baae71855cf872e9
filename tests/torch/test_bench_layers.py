"""``photonlink bench torch``: agreement comes before timing, and the report holds what the table shows."""

import json

import pytest
import torch

from photonlink.bench import layers
from photonlink.cli import main
from photonlink.errors import PhotonLinkError


@pytest.fixture
def brief(monkeypatch):
    monkeypatch.setattr(layers, "SIZES", ((4, 2, 3),))
    monkeypatch.setattr(layers, "ROUNDS", 2)
    monkeypatch.setattr(layers, "BLOCK_SECONDS", 1e-6)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("brief")
def test_report(capsys):
    assert main(["bench", "torch", "--threads", "1", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {(c["direction"], c["who"]) for c in report["cases"]} == {
        ("forward", "photonlink"),
        ("forward", "merlin"),
        ("forward", "core alone"),
        ("forward+backward", "photonlink"),
        ("forward+backward", "merlin"),
    }
    assert all(c["ratio"] == 1 for c in report["cases"] if c["who"] == "photonlink")
    assert all(c["microseconds"] > 0 for c in report["cases"])
    assert report["simulated"] is True
    assert "simulated" in layers.render(report)


@pytest.mark.usefixtures("brief")
def test_nothing_is_timed_that_differs(monkeypatch):
    monkeypatch.setattr(layers, "AGREEMENT", 1e-12)  # beyond single precision
    with pytest.raises(PhotonLinkError, match="nothing was timed"):
        layers.run(layers.SIZES, threads=1)
