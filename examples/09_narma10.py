"""NARMA-10, a series with a memory of ten steps, followed by a photonic reservoir whose phases depend on its last step.

Each step is one datapoint over the link and waits for the one before. A ridge regression on the observables and the
input predicts the next value of the series; its strength is chosen on the last fifth of the training part.
"""

from __future__ import annotations

import numpy as np
from comparison import Trial, run, time_calls

import photonlink as phl
from photonlink.learn import StreamingReservoir

MODES, PHOTONS = 12, 2
SHOTS = 1000
WASHOUT = 100
STRENGTHS = 10.0 ** np.arange(-9, 2)


def narma10(steps: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Input, uniform in [0, 0.5], and output (Atiya and Parlos, 2000); inputs that make it explode are drawn again."""
    generator = np.random.default_rng(seed)
    while True:
        u, y = generator.uniform(0, 0.5, steps), np.zeros(steps)
        for t in range(9, steps - 1):
            y[t + 1] = 0.3 * y[t] + 0.05 * y[t] * y[t - 9 : t + 1].sum() + 1.5 * u[t - 9] * u[t] + 0.1
            if not y[t + 1] < 1:
                break
        else:
            return u, y


def ridge(inputs: np.ndarray, targets: np.ndarray, strength: float) -> np.ndarray:
    return np.linalg.solve(inputs.T @ inputs + strength * np.eye(inputs.shape[1]), inputs.T @ targets)


def error(states: np.ndarray, u: np.ndarray, y: np.ndarray, train: int) -> float:
    """Root of the mean squared test error over the spread of the test part (NRMSE)."""
    inputs, targets = np.column_stack([states, u, np.ones_like(u)])[WASHOUT:-1], y[WASHOUT + 1 :]
    split = train - train // 5

    def squared(rows: int, until: int | None, strength: float) -> float:
        weights = ridge(inputs[:rows], targets[:rows], strength)
        return float(np.mean((inputs[rows:until] @ weights - targets[rows:until]) ** 2))

    best = min(STRENGTHS, key=lambda strength: squared(split, train, strength))
    return float(np.sqrt(squared(train, None, best) / targets[train:].var()))


def photonic(u: np.ndarray, seed: int, **changes: object) -> np.ndarray:
    with StreamingReservoir.random(modes=MODES, photons=PHOTONS, seed=seed, **changes) as reservoir:
        return reservoir.run(u[:, np.newaxis] - 0.25)


def random_features(u: np.ndarray, width: int, seed: int) -> np.ndarray:
    """Cosines of random projections of the last ten inputs: nonlinear, and told what to remember."""
    generator = np.random.default_rng(seed)
    window = np.column_stack([np.roll(u, lag) for lag in range(10)]) - 0.25
    return np.cos(window @ generator.normal(size=(10, width)) + generator.uniform(0, 2 * np.pi, width))


def echo_state_network(u: np.ndarray, width: int, seed: int) -> np.ndarray:
    """Jaeger's network (2001) of `width` neurons, spectral radius 0.9."""
    generator = np.random.default_rng(seed)
    recurrent = generator.normal(size=(width, width))
    recurrent *= 0.9 / abs(np.linalg.eigvals(recurrent)).max()
    weights = generator.uniform(-0.5, 0.5, width)
    states = np.zeros((len(u), width))
    for t in range(len(u)):
        states[t] = np.tanh(recurrent @ states[t - 1] + weights * (u[t] - 0.25))  # the state before the first is zero
    return states


def experiment(seed: int, quick: bool) -> Trial:
    train, test = (400, 200) if quick else (1600, 800)
    u, y = narma10(WASHOUT + train + test + 1, seed)
    exact = photonic(u, seed)
    width = exact.shape[1]
    with StreamingReservoir.random(modes=MODES, photons=PHOTONS, seed=seed) as reservoir:
        weights = np.zeros(width)
        latencies = time_calls(lambda: reservoir.step([0.0]) @ weights, 200 if quick else 2000)
        info = reservoir.info
    assert isinstance(info, phl.SessionInfo)
    return Trial(
        photonic={
            "photons, exact probabilities": error(exact, u, y, train),
            f"photons, {SHOTS} kept samples": error(photonic(u, seed, shots=SHOTS), u, y, train),
        },
        controls={
            "distinguishable photons": error(photonic(u, seed, interference=False), u, y, train),
            f"{width} random features of the last ten inputs": error(random_features(u, width, seed), u, y, train),
            f"echo state network of {width} neurons": error(echo_state_network(u, width, seed), u, y, train),
            "input alone": error(np.zeros((len(u), 0)), u, y, train),
        },
        latencies=latencies,
        info=info,
    )


if __name__ == "__main__":
    run(
        f"NARMA-10, a photonic reservoir with feedback ({MODES} modes, {PHOTONS} photons), linear readout",
        experiment,
        metric="test NRMSE",
        percent=False,
        higher_is_better=False,
    )
