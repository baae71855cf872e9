"""The bias of shifted gradients where the kept fraction is counted too, as on hardware: measured, and its law."""

import numpy as np
from scipy import stats

import photonlink as phl
from photonlink.gradients import value_and_vjp


def counted_gradients(program, x, cotangent, attempts, repetitions, rng):
    """Shifted gradients (repetitions, phases) from counts of Fock states alone, numerator and kept fraction alike."""
    degree = program.photons
    k = np.arange(1, 2 * degree + 1)
    shifts = (2 * k - 1) * np.pi / (2 * degree)
    coefficients = (-1.0) ** (k - 1) / (4 * degree * np.sin(shifts / 2) ** 2)
    settings = np.vstack([x, *(x + shift * unit for unit in np.eye(len(x)) for shift in shifts)])
    fock = program.replace(readout=phl.Readout.probs("fock"))
    kept = np.array([max(key) <= 1 for key in fock.output_keys])
    weight = np.zeros(len(kept))
    weight[kept] = cotangent
    probabilities = fock.simulate(settings)
    numerators, fractions = np.empty((2, len(settings), repetitions))
    for s, p in enumerate(probabilities):
        counts = rng.multinomial(attempts, p / p.sum(), size=repetitions)
        numerators[s], fractions[s] = counts @ weight / attempts, counts @ kept / attempts
    slopes = [
        np.tensordot(coefficients, values[1:].reshape(len(x), len(k), repetitions), axes=(0, 1))
        for values in (numerators, fractions)
    ]
    return ((slopes[0] - numerators[0] / fractions[0] * slopes[1]) / fractions[0]).T, probabilities[0] @ kept


def test_the_bias_is_a_factor_that_goes_as_one_over_shots():
    """Gradients come out longer by k E[1 / counted k], about 1 + (1 - k) / (k shots), whatever their direction."""
    program = phl.Program.reservoir(6, 3, features=6, seed=4, readout=phl.Readout.probs("unbunched"))
    rng = np.random.default_rng(2)
    x, cotangent = rng.uniform(-3, 3, 6), rng.normal(size=20)
    exact = value_and_vjp(program, x, cotangent).features
    lengths = {}
    for attempts in (50, 200):
        estimates, kept = counted_gradients(program, x, cotangent, attempts, 10_000, rng)
        projected = estimates @ exact / (exact @ exact)
        error = projected.std(ddof=1) / np.sqrt(len(projected))
        counted = np.arange(1, attempts + 1)
        factor = kept * np.sum(stats.binom.pmf(counted, attempts, kept) * attempts / counted)
        assert abs(projected.mean() - factor) < 4 * error
        assert abs(factor - (1 + (1 - kept) / (kept * attempts))) < 4 / (kept * attempts) ** 2
        lengths[attempts] = projected.mean() - 1, error
    assert lengths[50][0] > 2 * lengths[50][1]  # it is there, and it is measured
    assert lengths[200][1] < 0.01
