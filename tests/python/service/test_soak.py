"""The soak at a size that takes no time: every token is counted, and whatever is wrong is found."""

import json

import numpy as np
import pytest

import photonlink as phl
from photonlink.bench import soak
from photonlink.cli import main
from photonlink.errors import PhotonLinkError, ProgramError

INFERENCES = 1000


@pytest.fixture(scope="module")
def report():
    return soak.run(INFERENCES, INFERENCES, loss=0.05, sessions=3, seed=5)


def test_no_token_is_lost_or_double(report):
    assert report["sound"] is True
    assert [each["transport"] for each in report["passes"]] == ["shm", "udp"]
    for each in report["passes"]:
        assert set(each["tokens"].values()) == {INFERENCES}
        assert each["lost_or_double_tokens"] == 0
        assert each["sessions"] == 3


def test_the_network_lost_datagrams(report):
    shm, udp = (each["datagrams"] for each in report["passes"])
    assert shm is None
    assert 0 < udp["lost"] < udp["forwarded"]
    assert udp["forwarded"] > 2 * INFERENCES


def test_memory_is_read_throughout_and_not_judged_on_so_little(report):
    for each in report["passes"]:
        at = [row["inferences"] for row in each["rss_kib"]]
        assert (at[0], at[-1]) == (0, INFERENCES)
        assert all(row["service"] > 1000 and row["client"] > 1000 for row in each["rss_kib"])
        assert each["rss_flat"] is None


def test_text_says_it_all(report):
    text = soak.render(report)
    assert "1000 (reported), 1000 (qsc usage), 1000 (ledger)" in text
    assert "too few inferences to tell" in text
    assert text.count("sound") == 2


def watched(rows):
    return soak._Watch({"service": 0, "client": 0}, 1, rows)


def test_growth_is_told_from_warming_up():
    warm = [{"inferences": k, "service": 50_000 + min(k, 8) * 1000, "client": 40_000} for k in range(100)]
    assert watched(warm).growth_kib() == {"service": 0, "client": 0}
    leaking = [{"inferences": k, "service": 50_000, "client": 40_000 + 20 * k} for k in range(100)]
    assert watched(leaking).growth_kib()["client"] > soak.MOST_GROWTH_KIB
    assert watched(leaking[:1]).growth_kib() == {"service": 0, "client": 0}


def test_another_result_than_the_simulators_is_found():
    program = phl.Program.reservoir(6, 2, features=6, seed=5)
    x = np.random.default_rng(2).uniform(0, np.pi, (20, 6))
    ids = np.arange(100, 120, dtype=np.uint64)
    y = program.simulate(x, shots=soak.SHOTS, seed=5, ids=ids)
    soak._compare(program, x, 100, 5, y)
    y[[7, 8]] = y[[8, 7]]
    with pytest.raises(PhotonLinkError, match=r"2 of 20 .* datapoint id 107"):
        soak._compare(program, x, 100, 5, y)


def test_a_missing_token_makes_it_unsound_and_the_command_fail(monkeypatch, capsys):
    monkeypatch.setattr(soak, "_ledger", lambda _path: 149)
    assert main(["bench", "soak", "--shm", "150", "--udp", "0", "--sessions", "1", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["machine"]["date"]
    assert found["sound"] is False
    assert found["passes"][0]["lost_or_double_tokens"] == 1


@pytest.mark.parametrize("wrong", [{"udp": -1}, {"sessions": 0}, {"loss": 1.0}, {"loss": -0.1}])
def test_wrong_numbers_are_refused(wrong):
    with pytest.raises(ProgramError, match=next(iter(wrong))):
        soak.run(**{"shared_memory": 1, "udp": 0, **wrong})
