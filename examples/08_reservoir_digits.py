"""A photonic reservoir helps a linear model to read handwritten digits; how much of that is photonic, controls say."""

from __future__ import annotations

import numpy as np
from comparison import Trial, run, time_calls
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.kernel_approximation import RBFSampler
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import photonlink as phl
from photonlink.learn import PhotonicReservoir

MODES, PHOTONS, COMPONENTS = 12, 3, 11
SHOTS = 1000
RANGE = 2 * np.pi  # radians that the widest principal component covers


def standardised(block: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Centred, and of unit spread as a whole: scaled one by one, rare outcomes would be all shot noise."""
    centred = block - block[train].mean(axis=0)
    return centred / centred[train].std()


def accuracy(blocks: list[np.ndarray], labels: np.ndarray, train: np.ndarray, test: np.ndarray) -> float:
    """Of a linear model on these blocks of features, with one regularisation for everybody."""
    columns = np.hstack([standardised(block, train) for block in blocks])
    return LogisticRegression(max_iter=2000).fit(columns[train], labels[train]).score(columns[test], labels[test])


def random_features(inputs: np.ndarray, train: np.ndarray, width: int, seed: int) -> np.ndarray:
    """Random Fourier features (Rahimi and Recht, 2007); their scale is the median distance of inputs."""
    distances = euclidean_distances(inputs[train][:500], squared=True)
    gamma = 1 / np.median(distances[np.triu_indices_from(distances, k=1)])
    return RBFSampler(gamma=gamma, n_components=width, random_state=seed).fit(inputs).transform(inputs)


def network_accuracy(
    pixels: np.ndarray, labels: np.ndarray, train: np.ndarray, test: np.ndarray, parameters: int, seed: int
) -> float:
    """Of a network with one hidden layer and as many trained parameters."""
    inputs, classes = pixels.shape[1], 10
    hidden = max(1, round((parameters - classes) / (inputs + 1 + classes)))
    network = MLPClassifier((hidden,), max_iter=600, alpha=1e-3, random_state=seed)
    columns = standardised(pixels, train)
    return network.fit(columns[train], labels[train]).score(columns[test], labels[test])


def forward(reservoir: PhotonicReservoir, image: np.ndarray, session: phl.Session, weights: np.ndarray) -> np.ndarray:
    """One image: principal components, phases, the link, a linear readout."""
    span = reservoir.input_max_ - reservoir.input_min_
    components = (image - reservoir.reduction_.mean_) @ reservoir.reduction_.components_.T
    return session.infer(RANGE * (components - reservoir.input_min_) / span) @ weights


def experiment(seed: int, quick: bool) -> Trial:
    pixels, labels = load_digits(return_X_y=True)
    rows = np.random.default_rng(seed).permutation(len(labels))[: 300 if quick else None]
    pixels, labels = pixels[rows] / 16, labels[rows]
    train, test = train_test_split(np.arange(len(labels)), test_size=0.3, stratify=labels, random_state=seed)

    def photonic(**changes: object) -> tuple[np.ndarray, PhotonicReservoir]:
        reservoir = PhotonicReservoir(
            PHOTONS,
            modes=MODES,
            reduction=PCA(COMPONENTS, svd_solver="full"),
            scale=RANGE,
            standardise=False,
            concatenate=False,
            seed=seed,
            **changes,
        )
        return reservoir.fit(pixels[train]).transform(pixels), reservoir

    exact, reservoir = photonic()
    sampled, _ = photonic(shots=SHOTS)
    apart, _ = photonic(interference=False)
    width = exact.shape[1]
    parameters = (pixels.shape[1] + width + 1) * 10
    components = reservoir.reduction_.transform(pixels)
    with phl.reserve("sim", reservoir.program_) as session:
        weights = np.zeros((width, 10))
        latencies = time_calls(lambda: forward(reservoir, pixels[0], session, weights), 200 if quick else 2000)
        info = session.info
    return Trial(
        photonic={
            "photons, exact probabilities": accuracy([pixels, exact], labels, train, test),
            f"photons, {SHOTS} kept samples": accuracy([pixels, sampled], labels, train, test),
        },
        controls={
            "distinguishable photons": accuracy([pixels, apart], labels, train, test),
            f"{width} random Fourier features": accuracy(
                [pixels, random_features(components, train, width, seed)], labels, train, test
            ),
            f"network of {parameters} parameters": network_accuracy(pixels, labels, train, test, parameters, seed),
            "pixels alone": accuracy([pixels], labels, train, test),
        },
        latencies=latencies,
        info=info,
    )


if __name__ == "__main__":
    run(
        f"Handwritten digits, pixels and a photonic reservoir ({MODES} modes, {PHOTONS} photons), linear readout",
        experiment,
    )
