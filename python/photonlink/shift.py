"""Photonic parameter-shift gradients: derivatives from shots, on any session.

A phase shifter multiplies a Fock state by exp(i n phase), so that a probability of n photons is a trigonometric
polynomial of degree n in each phase, and 2n values at shifted phases give its derivative exactly:

    f'(0) = sum over k = 1..2n of (-1)^(k-1) / (4n sin^2(s_k / 2)) f(s_k),   s_k = (2k - 1) pi / (2n)

(Pappalardo et al., arXiv 2410.02726; Hoch et al., arXiv 2409.16369; coefficients: Wierichs et al., Quantum 6, 677.)
Mean photon numbers in the full Fock space have degree 1 and two-mode correlators degree 2; sources that emit more
photons than expected (g2) raise the degree. A feature that drives several phases gets the sum over all of them.

Readouts that are renormalised, because only some events are kept, are quotients N / K of two such polynomials, with K
the kept fraction. Both are shifted, and d(N / K) = (dN - (N / K) dK) / K. Estimates of unnormalised readouts are
unbiased. A quotient of estimates has a bias of O(1 / shots) where the kept fraction is itself estimated, as on
hardware; the simulated target knows its kept fractions exactly, so that its estimates are unbiased, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from photonlink import _checks, _core, _validate
from photonlink.encoding import Encoding
from photonlink.errors import ProgramError
from photonlink.fit import Fit
from photonlink.program import Program
from photonlink.session import Session

__all__ = ["ShiftCost", "ShiftGradient", "parameter_shift", "phase_program", "shift_cost"]

Floats = NDArray[np.float64]

# Results of one call in flight at most, so that a distribution per setting does not fill the memory.
_CHUNK_BYTES = 64 << 20


@dataclass(frozen=True, eq=False)
class ShiftGradient:
    """Estimated derivatives of L = sum(cotangent * value) for B datapoints. A single datapoint has no axis B.

    Attributes:
        value: (B, output_size) float64, observables at the unshifted phases.
        features: (B, F) float64, dL / dfeature.
        phases: (B, P) float64, dL / dphase.
        settings_per_phase: Shifted settings that one phase takes.
        tokens: Datapoints that the session executed for this.
        quantum_seconds: Modelled time of them on the hardware of the session's clock and preset; None for exact
            sessions, whose results no hardware has (:func:`shift_cost` says what shots would take).
    """

    value: Floats
    features: Floats
    phases: Floats
    settings_per_phase: int
    tokens: int
    quantum_seconds: float | None


@dataclass(frozen=True)
class ShiftCost:
    """What a parameter-shift gradient takes; see :func:`shift_cost`.

    Attributes:
        settings_per_phase: Shifted settings that one phase takes.
        tokens: Datapoints, the unshifted ones included.
        quantum_seconds: Modelled time on the chip: one configuration, then updates and acquisitions.
        fit: The figures that it is based on.
    """

    settings_per_phase: int
    tokens: int
    quantum_seconds: float
    fit: Fit


def phase_program(program: Program) -> Program:
    """The same optics with one feature per phase, in radians: what a session for gradients is reserved with.

    Examples:
        >>> import photonlink as phl
        >>> twice = phl.Program.layered(2, [1, 0]).haar(1).phases(["a", "a"], modes=[0, 1]).haar(2).build()
        >>> phl.gradients.phase_program(twice).features
        ('phase0', 'phase1')
    """
    phases = _checked(program).phases_per_datapoint
    encoding = Encoding(
        row_begin=np.arange(phases + 1, dtype=np.uint32),
        term_feature=np.arange(phases, dtype=np.uint32),
        term_weight=np.ones(phases),
        offset=np.zeros(phases),
    )
    return replace(program, features=tuple(f"phase{p}" for p in range(phases)), encoding=encoding)


def shift_cost(program: Program, rows: int, shots: int, preset: str = "article") -> ShiftCost:
    """Tokens and modelled time of the gradients of ``rows`` datapoints, without running them.

    Settings are ordered so that one phase differs from the setting before, where the chip can change one alone.

    Args:
        program: The program.
        rows: Number of datapoints.
        shots: Kept samples per setting.
        preset: Name of a preset of :mod:`photonlink.presets`.

    Raises:
        ProgramError: No such preset, or noise rounds phases so that they cannot be shifted exactly.

    Examples:
        >>> import photonlink as phl
        >>> program = phl.Program.reservoir(modes=6, photons=3, features=6)
        >>> cost = shift_cost(program, rows=1, shots=1000)
        >>> cost.settings_per_phase, cost.tokens, round(cost.quantum_seconds, 2)
        (6, 37, 2.11)
    """
    _checked(program)
    rows = _checks.integer("rows", rows, 0, 2**63 - 1)
    shots = _checks.integer("shots", shots, 1, 2**32 - 1)
    fit = program.fit(preset)
    phases, settings = program.phases_per_datapoint, 2 * _core.phase_degree(program.spec)
    tokens = rows * (1 + phases * settings)
    if fit.realisation == "compiled":
        updates = tokens * fit.preset.update_s(fit.physical_phases_per_datapoint)
    else:  # a new datapoint, a setting of the next phase (which puts back the last one), of the same phase
        all_phases, two, one = (fit.preset.update_s(k) for k in (phases, min(phases, 2), min(phases, 1)))
        updates = rows * (all_phases + phases * (two + (settings - 1) * one))
    acquisition = shots / fit.kept_per_second if fit.kept_per_second else float("inf")
    return ShiftCost(settings, tokens, fit.preset.configuration_s.value + updates + tokens * acquisition, fit)


def parameter_shift(
    session: Session, x: ArrayLike, cotangent: ArrayLike, *, program: Program | None = None
) -> ShiftGradient:
    """Derivatives of L = sum(cotangent * observables) from shifted settings, executed by a session.

    Each datapoint takes 1 + P * settings tokens. Phases must be shifted one by one: reserve the session with
    ``phase_program(program)`` and pass ``program``. A session of the program itself will do where each phase has a
    feature of its own, as in a reservoir; then ``program`` is not needed. With an exact session the result is exact.

    Args:
        session: Any open session.
        x: (B, F) or (F,) features of the program.
        cotangent: dL / dobservable, (B, output_size) or (output_size,).
        program: The program to differentiate, if the session was reserved with its ``phase_program``.

    Raises:
        ProgramError: The session's program cannot shift one phase alone, does not belong to ``program``, has a samples
            readout or rounded phases; or a shape is wrong.
        PhotonLinkError: As ``session.infer``.

    Examples:
        >>> import numpy as np
        >>> import photonlink as phl
        >>> program = phl.Program.reservoir(modes=4, photons=2, features=4, readout=phl.Readout.correlators("fock"))
        >>> x, cotangent = np.zeros((1, 4)), np.ones((1, 6))
        >>> with phl.reserve("sim", program, shots=100) as session:
        ...     gradient = phl.gradients.parameter_shift(session, x, cotangent)
        >>> gradient.settings_per_phase, gradient.tokens, round(gradient.quantum_seconds, 3)
        (4, 17, 0.357)
    """
    _checks.instance("session", session, Session, "an open session of photonlink.reserve")
    wanted = session.program if program is None else _checked(program)
    if wanted.readout.kind == "samples":
        raise ProgramError("a samples readout has no derivatives: use probabilities, expectations or correlators")
    feature, weight = _levers(session.program, program)
    features = _checks.array("x", x, np.float64)
    base = wanted.encode(features) if program is not None else _validate.checked_rows(features, wanted.features)
    weights = checked_cotangent(cotangent, np.float64, features.ndim == 1, len(base), wanted.output_size)
    shifts, coefficients = _rule(_core.phase_degree(wanted.spec))
    values = np.empty_like(weights)
    by_phase = np.empty((len(base), len(feature)))
    seconds, timed, tokens = 0.0, True, 0
    for row in range(len(base)):
        settings = np.repeat(base[row : row + 1], 1 + len(feature) * len(shifts), axis=0)
        for phase, (column, scale) in enumerate(zip(feature, weight, strict=True)):
            first = 1 + phase * len(shifts)
            settings[first : first + len(shifts), column] += shifts / scale
        outcome = _Outcome(*_run(session, settings, weights[row]))
        values[row] = outcome.first
        by_phase[row] = outcome.slopes(coefficients)
        tokens += len(settings)
        timed = timed and outcome.seconds is not None
        seconds += outcome.seconds or 0.0
    by_feature = feature_gradients(wanted, by_phase)
    single = features.ndim == 1
    return ShiftGradient(
        value=values[0] if single else values,
        features=by_feature[0] if single else by_feature,
        phases=by_phase[0] if single else by_phase,
        settings_per_phase=len(shifts),
        tokens=tokens,
        quantum_seconds=seconds if timed else None,
    )


def check_shiftable(program: Program) -> None:
    """Raises ProgramError unless a session of this program can shift its phases one by one; the message says why."""
    if program.readout.kind == "samples":
        raise ProgramError("a samples readout has no derivatives: use probabilities, expectations or correlators")
    _levers(program, None)
    _core.phase_degree(program.spec)


def feature_gradients(program: Program, by_phase: Floats) -> Floats:
    """From dL / dphase (B, P) to dL / dfeature (B, F): each feature sums over the phases that it drives."""
    encoding = program.encoding
    out = np.zeros((len(by_phase), len(program.features)))
    terms = (encoding.row_begin[1:] - encoding.row_begin[:-1]).astype(np.int64)
    phase = np.repeat(np.arange(len(terms)), terms)
    np.add.at(out.T, encoding.term_feature, (by_phase[:, phase] * encoding.term_weight).T)
    return out


def checked_cotangent(cotangent: ArrayLike, dtype: DTypeLike, single: bool, rows: int, outputs: int) -> NDArray[Any]:
    """The cotangent as (rows, outputs), if it has the shape of the observables of so many rows, or of a single one."""
    weights = _checks.array("cotangent", cotangent, dtype)
    expected = (outputs,) if single else (rows, outputs)
    if weights.shape != expected:
        raise ProgramError(f"cotangent has shape {weights.shape}, expected that of the observables, {expected}")
    return np.atleast_2d(weights)


@dataclass(frozen=True)
class _Outcome:
    """The settings of one datapoint: the unshifted one, then those of each phase."""

    first: Floats  # observables of the unshifted setting
    losses: Floats  # sum(cotangent * observables) of each setting
    kept: Floats  # kept fraction of each setting
    seconds: float | None

    def slopes(self, coefficients: Floats) -> Floats:
        """DL / dphase by the quotient rule; without renormalisation the kept fraction is 1 and has no slope."""
        if self.kept[0] == 0:
            return np.zeros((len(self.kept) - 1) // len(coefficients))
        kept = self.kept[1:].reshape(-1, len(coefficients))
        numerators = kept * self.losses[1:].reshape(-1, len(coefficients))
        slopes: Floats = (numerators @ coefficients - self.losses[0] * (kept @ coefficients)) / self.kept[0]
        return slopes


def _checked(program: Program) -> Program:
    _checks.instance("program", program, Program, "a photonlink.Program")
    return program


def _run(session: Session, settings: Floats, cotangent: Floats) -> tuple[Floats, Floats, Floats, float | None]:
    first: Floats | None = None
    losses, kept, times = [], [], []
    for chunk in _chunks(settings, cotangent.size):
        values, info = session.infer(chunk, return_info=True)
        y = np.asarray(values, np.float64)
        first = y[0].copy() if first is None else first
        losses.append(y @ cotangent)
        kept.append(np.asarray(info.kept_fraction))
        times.append(info.quantum_seconds)
    assert first is not None  # there is at least the unshifted setting
    seconds = None if any(t is None for t in times) else float(sum(t.sum() for t in times))
    return first, np.concatenate(losses), np.concatenate(kept), seconds


def _chunks(settings: Floats, outputs: int) -> Iterator[Floats]:
    rows = max(1, _CHUNK_BYTES // (8 * max(1, outputs)))
    for begin in range(0, len(settings), rows):
        yield settings[begin : begin + rows]


def _rule(degree: int) -> tuple[Floats, Floats]:
    """Shifts in radians and their coefficients."""
    k = np.arange(1, 2 * degree + 1)
    shifts = (2 * k - 1) * np.pi / (2 * degree)
    return shifts, (-1.0) ** (k - 1) / (4 * degree * np.sin(shifts / 2) ** 2)


def _levers(carrier: Program, program: Program | None) -> tuple[NDArray[np.uint32], Floats]:
    """For each phase, the feature of the session's program that drives it alone, and its weight."""
    if program is not None and carrier != phase_program(program):
        raise ProgramError(
            "the session runs another program: reserve it with photonlink.gradients.phase_program(program)"
        )
    encoding = carrier.encoding
    if encoding.dac_bits:
        raise ProgramError(
            f"phases of the session are rounded to {encoding.dac_bits} bits, so that exact shifts cannot be set: "
            "reserve it with photonlink.gradients.phase_program(program), whose phases are not, with program=program"
        )
    own = (np.diff(encoding.row_begin.astype(np.int64)) == 1).all() and encoding.term_weight.all()
    if not own or len(set(encoding.term_feature.tolist())) != encoding.term_feature.size:
        raise ProgramError(
            "a feature of the session's program drives several phases, or a phase depends on several features or on "
            "none, so that phases cannot be shifted one by one: reserve the session with "
            "photonlink.gradients.phase_program(program) and pass program=program"
        )
    return encoding.term_feature, encoding.term_weight
