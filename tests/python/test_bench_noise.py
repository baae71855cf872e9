"""``photonlink bench noise`` at a small size: agreement is checked, everybody timed, and a disagreement refused."""

from __future__ import annotations

import pytest

from photonlink.bench import noise
from photonlink.errors import PhotonLinkError


def test_everybody_is_timed_beside_ours():
    pytest.importorskip("perceval")
    report = noise.run(((4, 2),), (1, 4), threads=1)
    expected = {"photonlink", noise.DERIVATIVES, *noise.PRECISIONS}
    for setting in noise.SETTINGS:
        for batch in (1, 4):
            cases = [c for c in report["cases"] if (c["setting"], c["batch"]) == (setting, batch)]
            assert {c["who"] for c in cases} == expected
            assert all(c["microseconds"] > 0 and c["rows_timed"] >= 1 for c in cases)
    text = noise.render(report)
    assert all(who in text for who in expected)
    assert "simulated" in text


def test_what_differs_is_not_timed():
    with pytest.raises(PhotonLinkError, match=r"differs from photonlink by 1\.00e-01 .*nothing was timed"):
        noise._check_agreement("perceval Processor", {(1, 0): 0.4, (0, 1): 0.6}, {(1, 0): 0.5, (0, 1): 0.5})
    with pytest.raises(PhotonLinkError, match="nothing was timed"):
        noise._check_agreement("perceval Processor", {(1, 0): 0.5, (2, 0): 0.5}, {(1, 0): 0.5})
