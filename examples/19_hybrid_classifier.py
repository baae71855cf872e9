"""A hybrid classifier: a CUDA-Q kernel calls a photonic layer while it runs and rotates a qubit by its observables.

The photonic layer is a small reservoir that a point's coordinates drive. Its observables, weighted, are the angle of a
rotation; the qubit's <Z> is the decision. The weights are learned once, by least squares; then every decision is one
launch of the kernel, which asks the controller in the middle of it.
"""
# ruff: noqa: F821 - gates are words of CUDA-Q's kernel language

import cudaq
import numpy as np

import photonlink as phl
from photonlink.cudaq import device


@device.bind
@cudaq.kernel
def classify(features: list[float], weights: list[float], bias: float):
    observables = [0.0 for _ in range(10)]
    device.photonic_infer(features, observables)
    angle = bias
    for i in range(10):
        angle += weights[i] * observables[i]
    qubit = cudaq.qubit()
    ry(angle, qubit)


def rings(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points of two rings around one centre, which no line separates; labels -1 and +1."""
    labels = rng.choice([-1, 1], size=count)
    radius = np.where(labels > 0, 0.9, 0.4) + rng.normal(0, 0.08, count)
    turn = rng.uniform(0, 2 * np.pi, count)
    return radius[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1), labels


def as_features(points: np.ndarray) -> np.ndarray:
    """Five phases per point, radians: its coordinates, more than once."""
    return 1.5 * np.hstack([points, points, points])[:, :5]


rng = np.random.default_rng(5)
train, test = rings(200, rng), rings(40, rng)
program = phl.Program.reservoir(modes=5, photons=2, features=5, seed=2, readout=phl.Readout.probs(space="unbunched"))

with phl.reserve("sim", program) as session, device.attach(session):
    columns = np.hstack([session.infer(as_features(train[0])), np.ones((len(train[1]), 1))])
    # <Z> = cos(angle): a quarter turn is undecided, less is +1, more is -1.
    angles = np.pi / 2 * (1 - 0.9 * train[1])
    solved = np.linalg.solve(columns.T @ columns + 1e-6 * np.eye(11), columns.T @ angles)
    weights, bias = solved[:-1].tolist(), float(solved[-1])

    decisions = [
        cudaq.observe(classify, cudaq.spin.z(0), features.tolist(), weights, bias).expectation()
        for features in as_features(test[0])
    ]
    accuracy = float(np.mean(np.sign(decisions) == test[1]))
    print(f"{len(decisions)} points decided by a kernel that called {session.info.target!r} ({session.info.link}),")
    print(f"{100 * accuracy:.0f} % of them rightly; {session.usage.tokens} tokens, simulated: {session.info.simulated}")
assert accuracy > 0.85, accuracy
