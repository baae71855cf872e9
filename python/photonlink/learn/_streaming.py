"""Photonic reservoir computing with feedback: the phases of a step depend on its input and on the last observables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from photonlink import _checks
from photonlink._validate import checked_precision
from photonlink.errors import ProgramError, SessionClosed
from photonlink.info import SessionInfo, Usage
from photonlink.learn._sessions import Keeper, Target, check_options, portable
from photonlink.program import Precision, Program
from photonlink.readout import Readout

__all__ = ["StreamingReservoir"]

_MOST_INPUTS = 1 << 16
_STEP = 1e-4  # radians; errors of the derivatives are far below what weights have to be right to
_WEAKEST_RESPONSE = 0.1  # of the strongest: feeding back weaker ones would amplify the noise of samples


class StreamingReservoir:
    """A photonic reservoir for time series, one step per call (feedback as in Kobayashi et al., arXiv 2406.15783).

    Features of step t are ``bias + input_weights @ u(t) + feedback_weights @ (y(t - 1) - rest)``, and its result is
    y(t); before the first step, y is at rest. Light itself has no memory: all of it is in the feedback. The loop is
    closed on the caller's side, so that each step is one datapoint over the link, and waits for the one before.

    Args:
        program: What is executed; :meth:`random` makes one.
        input_weights: (F, I) float, features per unit of each of I inputs.
        feedback_weights: (F, O) float, features per unit of each of O observables.
        bias: (F,) float, features without input and feedback; by default zeros.
        rest: (O,) float, observables that feed nothing back; by default zeros.
        target: Where it runs: a target's name, or an open session of the program. A session that it reserves itself
            opens with the first step and stays open until :meth:`close` or the end of a ``with`` statement.
        shots: Kept samples per step; None for exact observables, which no hardware has.
        seed: Of the sampling.
        precision: Of the simulation and of the observables.
        options: Further options of :func:`photonlink.reserve`, e.g. ``{"preset": "belenos"}``.

    Attributes:
        program: The program.

    Raises:
        ProgramError: The weights do not fit the program.

    Examples:
        >>> with StreamingReservoir.random(inputs=1, modes=6, photons=3, seed=1) as reservoir:
        ...     y = reservoir.run([[0.1], [0.5], [0.2]])
        ...     y.shape, reservoir.step([0.3]).shape, reservoir.usage.tokens
        ((3, 20), (20,), 4)
    """

    def __init__(
        self,
        program: Program,
        *,
        input_weights: ArrayLike,
        feedback_weights: ArrayLike,
        bias: ArrayLike | None = None,
        rest: ArrayLike | None = None,
        target: Target = "sim",
        shots: int | None = None,
        seed: int = 0,
        precision: Precision = "float64",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(program, Program) or program.readout.kind == "samples":
            raise ProgramError(
                f"program is {_checks.shown(program)}, expected a photonlink.Program with observables, not samples"
            )
        check_options(options)
        features, outputs = len(program.features), program.output_size
        self.program = program
        self._input_weights = _matrix("input_weights", input_weights, (features, None))
        self._feedback_weights = _matrix("feedback_weights", feedback_weights, (features, outputs))
        self._bias = _vector("bias", bias, features)
        self._rest = _vector("rest", rest, outputs)
        self._target = target
        checked_precision(precision)
        self._options = {"shots": shots, "seed": seed, "precision": precision, **(options or {})}
        self._keeper = Keeper(keep=True)
        self._closed = False
        self._last = self._rest

    @classmethod
    def random(
        cls,
        inputs: int = 1,
        *,
        modes: int = 8,
        photons: int = 3,
        input_scale: float = 0.5,
        feedback_gain: float = 0.9,
        readout: Readout | None = None,
        interference: bool = True,
        seed: int = 0,
        **arguments: Any,
    ) -> StreamingReservoir:
        """A reservoir with random interferometer and weights.

        It is ``Program.reservoir`` with one feature per mode. Biases are uniform in [0, 2 pi), input weights in
        +-``input_scale``. Feedback is such that small deviations of the features from the bias come back turned by a
        random orthogonal matrix and multiplied by ``feedback_gain``: near 1 the loop remembers for long, above 1 it
        does not forget. (Directions to which the observables hardly respond are left out.)

        Args:
            inputs: Number of inputs I; best centred around zero.
            modes: Number of modes.
            photons: Number of photons.
            input_scale: Radians per unit of an input, at most.
            feedback_gain: Factor from step to step.
            readout: What is observed and fed back; by default probabilities over unbunched states.
            interference: False for distinguishable photons, as a control.
            seed: Of interferometer, weights and sampling.
            arguments: Of the class: target, shots, precision, options.

        Raises:
            ProgramError: The arguments do not go together.
        """
        inputs = _checks.integer("inputs", inputs, 1, _MOST_INPUTS)
        input_scale = _checks.number("input_scale", input_scale, -math.inf, "a finite number of radians")
        feedback_gain = _checks.number("feedback_gain", feedback_gain, -math.inf, "a finite number")
        program = Program.reservoir(
            modes, photons, _checks.modes_of(modes), seed=seed, readout=readout, interference=interference
        )
        generator = np.random.default_rng(seed)
        bias = generator.uniform(0, 2 * np.pi, size=modes)
        turn, _ = np.linalg.qr(generator.normal(size=(modes, modes)))
        response = np.linalg.pinv(_jacobian(program, bias), rcond=_WEAKEST_RESPONSE)
        return cls(
            program,
            input_weights=input_scale * generator.uniform(-1, 1, size=(modes, inputs)),
            feedback_weights=feedback_gain * turn @ response,
            bias=bias,
            rest=program.simulate(bias),
            seed=seed,
            **arguments,
        )

    # ---- steps

    def step(self, u: ArrayLike) -> NDArray[Any]:
        """One step.

        Args:
            u: (I,) inputs.

        Returns:
            (O,) observables, of the precision.

        Raises:
            ProgramError: The number of inputs is wrong, or one is not finite.
            SessionClosed: The reservoir was closed.
            PhotonLinkError: As :func:`photonlink.reserve` and :meth:`photonlink.Session.infer`.
        """
        inputs = _checks.array("u", u, np.float64)
        return self.run(inputs[np.newaxis])[0] if inputs.ndim == 1 else self._refuse(inputs)

    def run(self, series: ArrayLike) -> NDArray[Any]:
        """Several steps, one after the other; they go on where the last ones ended (see :meth:`reset`).

        Args:
            series: (T, I) inputs.

        Returns:
            (T, O) observables, of the precision.

        Raises:
            As :meth:`step`. After an error, the last observables are those of the last step that succeeded.
        """
        if self._closed:
            raise SessionClosed("the reservoir is closed: make a new one")
        inputs = _checks.array("series", series, np.float64)
        if inputs.ndim != 2 or inputs.shape[1] != self._input_weights.shape[1] or not np.isfinite(inputs).all():
            self._refuse(inputs)
        observed = np.empty((len(inputs), self.program.output_size), self._options["precision"])
        with self._keeper.lend(self._target, self.program, self._options) as session:
            for t, u_t in enumerate(inputs):
                fed_back = self._feedback_weights @ (self._last - self._rest)
                features = self._bias + self._input_weights @ u_t + fed_back
                session.infer(features, out=observed[t])
                self._last = observed[t].astype(np.float64)
        return observed

    def _refuse(self, inputs: NDArray[np.float64]) -> NDArray[Any]:
        width = self._input_weights.shape[1]
        raise ProgramError(
            f"inputs have shape {inputs.shape}, expected finite numbers: ({width},) for a step, (T, {width}) for a run"
        )

    def reset(self) -> None:
        """Forget all steps: the next one is the first."""
        self._last = self._rest

    # ---- the session

    @property
    def usage(self) -> Usage | None:
        """What the session used so far, modelled quantum time included; None before the first step."""
        return self._keeper.usage

    @property
    def info(self) -> SessionInfo | None:
        """What the session runs on; None before the first step."""
        return self._keeper.info

    def __enter__(self) -> StreamingReservoir:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the session, unless it was given. May be repeated; further steps are refused."""
        self._closed = True
        self._keeper.end()

    def __getstate__(self) -> dict[str, Any]:
        """With its memory, and without the session, which the next step reserves anew."""
        return {**self.__dict__, "_keeper": Keeper(keep=True), "_target": portable(self._target)}


def _jacobian(program: Program, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """(O, F) derivatives of observables by features at one datapoint, by central differences."""
    steps = _STEP * np.eye(len(x))
    difference: NDArray[np.float64] = program.simulate(x + steps) - program.simulate(x - steps)
    return difference.T / (2 * _STEP)


def _vector(name: str, values: ArrayLike | None, size: int) -> NDArray[np.float64]:
    vector = np.zeros(size) if values is None else _checks.array(name, values, np.float64).copy()
    if vector.shape != (size,) or not np.isfinite(vector).all():
        raise ProgramError(f"{name} has shape {vector.shape}, expected ({size},) finite numbers")
    return vector


def _matrix(name: str, values: ArrayLike, shape: tuple[int, int | None]) -> NDArray[np.float64]:
    matrix = _checks.array(name, values, np.float64).copy()
    rows, columns = shape
    wanted = f"({rows}, {'inputs' if columns is None else columns})"
    if matrix.ndim != 2 or matrix.shape[0] != rows or columns not in (None, matrix.shape[1]):
        raise ProgramError(f"{name} has shape {matrix.shape}, expected {wanted}")
    if not np.isfinite(matrix).all():
        raise ProgramError(f"{name} holds a number that is not finite")
    return matrix
