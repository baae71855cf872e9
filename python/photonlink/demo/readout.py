"""The classical end of the reservoir: a linear readout, and the controls it is compared with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photonlink.demo.data import Digits, Floats, Ints

# One regularisation for every row of the table; tuning it per row would compare tuning, not features.
REGULARISATION = 1.0


@dataclass(frozen=True)
class Score:
    """One row of the table: test accuracy of a linear readout on pixels plus some features."""

    method: str
    shots: int | None
    features: int
    accuracy: float
    standard_error: float
    correct: NDArray[np.bool_]
    predicted: Ints

    def as_json(self) -> dict[str, object]:
        """The row without its per-image vectors."""
        return {
            "method": self.method,
            "shots": self.shots,
            "features": self.features,
            "accuracy": self.accuracy,
            "standard_error": self.standard_error,
        }


def score(digits: Digits, method: str, extra: Floats | None, shots: int | None = None) -> Score:
    """Train a multinomial logistic readout on pixels plus ``extra`` features and test it on the held-out images."""
    from sklearn.linear_model import LogisticRegression

    blocks = [digits.pixels] if extra is None else [digits.pixels, extra]
    columns = np.hstack([_scaled(block, digits.train) for block in blocks])
    model = LogisticRegression(C=REGULARISATION, max_iter=3000)
    model.fit(columns[digits.train], digits.labels[digits.train])
    predicted = np.asarray(model.predict(columns[digits.test]), dtype=np.int64)
    correct = predicted == digits.labels[digits.test]
    accuracy = float(correct.mean())
    error = float(np.sqrt(accuracy * (1.0 - accuracy) / len(correct)))
    return Score(method, shots, 0 if extra is None else extra.shape[1], accuracy, error, correct, predicted)


def _scaled(block: Floats, train: Ints) -> Floats:
    """Centre a block of features and give it unit spread, by one factor for the whole block.

    Scaling every feature on its own would blow up the shot noise of outcomes that hardly ever happen.
    """
    centred = block - block[train].mean(axis=0)
    scaled: Floats = centred / centred[train].std()
    return scaled


def fourier_features(digits: Digits, width: int, seed: int) -> Floats:
    """Random Fourier features (Rahimi and Recht, 2007) of the same inputs and width as the photonic features.

    The kernel width follows the median distance between training inputs, the usual choice without tuning.
    """
    from sklearn.kernel_approximation import RBFSampler
    from sklearn.metrics.pairwise import euclidean_distances

    subset = digits.phases[digits.train][:500]
    distances = euclidean_distances(subset, squared=True)
    median = float(np.median(distances[np.triu_indices_from(distances, k=1)]))
    sampler = RBFSampler(gamma=1.0 / median, n_components=width, random_state=seed)
    return np.asarray(sampler.fit(digits.phases[digits.train]).transform(digits.phases), dtype=np.float64)


def paired_difference(first: Score, second: Score) -> tuple[float, float]:
    """Mean and standard error of the difference in accuracy on the same test images."""
    difference = first.correct.astype(np.float64) - second.correct.astype(np.float64)
    return float(difference.mean()), float(difference.std(ddof=1) / np.sqrt(len(difference)))
