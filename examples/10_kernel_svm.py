"""Support vector machines with a photonic fidelity kernel on iris, wine and breast cancer.

Exact kernels come from one amplitude vector per datapoint; sampled ones from one setting of a (simulated) chip per pair
of datapoints. Everybody gets the same principal components, and chooses their range and the machine's C by threefold
cross-validation on the training part; the sampled kernel takes over the C of the exact one. With ``--json FILE``, each
data set gets a file of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from comparison import Trial, run, time_calls
from sklearn import datasets
from sklearn.decomposition import PCA
from sklearn.kernel_approximation import RBFSampler
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC

import photonlink as phl
from photonlink.learn import KernelTransformer

PHOTONS, COMPONENTS = 3, 6
SHOTS = 1000
MOST_ROWS = 150  # of the training part, and of the test part
RANGES = [(0, width) for width in (0.5, 1.0, 2.0, 4.0)]  # radians, for photons
C = [1.0, 10.0, 100.0]

DATA: dict[str, Callable[..., tuple[np.ndarray, np.ndarray]]] = {
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast cancer": datasets.load_breast_cancer,
}


def chain(components: int, *last: tuple[str, Any]) -> Pipeline:
    """The same preprocessing for everybody, and what comes after it."""
    first = [("spread", StandardScaler()), ("reduce", PCA(components, svd_solver="full")), ("range", MinMaxScaler())]
    return Pipeline([*first, *last])


def tuned(model: Pipeline, x: np.ndarray, y: np.ndarray, quick: bool, strengths: list[float]) -> Pipeline:
    """The model with the range and C that cross-validation on the training part prefers."""
    choices = {"range__feature_range": RANGES[1:3] if quick else RANGES, "machine__C": strengths}
    return GridSearchCV(model, choices, cv=3).fit(x, y).best_estimator_


def experiment(load: Callable[..., tuple[np.ndarray, np.ndarray]], seed: int, quick: bool) -> Trial:
    x, y = load(return_X_y=True)
    rows = 40 if quick else MOST_ROWS
    half = min(rows, len(y) // 2)
    x, x_test, y, y_test = train_test_split(x, y, train_size=half, test_size=half, stratify=y, random_state=seed)
    components = min(COMPONENTS, x.shape[1])
    program = phl.Program.reservoir(
        components + 1, PHOTONS, features=components, seed=seed, readout=phl.Readout.probs("fock")
    )
    width = program.output_size

    def photonic(feature_map: phl.Program, **where: Any) -> Pipeline:
        kernel = KernelTransformer(feature_map, seed=seed, **where)
        return chain(components, ("kernel", kernel), ("machine", SVC(kernel="precomputed")))

    strengths = C[1:2] if quick else C
    exact = tuned(photonic(program), x, y, quick, strengths)
    sampled = tuned(photonic(program, target="sim", shots=SHOTS), x, y, quick, [exact["machine"].C])
    apart = tuned(photonic(program.replace(interference=False)), x, y, quick, strengths)
    fourier = RBFSampler(n_components=width, random_state=seed)
    linear = tuned(chain(components, ("features", fourier), ("machine", SVC(kernel="linear"))), x, y, quick, strengths)
    radial = tuned(chain(components, ("machine", SVC(kernel="rbf"))), x, y, quick, strengths)
    with sampled["kernel"]:  # one session for all of them
        latencies = time_calls(lambda: sampled.predict(x_test[:1]), 10 if quick else 100)
        info = sampled["kernel"].info
    return Trial(
        photonic={
            "photons, exact probabilities": exact.score(x_test, y_test),
            f"photons, {SHOTS} kept samples": sampled.score(x_test, y_test),
        },
        controls={
            "distinguishable photons": apart.score(x_test, y_test),
            f"{width} random Fourier features": linear.score(x_test, y_test),
            "radial basis functions, as many coefficients": radial.score(x_test, y_test),
        },
        latencies=latencies,
        info=info,
    )


def arguments(name: str) -> list[str]:
    """The command line, with the data set's name in that of the report."""
    given = sys.argv[1:]
    if "--json" in given[:-1]:
        at = given.index("--json") + 1
        path = Path(given[at])
        given[at] = str(path.with_stem(f"{path.stem}-{name.replace(' ', '-')}"))
    return given


if __name__ == "__main__":
    for name, load in DATA.items():
        run(
            f"Fidelity kernel of {PHOTONS} photons on {name}, support vector machine",
            partial(experiment, load),
            arguments=arguments(name),
        )
        print()
