"""How a recorded kernel is sampled: on a photonic processor over the link where it can be, else as a state vector."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photonlink._reports import states_at
from photonlink.cudaq.fock.optics import NotLinear, Optics, linear_optics, program
from photonlink.cudaq.fock.recording import Recording
from photonlink.cudaq.fock.statevector import state_vector
from photonlink.errors import ProgramError
from photonlink.noise import Noise
from photonlink.readout import Readout
from photonlink.reservation import reserve

__all__ = ["Settings", "distribution", "sample"]

_NOTHING_LEFT = 1e-20  # the squares of a vector of which only rounding errors are left


@dataclass(frozen=True, slots=True)
class Settings:
    """How kernels are run.

    Attributes:
        qsc: Where linear optics runs; a target of :func:`photonlink.reserve`.
        strict: Whether what ``orca-photonics`` does silently, but no photons would do, is an error.
        memory_limit: Bytes that a state vector may take; None for half of the machine's memory.
        noise: Imperfections of the photons; None for none.
        session: Further options of :func:`photonlink.reserve`.
    """

    qsc: str = "sim"
    strict: bool = False
    memory_limit: int | None = None
    noise: Noise | None = None
    session: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Outcomes:
    """Photon numbers of the measured modes, in order of measurement, and the weight of each row.

    Attributes:
        numbers: (K, measured) integers.
        weights: (K,) counts or probabilities.
        annotations: What they are and where they come from.
    """

    numbers: NDArray[np.integer[Any]]
    weights: NDArray[Any]
    annotations: dict[str, Any]


def sample(kernel: Recording, settings: Settings, shots: int, seed: int) -> tuple[dict[str, int], dict[str, Any]]:
    """Counts of a recorded kernel, keyed by photon numbers in order of measurement, and what is to be said about them.

    Args:
        kernel: What the kernel did.
        settings: Of the target.
        shots: How many times to run it.
        seed: Of the random numbers.

    Raises:
        ProgramError: The kernel cannot be executed as it is.
        PhotonLinkError: The processor failed.
    """
    outcomes = _outcomes(kernel, settings, shots, seed)
    counts = {text: int(weight) for text, weight in _by_text(outcomes, strict=settings.strict).items()}
    return counts, outcomes.annotations


def distribution(kernel: Recording, settings: Settings) -> dict[str, float]:
    """The exact probabilities of what :func:`sample` counts; those that are zero are left out."""
    outcomes = _outcomes(kernel, settings, None, 0)
    return {text: float(weight) for text, weight in _by_text(outcomes, strict=settings.strict).items()}


def _outcomes(kernel: Recording, settings: Settings, shots: int | None, seed: int) -> _Outcomes:
    _check(kernel, settings)
    said = {"modes": kernel.modes, "level": kernel.level, "shots": shots, "strict": settings.strict}
    if not kernel.measured:
        return _Outcomes(np.zeros((0, 0), np.uint8), np.zeros(0), {"method": "none", **said})
    optics = linear_optics(kernel)
    if isinstance(optics, NotLinear):
        return _from_state(kernel, optics, settings, shots, seed, said)
    if optics.saturated and settings.strict:
        raise ProgramError(
            f"create() on qudit {optics.saturated[0]} exceeds level {optics.level}, which holds {optics.level - 1} "
            "photons: raise the level, or select the target with strict=False for the semantics of orca-photonics"
        )
    said["photons"] = photons = sum(optics.photons)
    if settings.strict and settings.noise is not None and settings.noise.g2 > 0 and 2 * photons >= optics.level:
        raise ProgramError(
            f"sources with g2 above 0 may emit up to {2 * photons} photons, and level {optics.level} holds "
            f"{optics.level - 1}: raise the level, or select the target with strict=False"
        )
    return _from_light(kernel, optics, settings, shots, seed, said)


def _check(kernel: Recording, settings: Settings) -> None:
    if kernel.features:
        raise ProgramError(
            f"the kernel uses feature(0) to feature({kernel.features - 1}), which have no values: sample it in a with "
            "statement of photonlink.cudaq.fock.bound(x), or send datapoints to a session of "
            "photonlink.cudaq.fock.program(kernel)"
        )
    if settings.strict and not kernel.measured:
        raise ProgramError("the kernel measures nothing: end it with mz(qudits)")
    if settings.strict and kernel.late:
        raise ProgramError(
            f"qudit {min(kernel.late)} is used after its measurement, which would still come last: measure at the end"
        )


# ---- linear optics


def _from_light(
    kernel: Recording, optics: Optics, settings: Settings, shots: int | None, seed: int, said: dict[str, Any]
) -> _Outcomes:
    """Photon numbers in modes that share no light are known; those of the others come from a processor.

    With noise, no photon number is known: then every mode that holds a photon takes part.
    """
    bright = {mode for mode, photons in enumerate(optics.photons) if photons} if settings.noise else set()
    modes = tuple(sorted(bright.union(optics.lit)))
    states: NDArray[np.integer[Any]]
    if not modes:
        states, weights = np.zeros((1, 0), np.uint8), np.array([1 if shots is None else shots])
        seen = {"method": "definite", "modelled_seconds": None, "clock": None, "simulated": True}
    elif shots is None:
        exact = program(optics, modes, Readout.probs(space="fock"))
        states, weights, seen = np.array(exact.output_keys), exact.simulate(np.zeros(0)), {}
    else:
        states, weights, seen = _on_processor(optics, modes, settings, shots, seed)
    numbers = np.empty((len(states), kernel.modes), np.int64)
    numbers[:] = optics.photons
    numbers[:, list(modes)] = states
    return _Outcomes(numbers[:, kernel.measured], weights, {**said, **seen, "norm_lost": 0.0})


def _on_processor(
    optics: Optics, modes: tuple[int, ...], settings: Settings, shots: int, seed: int
) -> tuple[NDArray[np.integer[Any]], NDArray[Any], dict[str, Any]]:
    optical = program(optics, modes, Readout.samples(space="fock"), noise=settings.noise)
    with reserve(settings.qsc, optical, shots=shots, seed=seed, **settings.session) as session:
        _, report = session.infer(np.zeros(0), return_info=True)
    used, info = session.usage, session.info
    seen = {
        "method": "linear_optics",
        "modelled_seconds": used.quantum_seconds,
        "configuration_seconds": used.configuration_seconds,
        "success_probability": float(report.kept_fraction[0]),
        "noise_method": info.noise_method,
        "clock": info.clock,
        "preset": info.preset,
        "chip": info.chip,
        "simulated": info.simulated,
        "qsc": info.target,
    }
    counts = report.counts[0]
    return states_at(session.program, counts.index), counts.count, seen


# ---- state vectors


def _from_state(
    kernel: Recording, why: NotLinear, settings: Settings, shots: int | None, seed: int, said: dict[str, Any]
) -> _Outcomes:
    if settings.noise is not None:
        raise ProgramError(f"noise is that of photons in linear optics, and this kernel is none: {why.reason}")
    modes = tuple(sorted({mode for operation in kernel.operations for mode in operation.modes}))
    try:
        state = state_vector(kernel, modes, strict=settings.strict, memory_limit=settings.memory_limit)
    except ProgramError as error:
        if why.needed_level is not None:
            error.add_note(f"{why.reason}: with qudit({why.needed_level}) or more the kernel needs no state vector")
        raise
    squares = state.squares
    norm = float(squares.sum())
    if norm < _NOTHING_LEFT:
        raise ProgramError(f"nothing is left of the state: {why.reason}; raise the level")
    seen = {
        "method": "state_vector",
        "why": why.reason,
        "photons": None,
        "modelled_seconds": None,
        "clock": None,
        "simulated": True,
        "norm_lost": 1.0 - norm,
    }
    index, weights = _draw(squares, shots, seed) if shots is not None else (slice(None), squares / norm)
    numbers = np.zeros((len(weights), len(kernel.measured)), np.int64)
    for column, mode in enumerate(kernel.measured):
        if mode in modes:
            numbers[:, column] = state.numbers(mode)[index]
    return _Outcomes(numbers, weights, {**said, **seen})


def _draw(squares: NDArray[np.float64], shots: int, seed: int) -> tuple[NDArray[np.intp], NDArray[Any]]:
    cumulated = np.cumsum(squares)
    uniform = np.random.Generator(np.random.PCG64(seed)).random(shots) * cumulated[-1]
    inside = np.minimum(uniform, np.nextafter(cumulated[-1], 0.0))  # the product may have been rounded up
    return np.unique(np.searchsorted(cumulated, inside, side="right"), return_counts=True)


# ---- texts


def _by_text(outcomes: _Outcomes, *, strict: bool) -> dict[str, Any]:
    """Sums weights by the text of the photon numbers, as CUDA-Q keys its counts."""
    if strict and outcomes.numbers.max(initial=0) > 9:
        raise ProgramError(
            "a mode shows 10 photons or more, whose digits run into those of other modes in the keys of the counts: "
            "read the kernel through photonlink.cudaq.fock.program(kernel), or select the target with strict=False"
        )
    summed: defaultdict[str, Any] = defaultdict(int)
    rows: Iterable[list[int]] = outcomes.numbers.tolist()
    for numbers, weight in zip(rows, outcomes.weights.tolist(), strict=True):
        if weight:
            summed["".join(map(str, numbers))] += weight
    return dict(summed)
