"""Kernel matrices to the training set, as scikit-learn wants them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from photonlink.learn._estimators import OnTarget
from photonlink.learn._merlin import is_merlin, merlin_kernel
from photonlink.learn._sessions import Target
from photonlink.learn._uncompute import Convention
from photonlink.learn.kernels import FidelityKernel
from photonlink.program import Precision, Program
from photonlink.readout import Space

__all__ = ["KernelTransformer"]


class KernelTransformer(OnTarget, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turns datapoints into their fidelity kernel with the training set, for ``SVC(kernel="precomputed")``.

    Features are phases in radians: put a scaler in front.

    Args:
        feature_map: A Program, a ``merlin.FidelityKernel`` or a ``merlin.FeatureMap``. None makes a photonic reservoir
            of one mode more than there are features.
        photons: Photons of that reservoir; fewer if its modes are fewer.
        space: See :class:`photonlink.learn.FidelityKernel`; MerLin's kernels keep theirs.
        target: See there; a target's name, an open session of ``kernel_.program``, or None.
        shots: See there.
        seed: Of that reservoir and of the sampling.
        psd: See there.
        convention: See there; MerLin's kernels and feature maps keep MerLin's.
        precision: See there.
        memory_limit: See there.
        options: See there.

    Attributes:
        kernel_: The :class:`photonlink.learn.FidelityKernel`.
        X_fit_: (N, F) the training set.
        n_features_in_: F.

    Examples:
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn.preprocessing import MinMaxScaler
        >>> from sklearn.svm import SVC
        >>> x, y = load_iris(return_X_y=True)
        >>> model = make_pipeline(MinMaxScaler(), KernelTransformer(photons=3, seed=5), SVC(kernel="precomputed"))
        >>> bool(model.fit(x[::2], y[::2]).score(x[1::2], y[1::2]) > 0.9)
        True
    """

    def __init__(
        self,
        feature_map: Any = None,
        *,
        photons: int = 2,
        space: Space = "fock",
        target: Target | None = None,
        shots: int | None = None,
        seed: int = 0,
        psd: bool = True,
        convention: Convention = "states",
        precision: Precision = "float64",
        memory_limit: int | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.feature_map = feature_map
        self.photons = photons
        self.space = space
        self.target = target
        self.shots = shots
        self.seed = seed
        self.psd = psd
        self.convention = convention
        self.precision = precision
        self.memory_limit = memory_limit
        self.options = options

    def fit(self, X: ArrayLike, y: Any = None) -> KernelTransformer:  # noqa: ARG002, N803 - scikit-learn's names
        """Keep the training set.

        Args:
            X: (N, F) features.
            y: Not used.

        Raises:
            ValueError: X is no matrix of finite numbers, or has the wrong number of features.
        """
        self.X_fit_ = validate_data(self, X, dtype=np.float64)
        self.kernel_ = self._kernel(self.X_fit_.shape[1])
        self.kernel_._keeper = self._keeper  # made here: transform() must not add attributes
        self._n_features_out = len(self.X_fit_)
        return self

    def fit_transform(self, X: ArrayLike, y: Any = None, **_: Any) -> NDArray[Any]:  # noqa: N803
        """Keep the training set and return its kernel matrix, measured once per pair.

        Args:
            X: (N, F) features.
            y: Not used.

        Returns:
            (N, N), symmetric; see :class:`photonlink.learn.FidelityKernel`.
        """
        return self.fit(X, y)._matrix(None)

    def transform(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """The kernel of datapoints with the training set; for the training set itself that of :meth:`fit_transform`.

        Args:
            X: (M, F) features.

        Returns:
            (M, N) of the precision.

        Raises:
            ValueError: X is no matrix of finite numbers, or has the wrong number of features.
            PhotonLinkError: As :class:`photonlink.learn.FidelityKernel`.
        """
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        return self._matrix(None if np.array_equal(rows, self.X_fit_) else rows)

    def _matrix(self, rows: NDArray[np.float64] | None) -> NDArray[Any]:
        self.kernel_._keeper = self._keeper
        return self.kernel_(self.X_fit_) if rows is None else self.kernel_(rows, self.X_fit_)

    def _kernel(self, features: int) -> FidelityKernel:
        arguments: dict[str, Any] = {
            "target": self.target,
            "shots": self.shots,
            "seed": self.seed,
            "psd": self.psd,
            "precision": self.precision,
            "memory_limit": self.memory_limit,
            "options": self.options,
        }
        if is_merlin(self.feature_map):
            return merlin_kernel(self.feature_map, **arguments)
        program = self.feature_map
        if program is None:
            modes = features + 1
            program = Program.reservoir(modes, min(self.photons, modes), features=features, seed=self.seed)
        return FidelityKernel(program, space=self.space, convention=self.convention, **arguments)
