"""Derivatives of observables: exact ones by a reverse sweep, and estimates from shots by shifting phases.

Exact derivatives (vector-Jacobian products) exist for every readout but samples. With L = sum(cotangent * y) over the
observables y of a batch, :func:`value_and_vjp` returns dL / dx and dL / dphase per datapoint, and dL / dU for the
interferometers or dL / dvalue for the parameters of a :class:`TrainableProgram`, summed over the batch. Of noise, only
phases that are rounded to a grid have none; imperfect sources, losses and detectors are differentiated as the mixture
that the simulator computes, in float64.

Hardware has no reverse sweep. There, an observable of n photons is a trigonometric polynomial of degree n in each
phase, so that 2n shifted settings determine its derivative exactly; 2 are enough for mean photon numbers and 4 for
two-mode correlators in the full Fock space. :func:`parameter_shift` runs those settings on any session; see
:mod:`photonlink.shift`.

Examples:
    >>> import numpy as np
    >>> import photonlink as phl
    >>> program = phl.Program.reservoir(modes=4, photons=2, features=3, seed=1)
    >>> x, cotangent = np.zeros((2, 3)), np.ones((2, 6))
    >>> vjp = phl.gradients.value_and_vjp(program, x, cotangent)
    >>> vjp.value.shape, vjp.features.shape, vjp.phases.shape, vjp.interferometers.shape
    ((2, 6), (2, 3), (2, 3), (2, 4, 4))
    >>> bool(abs(vjp.features).max() < 1e-12)  # probabilities add up to one, whatever the features
    True
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from photonlink import _checks, _core, _validate
from photonlink._memory import half_of_memory
from photonlink.errors import ProgramError
from photonlink.program import Precision, Program
from photonlink.shift import (
    ShiftCost,
    ShiftGradient,
    checked_cotangent,
    feature_gradients,
    parameter_shift,
    phase_program,
    shift_cost,
)
from photonlink.trainable import TrainableProgram

__all__ = [
    "Differentiator",
    "ShiftCost",
    "ShiftGradient",
    "TrainableProgram",
    "Vjp",
    "parameter_shift",
    "phase_program",
    "shift_cost",
    "value_and_vjp",
]


@dataclass(frozen=True, eq=False)
class Vjp:
    """Observables of B datapoints and derivatives of L = sum(cotangent * value). A single datapoint has no axis B.

    Attributes:
        value: (B, output_size), of the differentiator's precision.
        features: (B, F) float64, dL / dfeature. Rounding of phases (``dac_bits``) counts as the identity.
        phases: (B, P) float64, dL / dphase, radians.
        interferometers: (L+1, m, m) complex128 G, summed over the datapoints: ``dL = Re(sum(conj(G) * dU))`` for
            changes dU that keep U unitary. Columns of the first one that no photon enters are zero. None if not asked
            for.
        parameters: (T,) float64, dL / dvalue of trainable parameters; None for a Program.
    """

    value: NDArray[Any]
    features: NDArray[np.float64]
    phases: NDArray[np.float64]
    interferometers: NDArray[np.complex128] | None
    parameters: NDArray[np.float64] | None


class Differentiator:
    """Computes values and derivatives of one program again and again; tables and scratch are built once.

    Threads may share it; they take turns.

    Args:
        program: A Program, or a TrainableProgram, whose parameter values come with each call.
        precision: Of the sweeps and of the values. Derivatives are added up in float64 either way. Where noise
            makes a mixture of the results, arithmetic is in float64 either way; losses alone, with all photons kept,
            make none.
        memory_limit: Bytes that all threads may use; by default half of the machine's memory. Amplitudes of all photon
            numbers are kept for the way back if that fits. Otherwise :attr:`kept_levels` of them are, the others are
            computed again (with noisy sources all are kept); with less memory still, fewer datapoints are computed side
            by side. Results are the same.
        threads: Threads over rows; by default PHOTONLINK_THREADS, or one per usable CPU, or fewer where memory is
            short. Results do not depend on it.

    Raises:
        ProgramError: The readout has no derivatives, phases are rounded to a grid, or nothing fits the limit.

    Examples:
        >>> import numpy as np
        >>> import photonlink as phl
        >>> program = phl.Program.reservoir(modes=4, photons=2, features=4, readout=phl.Readout.correlators())
        >>> differentiator = phl.gradients.Differentiator(program, precision="float32")
        >>> differentiator.value(np.zeros(4)).dtype, differentiator.levels == differentiator.kept_levels
        (dtype('float32'), True)
    """

    def __init__(
        self,
        program: Program | TrainableProgram,
        *,
        precision: Precision = "float64",
        memory_limit: int | None = None,
        threads: int | None = None,
    ) -> None:
        if not isinstance(program, Program | TrainableProgram):
            raise ProgramError(f"program is {_checks.shown(program)}, expected a Program or TrainableProgram")
        self._trainable = program if isinstance(program, TrainableProgram) else None
        self._program = program if isinstance(program, Program) else program.base
        limit = half_of_memory() if memory_limit is None else _checks.integer("memory_limit", memory_limit, 0, 2**63)
        count = 0 if threads is None else _checks.integer("threads", threads, 1, 1024)
        name = _validate.checked_precision(precision)
        self._core = _core.Differentiator(self._program.spec, name, limit, count)
        self._dtype = np.dtype(name)
        self._lock = threading.Lock()
        self._placed: tuple[str, bytes] | None = None  # parameter values whose interferometers are in place

    @property
    def memory_bytes(self) -> int:
        """Tables and scratch of all threads, as predicted and bounded."""
        return int(self._core.memory_bytes)

    @property
    def levels(self) -> int:
        """Photon numbers whose amplitudes the way back needs; 0 for readouts with a closed form."""
        return int(self._core.levels)

    @property
    def kept_levels(self) -> int:
        """How many of these are kept; the others are computed again."""
        return int(self._core.kept_levels)

    def value(self, x: ArrayLike, *, parameters: ArrayLike | None = None) -> NDArray[Any]:
        """Exact observables, without derivatives.

        Args:
            x: (B, F) or (F,) features.
            parameters: (T,) radians, of a TrainableProgram.

        Returns:
            (B, output_size) or (output_size,) of the differentiator's precision.

        Raises:
            ProgramError: A shape is wrong or a number not finite.
        """
        phases = self._program.encode(x)
        with self._lock:
            self._place(parameters)
            values = self._core.value(phases)
        return values if np.ndim(x) == 2 else np.asarray(values[0])

    def value_and_vjp(
        self, x: ArrayLike, cotangent: ArrayLike, *, parameters: ArrayLike | None = None, interferometers: bool = True
    ) -> Vjp:
        """Exact observables, and derivatives of L = sum(cotangent * observables).

        Args:
            x: (B, F) or (F,) features.
            cotangent: dL / dobservable, shaped as the observables.
            parameters: (T,) radians, of a TrainableProgram.
            interferometers: Whether derivatives with respect to them are wanted, which takes a little time; those with
                respect to the parameters of a TrainableProgram come anyway.

        Raises:
            ProgramError: A shape is wrong or a number not finite.
        """
        value, by_phase, by_matrix, by_parameter = self._pull_back(x, cotangent, parameters, True, interferometers)
        by_feature = feature_gradients(self._program, by_phase)
        single = np.ndim(x) == 1
        return Vjp(
            value=value[0] if single else value,
            features=by_feature[0] if single else by_feature,
            phases=by_phase[0] if single else by_phase,
            interferometers=by_matrix if interferometers else None,
            parameters=by_parameter,
        )

    def vjp(
        self, x: ArrayLike, cotangent: ArrayLike, *, parameters: ArrayLike | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """``features`` and ``parameters`` of :meth:`value_and_vjp` alone: faster, where nobody reads the observables.

        Args:
            x: (B, F) or (F,) features.
            cotangent: dL / dobservable, shaped as the observables.
            parameters: (T,) radians, of a TrainableProgram.

        Returns:
            DL / dfeature (B, F) or (F,) float64, and dL / dvalue (T,) float64 or, for a Program, None.

        Raises:
            ProgramError: A shape is wrong or a number not finite.
        """
        _, by_phase, _, by_parameter = self._pull_back(x, cotangent, parameters, False, False)
        by_feature = feature_gradients(self._program, by_phase)
        return by_feature[0] if np.ndim(x) == 1 else by_feature, by_parameter

    def _pull_back(
        self, x: ArrayLike, cotangent: ArrayLike, parameters: ArrayLike | None, value: bool, interferometers: bool
    ) -> tuple[Any, NDArray[np.float64], Any, NDArray[np.float64] | None]:
        """Values, and derivatives by phases, interferometers and parameters, for rows; None where not asked."""
        phases = self._program.encode(x)
        weights = checked_cotangent(cotangent, self._dtype, np.ndim(x) == 1, len(phases), self._program.output_size)
        with self._lock:
            self._place(parameters)
            values, by_phase, by_matrix = self._core.pull_back(
                phases, weights, want_values=value, want_interferometers=interferometers or parameters is not None
            )
        by_parameter = None
        if self._trainable is not None and parameters is not None:
            by_parameter = self._trainable.pull_back(parameters, by_matrix)
        return values, by_phase, by_matrix, by_parameter

    def _place(self, parameters: ArrayLike | None) -> None:
        """Puts the interferometers of these parameter values in place."""
        if (parameters is None) != (self._trainable is None):
            raise ProgramError(
                "parameters are values of a TrainableProgram's parameters: give them for such a program, and only then"
            )
        if self._trainable is None:
            return
        values = np.asarray(parameters)
        wanted = values.dtype.char, values.tobytes()
        if wanted != self._placed:
            self._placed = None
            self._core.set_interferometers(self._trainable.interferometers(values))
            self._placed = wanted


def value_and_vjp(
    program: Program | TrainableProgram,
    x: ArrayLike,
    cotangent: ArrayLike,
    *,
    parameters: ArrayLike | None = None,
    precision: Precision = "float64",
    memory_limit: int | None = None,
    threads: int | None = None,
) -> Vjp:
    """Exact observables of datapoints, and derivatives of L = sum(cotangent * observables), once.

    Builds its tables anew in every call; use a :class:`Differentiator` for repeated work.

    Args:
        program: A Program or TrainableProgram.
        x: (B, F) or (F,) features.
        cotangent: dL / dobservable, (B, output_size) or (output_size,).
        parameters: (T,) radians, of a TrainableProgram.
        precision: Of the sweeps and of the values.
        memory_limit: Bytes; see :class:`Differentiator`.
        threads: Threads over rows; see :class:`Differentiator`.

    Raises:
        ProgramError: A shape is wrong, a number is not finite, or as :class:`Differentiator`.

    Examples:
        >>> import numpy as np
        >>> import photonlink as phl
        >>> program = phl.Program.layered(2, [1, 0]).mzi_mesh([np.pi / 2], [0]).phases(["a"]).mzi_mesh([np.pi / 2], [0])
        >>> program = program.build(phl.Readout.mode_expectations(space="fock"))
        >>> float(value_and_vjp(program, [0.5], [1.0, 0.0]).features[0].round(6)), float((-np.sin(0.5) / 2).round(6))
        (-0.239713, -0.239713)
    """
    differentiator = Differentiator(program, precision=precision, memory_limit=memory_limit, threads=threads)
    return differentiator.value_and_vjp(x, cotangent, parameters=parameters)
