"""Target `photonlink`: results agree with CUDA-Q's own simulator, and say how they came about."""

import cudaq
import numpy as np
import pytest
from cudaq import spin
from kernels import DEUTERON, bell, deuteron, ghz, random_kernel, random_operator
from scipy.stats import chisquare

pytestmark = pytest.mark.usefixtures("photonic")


def _p_value(counts, probabilities, shots):
    """Of a chi-square test, with outcomes of fewer than 5 expected events taken together."""
    expected = np.array([probabilities[bits] * shots for bits in sorted(probabilities)])
    observed = np.array([counts.count(bits) for bits in sorted(probabilities)])
    rare = expected < 5
    expected = np.append(expected[~rare], expected[rare].sum())
    observed = np.append(observed[~rare], observed[rare].sum())
    possible = expected > 1e-9
    assert not observed[~possible].any()
    if possible.sum() == 1:
        return 1.0
    expected = expected[possible]
    return chisquare(observed[possible], expected * (shots / expected.sum())).pvalue


@pytest.mark.parametrize("case", range(30))
def test_random_kernels_agree(case, compare, probabilities):
    rng = np.random.default_rng(case)
    qubits = int(rng.integers(2, 5))
    kernel = random_kernel(rng, qubits, entanglers=4 if case % 3 == 0 else int(rng.integers(1, 5)))
    operator = random_operator(rng, qubits)
    ours, theirs = compare(lambda: cudaq.observe(kernel, operator).expectation())
    assert ours == pytest.approx(theirs, abs=1e-9)
    counts = cudaq.sample(kernel, shots_count=1000)
    assert counts.get_total_shots() == 1000
    assert _p_value(counts, probabilities(kernel), 1000) > 0.01 / 30  # Bonferroni
    assert counts.annotations["method"] == "fock"


def test_bell():
    counts = cudaq.sample(bell, shots_count=2000)
    assert set(counts) == {"00", "11"}
    assert chisquare([counts.count("00"), counts.count("11")]).pvalue > 1e-3
    facts = counts.annotations
    assert facts["success_probability"] == pytest.approx(1 / 9, rel=0.1)
    assert (facts["photons"], facts["modes"], facts["heralds"], facts["post_selected_gates"]) == (2, 6, 0, 1)
    assert (facts["clock"], facts["simulated"], facts["qsc"], facts["method"]) == ("virtual", True, "sim", "fock")
    assert facts["samples"] > 2000
    assert facts["modelled_seconds"] == pytest.approx(facts["samples"] / 1e5 + 0.02, rel=0.2)  # preset "article"


def test_ghz():
    counts = cudaq.sample(ghz, 3, shots_count=2000)
    assert set(counts) == {"000", "111"}
    assert chisquare([counts.count("000"), counts.count("111")]).pvalue > 1e-3
    zzz = cudaq.observe(ghz, spin.z(0) * spin.z(1) + spin.x(0) * spin.x(1) * spin.x(2), 3)
    assert zzz.expectation() == pytest.approx(2.0, abs=1e-12)
    assert zzz.counts().annotations["success_probability"] == pytest.approx(1 / 81, abs=1e-15)
    assert zzz.counts().annotations["modelled_seconds"] is None  # exact results have no time


def test_deuteron():
    """The ground state of the deuteron, -1.7488 MeV in two qubits (Dumitrescu et al., PRL 120, 210501)."""
    energies = [cudaq.observe(deuteron, DEUTERON, theta).expectation() for theta in np.linspace(0.5, 0.7, 21)]
    assert min(energies) == pytest.approx(-1.7488, abs=2e-3)


def test_energy_from_shots():
    result = cudaq.observe(deuteron, DEUTERON, 0.59, shots_count=20_000)
    assert result.expectation() == pytest.approx(-1.7488, abs=0.15)  # 5 standard errors
    assert result.counts(spin.z(0)).get_total_shots() == 20_000
    ones = result.counts(spin.z(0)).count("1") / 20_000
    assert result.expectation(spin.z(0)) == pytest.approx(1 - 2 * ones, abs=1e-12)
    assert result.counts().annotations["settings"] == 3
    assert result.counts().annotations["modelled_seconds"] > 0


def test_lists_and_terms(compare):
    """Every operator of a list as if it were observed alone, coefficients included."""
    operators = [2.0 * spin.z(0) + 1.0, spin.x(0) * spin.x(1) - 3.0 * spin.z(1), DEUTERON]
    results = cudaq.observe(deuteron, operators, 0.3)
    _, alone = compare(lambda: [cudaq.observe(deuteron, one, 0.3).expectation() for one in operators])
    assert [one.expectation() for one in results] == pytest.approx(alone, abs=1e-9)
    whole = cudaq.observe(deuteron, DEUTERON, 0.3)
    _, term = compare(lambda: cudaq.observe(deuteron, spin.y(0) * spin.y(1), 0.3).expectation())
    assert whole.expectation(spin.y(0) * spin.y(1)) == pytest.approx(term, abs=1e-9)
    assert whole.expectation(-2.0 * spin.y(0) * spin.y(1)) == pytest.approx(-2 * term, abs=1e-9)


def test_broadcast(compare):
    angles = np.array([0.1, 0.4, 0.59])
    ours, theirs = compare(lambda: [one.expectation() for one in cudaq.observe(deuteron, DEUTERON, angles)])
    assert ours == pytest.approx(theirs, abs=1e-9)
    assert len(cudaq.sample(deuteron, angles, shots_count=50)) == 3


def test_identity_alone():
    assert cudaq.observe(deuteron, 3.5 * spin.i(0), 0.1).expectation() == 3.5


def test_seed_repeats_results():
    def draw():
        return [dict(cudaq.sample(ghz, 3, shots_count=100).items()) for _ in range(3)]

    cudaq.set_random_seed(5)
    first = draw()
    cudaq.set_random_seed(5)
    assert draw() == first
    assert first[0] != first[1]  # one launch after another draws anew
    cudaq.set_random_seed(6)
    assert draw() != first
    cudaq.set_target("photonlink", seed=5)
    assert draw() == first


def test_returning_to_a_kernel_draws_anew():
    """A session that is reserved again must not repeat the samples of the one before."""
    before = dict(cudaq.sample(ghz, 3, shots_count=500).items())
    cudaq.sample(bell)
    assert dict(cudaq.sample(ghz, 3, shots_count=500).items()) != before


def test_shots_are_exact_for_many_gates():
    for shots in (1, 7, 1234):
        assert cudaq.sample(ghz, 4, shots_count=shots).get_total_shots() == shots


def test_estimate():
    """CUDA-Q's count of gates, and the optics that they take: the same as when the kernel runs."""
    estimated = cudaq.estimate(ghz, 3)
    assert estimated.resources.count("h") == 5
    assert estimated.resources.count_controls("z", 1) == 2
    run = cudaq.observe(ghz, spin.z(0), 3).counts().annotations
    for name in ("photons", "modes", "heralds", "post_selected_gates", "heralded_gates"):
        assert estimated.annotations[name] == run[name]
    assert estimated.annotations["success_probability"] == pytest.approx(run["success_probability"], rel=1e-9)
    assert cudaq.estimate_resources(bell).count("h") == 3
