"""scikit-learn's bundled handwritten digits, split once and compressed to one phase per mode."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photonlink import _checks

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Progress = Callable[[Iterable[int], str], Iterable[int]]  # wraps the rows of a loop, under a label

# The widest component covers one full turn; more would fold its two ends onto each other.
PHASE_RANGE = np.pi
# Both parts then have images of every class.
LEAST_IMAGES = 50


@dataclass(frozen=True)
class Digits:
    """One stratified split; pixels in [0, 1], phases in radians, standardised with the training part only."""

    pixels: Floats  # (images, 64)
    phases: Floats  # (images, modes), which is pixels @ weights + shift
    weights: Floats  # (64, modes)
    shift: Floats  # (modes,)
    labels: Ints  # (images,)
    train: Ints  # row numbers
    test: Ints

    @property
    def images(self) -> int:
        """Number of images in both parts."""
        return len(self.labels)


def load(modes: int, seed: int, limit: int | None = None, test_fraction: float = 0.3) -> Digits:
    """Load the digits and reduce each image to ``modes`` phases by principal component analysis.

    Args:
        modes: Principal components kept, one phase (radians) each; at most 64.
        seed: Seeds the choice of images (with ``limit``) and the split.
        limit: Use only this many images, drawn evenly from all classes.
        test_fraction: Share of the images that the readout never sees.

    Returns:
        The split. PCA and scaling are fitted on the training part alone.

    Raises:
        ProgramError: More modes than pixels or training images, or a seed or limit out of range.
    """
    from sklearn.datasets import load_digits
    from sklearn.decomposition import PCA
    from sklearn.model_selection import train_test_split

    _checks.integer("seed", seed, 0, 2**32 - 1)
    bunch: Any = load_digits()
    pixels = np.asarray(bunch.data, dtype=np.float64) / 16.0
    labels = np.asarray(bunch.target, dtype=np.int64)
    if limit is not None and limit != len(labels):
        _checks.integer("limit", limit, LEAST_IMAGES, len(labels) - LEAST_IMAGES)
        chosen, _ = train_test_split(np.arange(len(labels)), train_size=limit, stratify=labels, random_state=seed)
        chosen = np.sort(chosen)
        pixels, labels = pixels[chosen], labels[chosen]
    train, test = train_test_split(np.arange(len(labels)), test_size=test_fraction, stratify=labels, random_state=seed)
    _checks.integer("modes", modes, 1, min(pixels.shape[1], len(train)))
    pca = PCA(n_components=modes, svd_solver="full").fit(pixels[train])
    components = pca.transform(pixels)
    scale = PHASE_RANGE / np.abs(components[train]).max()
    weights = pca.components_.T * scale
    shift = -(pca.mean_ @ weights)
    return Digits(pixels, components * scale, weights, shift, labels, np.sort(train), np.sort(test))
