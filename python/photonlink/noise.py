"""Imperfect sources, loss and phases, with the parameters and the meaning of Perceval's ``NoiseModel``.

How a noisy program works:

* Every expected photon comes from a source of its own. It fires with probability ``brightness``; ``g2`` says how often
  it then emits a second photon. Every photon is detected with probability ``transmittance``, wherever it leaves: loss
  that is equal in all modes commutes with the interferometers.
* A source's first photon is in the state that all sources share with probability ``sqrt(indistinguishability)``, else
  in a state of its own. A second photon is in a state of its own, or (``g2_distinguishable=False``) in the shared one.
  Photons in the shared state interfere; every other photon goes its way alone.
* An event is kept if its detectors show at least ``Program.min_detected_photons`` photons (clicks, for threshold
  detectors) and the readout's space holds what they show. Results are renormalised over kept events, and
  ``kept_fraction`` is the probability that one attempt of the sources gives a kept event, all loss included.
* ``phase_error`` and ``phase_imprecision`` act on phase shifters: on those that features drive, and, where a circuit is
  read with ``Program.from_perceval``, on its fixed ones. A phase is reduced to [0, 2 pi), the error of its phase
  shifter is added, and the sum is rounded to a multiple of the imprecision. Errors are drawn once per program, with
  ``phase_seed``, in the order in which Perceval draws them from the same seed. Interferometers that were given as
  matrices are taken as they are, as Perceval takes its ``Unitary`` components.

Examples:
    >>> import numpy as np
    >>> import photonlink as phl
    >>> noise = phl.Noise(transmittance=0.5, indistinguishability=0.9)
    >>> splitter = phl.Program.layered(2, [1, 1]).mzi_mesh([np.pi / 2], [0.0])
    >>> program = splitter.build(phl.Readout.probs("fock"), noise=noise)
    >>> program.output_keys
    ((2, 0), (1, 1), (0, 2))
    >>> program.simulate(np.zeros(0)).round(6).tolist()  # without noise, two photons always leave together
    [0.475, 0.05, 0.475]
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, fields
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from photonlink._checks import boolean, one_of, shown
from photonlink.errors import ProgramError
from photonlink.presets import preset as find_preset

__all__ = ["Detectors", "Noise"]

Detectors = Literal["pnr", "threshold"]


@dataclass(frozen=True, slots=True)
class Noise:
    """Parameters of imperfect sources, loss and phase shifters; see the module for what they do. Defaults are ideal.

    Attributes:
        brightness: Probability that a source fires, 0 to 1.
        transmittance: Probability that a photon is detected, 0 to 1: the product of everything that loses photons.
        indistinguishability: Mean overlap of the wave packets of two photons (Hong-Ou-Mandel visibility), 0 to 1.
        g2: Second-order correlation of a source at zero delay, 0 to 1; ``brightness * g2`` is at most 0.5.
        g2_distinguishable: Whether the second photon of a source is in a state of its own.
        phase_error: Largest error of a phase shifter in radians, 0 to pi; errors are uniform in [-e, e].
        phase_imprecision: Grid of the phase shifters in radians; 0 for none.
        phase_seed: Of the one draw of all phase errors.

    Raises:
        ProgramError: If a parameter is out of range.

    Examples:
        >>> Noise(transmittance=2.0)
        Traceback (most recent call last):
        ...
        photonlink.errors.ProgramError: transmittance is 2.0, expected a number from 0 to 1
    """

    brightness: float = 1.0
    transmittance: float = 1.0
    indistinguishability: float = 1.0
    g2: float = 0.0
    g2_distinguishable: bool = True
    phase_error: float = 0.0
    phase_imprecision: float = 0.0
    phase_seed: int = 0

    def __post_init__(self) -> None:
        for name in ("brightness", "transmittance", "indistinguishability", "g2"):
            self._set(name, 1.0, "a number from 0 to 1")
        self._set("phase_error", math.pi, "a number of radians from 0 to pi")
        self._set("phase_imprecision", math.inf, "a finite number of radians of at least 0")
        object.__setattr__(self, "g2_distinguishable", boolean("g2_distinguishable", self.g2_distinguishable))
        if self.brightness * self.g2 > 0.5:
            raise ProgramError(
                f"brightness * g2 is {self.brightness * self.g2:g}, expected at most 0.5: no source that emits two "
                "photons at most has more"
            )
        seed = self.phase_seed
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**64:
            raise ProgramError(f"phase_seed is {shown(seed)}, expected an unsigned 64-bit integer")
        object.__setattr__(self, "phase_seed", int(seed))

    def _set(self, name: str, most: float, expected: str) -> None:
        value = getattr(self, name)
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not (0.0 <= number <= most and number < math.inf):
            raise ProgramError(f"{name} is {shown(value)}, expected {expected}")
        object.__setattr__(self, name, number + 0.0)  # turns -0.0 into 0.0

    @classmethod
    def from_perceval(cls, model: Any, *, phase_seed: int = 0) -> Noise:
        """The noise of a ``perceval.NoiseModel``.

        Args:
            model: The model; None is ideal.
            phase_seed: Of the draw of phase errors, which the model leaves open.

        Raises:
            ProgramError: If this is no noise model.
        """
        if model is None:
            return cls(phase_seed=phase_seed)
        names = [field.name for field in fields(cls) if field.name != "phase_seed"]
        if not all(hasattr(model, name) for name in names):
            raise ProgramError(f"expected a perceval.NoiseModel, got {type(model).__name__}")
        return cls(**{name: getattr(model, name) for name in names}, phase_seed=phase_seed)

    @classmethod
    def preset(cls, name: str) -> Noise:
        """Sources and loss of a chip, from the figures of :mod:`photonlink.presets` (with their dates and sources).

        The end-to-end transmittance of a chip includes its sources, so that ``brightness`` is 1. No figures of phase
        errors were found for these chips. Detectors are not part of the noise: give ``detectors="threshold"`` to the
        program.

        Args:
            name: ``"ascella"``, ``"belenos"`` or ``"maring2024"``.

        Raises:
            ProgramError: If there is no such preset, or it describes no chip.

        Examples:
            >>> Noise.preset("ascella").transmittance
            0.0244
        """
        chip = find_preset(name)
        if chip.transmittance is None or chip.indistinguishability is None or chip.g2 is None:
            raise ProgramError(f"preset {name!r} holds flat figures of no particular chip, and no noise: use 'ascella'")
        return cls(
            transmittance=chip.transmittance.value,
            indistinguishability=chip.indistinguishability.value,
            g2=chip.g2.value,
        )

    @property
    def ideal(self) -> bool:
        """Whether nothing is imperfect."""
        return self.perfect_phases and self == Noise(
            g2_distinguishable=self.g2_distinguishable, phase_seed=self.phase_seed
        )

    @property
    def perfect_phases(self) -> bool:
        """Whether phase shifters do exactly what they are told."""
        return self.phase_error == 0.0 and self.phase_imprecision == 0.0


class PhaseDraws:
    """The errors of phase shifters, drawn one by one as Perceval draws them from the same seed."""

    def __init__(self, noise: Noise) -> None:
        self.noise = noise
        self._generator = random.Random(noise.phase_seed)

    def next(self, max_error: float = 0.0) -> float:
        """The next phase shifter's error; one with a `max_error` of its own has that instead of the general one."""
        own = max_error * self._generator.uniform(-1, 1)
        return own if own != 0 else self.noise.phase_error * self._generator.uniform(-1, 1)


def drawn_errors(noise: Noise | None, phases: int) -> NDArray[np.float64]:
    """Errors (P,) of a program's phases in radians, in their order."""
    if noise is None or noise.phase_error == 0.0:
        return np.zeros(phases)
    draws = PhaseDraws(noise)
    return np.array([draws.next() for _ in range(phases)], np.float64)


def executed_phase(phase: float, error: float, noise: Noise) -> float:
    """What a fixed phase shifter does when told `phase`, radians."""
    shifted = phase % (2 * math.pi) + error
    grid = noise.phase_imprecision
    return grid * round(shifted / grid) if grid else shifted


def checked_detectors(detectors: object) -> Detectors:
    return cast(Detectors, one_of("detectors", detectors, get_args(Detectors)))


def checked_min_detected(value: int | None, photons: int) -> int | None:
    """The filter, or None where it is the default: as many as the input state has photons."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 0 <= value <= photons:
        raise ProgramError(
            f"min_detected_photons is {shown(value)}, expected an integer from 0 to the {photons} photons of the input "
            "state"
        )
    return None if value == photons else int(value)
