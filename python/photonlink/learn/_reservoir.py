"""Photonic extreme learning: a fixed random interferometer makes features of datapoints, a linear model reads them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted, validate_data

from photonlink import _checks
from photonlink.errors import ProgramError
from photonlink.learn._estimators import OnTarget
from photonlink.learn._sessions import Target, check_options
from photonlink.noise import Noise
from photonlink.program import Precision, Program
from photonlink.readout import Readout
from photonlink.unitary import haar_unitary

__all__ = ["PhotonicReservoir"]

_FLOATS = (np.float64, np.float32)  # kept as they are: a reduction then computes in them
_EPSILON = 1e-8  # keeps divisions by ranges and spreads finite, as in MerLin


class PhotonicReservoir(OnTarget, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Features of datapoints from a frozen photonic reservoir (Sakurai et al., Optica Quantum 3, 238, 2025).

    The steps are those of MerLin's ``ReservoirClassifier``: an optional reduction; all values scaled by one common
    minimum and maximum to [0, 1], used as radians; the same Haar-random interferometer before and after one column of
    phases; observables standardised with mean and spread of the training set; the inputs in front. With the same
    interferometer, features are the same. What is left to do is a linear model behind it.

    Args:
        photons: Number of photons.
        modes: Number of modes; by default one more than there are inputs after the reduction.
        unitary: (m, m) interferometer instead of the Haar-random one of ``seed``.
        input_state: Photons per mode; by default spread evenly from the first mode to the last, as in MerLin.
        reduction: A transformer, such as ``PCA(8)``, that is fitted to the inputs and makes fewer of them.
        scale: Radians that the range of the inputs becomes.
        readout: What is observed; by default probabilities over unbunched states.
        standardise: Whether observables are standardised.
        concatenate: Whether the inputs come back in front of the observables.
        interference: False for distinguishable photons, as a control.
        noise: Imperfections; see :class:`photonlink.Noise`.
        seed: Of the interferometer and of the sampling, which begins anew with each session.
        target: Where it runs: a target's name, or an open session of ``program_``. Each call reserves a session, unless
            the estimator is used in a ``with`` statement, which keeps one open.
        shots: Kept samples per datapoint; None for exact observables, which no hardware has.
        precision: Of the simulation and of the features.
        options: Further options of :func:`photonlink.reserve`, e.g. ``{"preset": "belenos"}``.

    Attributes:
        program_: The program.
        reduction_: The fitted reduction, or None.
        input_min_, input_max_: Range of the training inputs after the reduction.
        mean_, std_: (output_size,) of the training observables; None unless standardised.
        n_features_in_: Number of inputs.

    Examples:
        >>> from sklearn.datasets import load_digits
        >>> from sklearn.decomposition import PCA
        >>> from sklearn.linear_model import RidgeClassifier
        >>> from sklearn.pipeline import make_pipeline
        >>> x, y = load_digits(return_X_y=True)
        >>> model = make_pipeline(PhotonicReservoir(photons=3, reduction=PCA(7), seed=1), RidgeClassifier())
        >>> bool(model.fit(x[:600], y[:600]).score(x[600:900], y[600:900]) > 0.85)
        True
    """

    def __init__(
        self,
        photons: int = 2,
        *,
        modes: int | None = None,
        unitary: ArrayLike | None = None,
        input_state: Sequence[int] | None = None,
        reduction: Any = None,
        scale: float = 1.0,
        readout: Readout | None = None,
        standardise: bool = True,
        concatenate: bool = True,
        interference: bool = True,
        noise: Noise | None = None,
        seed: int = 0,
        target: Target = "sim",
        shots: int | None = None,
        precision: Precision = "float64",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.photons = photons
        self.modes = modes
        self.unitary = unitary
        self.input_state = input_state
        self.reduction = reduction
        self.scale = scale
        self.readout = readout
        self.standardise = standardise
        self.concatenate = concatenate
        self.interference = interference
        self.noise = noise
        self.seed = seed
        self.target = target
        self.shots = shots
        self.precision = precision
        self.options = options

    def fit(self, X: ArrayLike, y: Any = None) -> PhotonicReservoir:  # noqa: N803 - scikit-learn's names
        """Learn range, spread and reduction of a training set.

        Args:
            X: (N, F) inputs.
            y: For the reduction, if that uses it.

        Raises:
            ValueError: X is no matrix of finite numbers.
            ProgramError: The parameters do not go together.
            PhotonLinkError: As :func:`photonlink.reserve` and :meth:`photonlink.Session.infer`.
        """
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: ArrayLike, y: Any = None, **_: Any) -> NDArray[Any]:  # noqa: N803
        """:meth:`fit`, and the features of the training set, in one pass.

        Args:
            X: (N, F) inputs.
            y: For the reduction, if that uses it.

        Returns:
            As :meth:`transform`.
        """
        inputs = validate_data(self, X, dtype=_FLOATS)
        self.reduction_ = None if self.reduction is None else clone(self._checked_reduction())
        reduced = inputs if self.reduction_ is None else np.asarray(self.reduction_.fit_transform(inputs, y))
        _checks.boolean("standardise", self.standardise)
        _checks.boolean("concatenate", self.concatenate)
        self.input_min_, self.input_max_ = float(reduced.min()), float(reduced.max())
        self.program_ = self._program(reduced.shape[1])
        observed = self._observed(reduced)
        self.mean_ = observed.mean(0) if self.standardise else None
        self.std_ = observed.std(0) if self.standardise else None
        features = self._finished(inputs, observed)
        self._n_features_out = features.shape[1]
        return features

    def transform(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """Features of datapoints.

        Args:
            X: (M, F) inputs.

        Returns:
            (M, F + output_size) of the precision, without the first F unless ``concatenate``.

        Raises:
            ValueError: X is no matrix of finite numbers, or has the wrong number of inputs.
            PhotonLinkError: As :func:`photonlink.reserve` and :meth:`photonlink.Session.infer`.
        """
        check_is_fitted(self)
        inputs = validate_data(self, X, dtype=_FLOATS, reset=False)
        reduced = inputs if self.reduction_ is None else np.asarray(self.reduction_.transform(inputs))
        return self._finished(inputs, self._observed(reduced))

    def _checked_reduction(self) -> Any:
        if isinstance(self.reduction, type) or not hasattr(self.reduction, "fit_transform"):
            raise ProgramError(
                f"reduction is {_checks.shown(self.reduction)}, expected a transformer as sklearn.decomposition.PCA(8)"
            )
        return self.reduction

    def _observed(self, reduced: NDArray[Any]) -> NDArray[Any]:
        scale = _checks.number("scale", self.scale, -math.inf, "a finite number of radians")
        phases = scale * (reduced - self.input_min_) / (self.input_max_ - self.input_min_ + _EPSILON)
        check_options(self.options)
        options = {"shots": self.shots, "seed": self.seed, "precision": self.precision, **(self.options or {})}
        with self._keeper.lend(self.target, self.program_, options) as session:
            observed: NDArray[Any] = session.infer(np.ascontiguousarray(phases, np.float64))
        return observed

    def _finished(self, inputs: NDArray[Any], observed: NDArray[Any]) -> NDArray[Any]:
        if self.mean_ is not None and self.std_ is not None:
            observed = (observed - self.mean_) / (self.std_ + _EPSILON)
        return np.hstack([inputs.astype(observed.dtype), observed]) if self.concatenate else observed

    def _program(self, inputs: int) -> Program:
        unitary = self._interferometer(inputs)
        modes = len(unitary)
        if inputs > modes:
            raise ProgramError(
                f"{inputs} inputs drive one mode each, but there are {modes} modes: use more, or a reduction such as "
                f"sklearn.decomposition.PCA({modes - 1})"
            )
        state = spread_state(modes, self.photons) if self.input_state is None else self.input_state
        builder = Program.layered(modes, state).interferometer(unitary)
        builder = builder.phases([f"px{i + 1}" for i in range(inputs)])
        return builder.interferometer(unitary).build(self.readout, interference=self.interference, noise=self.noise)

    def _interferometer(self, inputs: int) -> NDArray[np.complex128]:
        if self.unitary is None:
            return haar_unitary(inputs + 1 if self.modes is None else self.modes, self.seed)
        unitary = _checks.array("unitary", self.unitary, np.complex128)
        if unitary.ndim != 2:
            raise ProgramError(f"unitary has shape {unitary.shape}, expected a square matrix")
        if self.modes is not None and unitary.shape != (self.modes, self.modes):
            raise ProgramError(f"unitary has shape {unitary.shape}, expected {(self.modes, self.modes)}")
        return unitary


def spread_state(modes: int, photons: int) -> tuple[int, ...]:
    """Photons at even distances from the first mode to the last, as MerLin's ``ReservoirClassifier`` puts them.

    Args:
        modes: Number of modes.
        photons: Number of photons, 1 to ``modes``.

    Raises:
        ProgramError: The photons do not fit one per mode.

    Examples:
        >>> spread_state(8, 3)
        (1, 0, 0, 0, 1, 0, 0, 1)
    """
    if _checks.integer("photons", photons, 1, None) > modes:
        raise ProgramError(f"{photons} photons do not fit one per mode into {modes} modes: give input_state")
    step = (modes - 1) / (photons - 1) if photons > 1 else 0.0
    occupied = {round(photon * step) for photon in range(photons)}
    return tuple(int(mode in occupied) for mode in range(modes))
