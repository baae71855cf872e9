"""The optics benchmark at sizes that take no time: agreement is checked, and everything is reported."""

import math

import numpy as np
import pytest

from photonlink.bench import optics
from photonlink.bench.optics_limits import exact_flops, limits
from photonlink.bench.optics_peers import Task, peers
from photonlink.bench.timing import median_us_per_row
from photonlink.errors import PhotonLinkError


@pytest.fixture(scope="module")
def report():
    return optics.run(((4, 2),), (1, 4), threads=1, quick=True)


def test_every_installed_peer_is_timed(report):
    timed = {case["who"] for case in report["cases"]}
    assert {peer.name for peer in peers() if peer.installed} <= timed
    assert optics.OURS in timed
    assert {case["batch"] for case in report["cases"]} == {1, 4}
    assert all(case["microseconds"] > 0 for case in report["cases"])


def test_ratios_are_over_our_own(report):
    ours = {case["batch"]: case["microseconds"] for case in report["cases"] if case["who"] == optics.OURS}
    theirs = {(case["batch"], case["who"]): case["microseconds"] for case in report["cases"]}
    for ratio in report["ratios"]:
        expected = theirs[ratio["batch"], ratio["peer"]] / ours[ratio["batch"]]
        assert ratio["ratio"] == pytest.approx(expected)


def test_report_has_samples_scaling_and_limits(report):
    assert {row["who"].split()[0] for row in report["samples"]} == {"photonlink", "perceval"}
    assert {(row["modes"], row["photons"]) for row in report["scaling"]} == {(4, 2), (6, 3), (8, 4)}
    assert report["limits"]["peak_gflops"]["float32"] > report["limits"]["peak_gflops"]["float64"] > 0
    assert {(row["layers"], row["phases"]) for row in report["reuse"]} >= {
        (4, "last layer new"),
        (12, "one phase shifted"),
    }
    text = optics.render(report)
    assert "(4,2)" in text
    assert "one phase shifted" in text
    assert "GFLOP/s" in text


def test_disagreement_stops_the_benchmark():
    runners = {optics.REFERENCE: lambda phases: np.zeros((len(phases), 3)), "x float64": lambda p: np.ones((len(p), 3))}
    with pytest.raises(PhotonLinkError, match="nothing was timed"):
        optics._check_agreement(runners, np.zeros((2, 3)))


def test_flops_are_those_of_the_parents_counted_one_by_one():
    modes, photons = 5, 3
    levels = [math.comb(modes + k - 1, k) for k in range(photons + 1)]
    assert exact_flops(modes, photons) == modes * (8 * levels[0] + 8 * levels[1] + 4 * levels[2]) + 4 * levels[3]


def test_task_composes_what_its_circuit_says():
    task = Task.haar([1, 0, 1, 0], threads=1)
    phases = np.random.default_rng(0).uniform(0, 6, (2, 4))
    circuit = task.circuit()
    for parameter, value in zip(circuit.get_parameters(), phases[1], strict=True):
        parameter.set_value(value)
    np.testing.assert_allclose(np.asarray(circuit.compute_unitary()), task.unitary(phases)[1], atol=1e-12)


def test_slow_functions_are_timed_on_fewer_rows():
    calls = []
    microseconds, rows = median_us_per_row(lambda part: calls.append(len(part)), np.zeros((4, 1)), limit=1.0)
    assert rows == 4
    assert microseconds > 0
    assert calls[0] == 1


def test_limits_name_the_profile_they_were_reached_in():
    assert limits()["copy_gbytes"] > 0
