"""Chips and their figures, each number with its source and date.

Nothing here was measured by photonlink. Sources say how far a number can be trusted: "third party, unchecked" was
published by others than the maker and not verified; "derived" was computed from other figures; "assumption" means
that no figure was found and this one was chosen so that something can be computed at all.

Examples:
    >>> belenos = preset("belenos")
    >>> belenos.modes.value, belenos.clock_hz.value
    (24, 4940000.0)
    >>> round(belenos.kept_per_second(photons=2, p_keep=1.0))
    13358
    >>> belenos.quick_phase_limit.source.split(":")[0]
    'assumption'
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from photonlink._checks import shown
from photonlink.errors import ProgramError

__all__ = ["Figure", "Preset", "preset", "presets"]

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Figure(Generic[T_co]):
    """One number of a chip.

    Attributes:
        value: The number, in the unit that the preset's attribute names.
        source: Where it comes from, and how far it can be trusted.
        date: When it was published or measured, as precisely as known.
    """

    value: T_co
    source: str
    date: str


@dataclass(frozen=True, slots=True)
class Preset:
    """Figures of one chip, or of the flat model.

    An *event* is a detection with at least one photon; a *kept sample* is an event that passes the photon-number and
    post-selection filters. A figure that has no meaning for a preset is None.

    Attributes:
        name: What ``preset()`` and ``Program.fit`` take.
        description: One line.
        chip: Whether this describes a chip; False for the flat model, on which no program can be said to fit.
        flat: Whether kept samples arrive at ``kept_rate_hz`` whatever the program.
        configuration_s: Seconds to load a program.
        phase_update_s: Seconds to change at most ``quick_phase_limit`` physical phases.
        full_update_s: Seconds to change more of them.
        quick_phase_limit: Number of physical phases; 0 means that every change is a quick one.
        kept_rate_hz: Kept samples per second of a flat preset.
        clock_hz: Attempts per second.
        transmittance: End-to-end probability that one photon is detected (source brightness included).
        modes: Modes of the chip, and columns of its universal mesh.
        photons: Largest number of photons.
        input_modes: Modes into which a photon can be sent, one photon each.
        indistinguishability: Hong-Ou-Mandel visibility.
        g2: Second-order correlation of the source at zero delay.
        threshold_detectors: Whether detectors only click, without counting photons.
    """

    name: str
    description: str
    chip: bool
    flat: bool
    configuration_s: Figure[float]
    phase_update_s: Figure[float]
    full_update_s: Figure[float]
    quick_phase_limit: Figure[int]
    kept_rate_hz: Figure[float] | None = None
    clock_hz: Figure[float] | None = None
    transmittance: Figure[float] | None = None
    modes: Figure[int] | None = None
    photons: Figure[int] | None = None
    input_modes: Figure[tuple[int, ...]] | None = None
    indistinguishability: Figure[float] | None = None
    g2: Figure[float] | None = None
    threshold_detectors: Figure[bool] | None = None

    @property
    def attempts_per_second(self) -> float:
        """Attempts of the sources per second; of a flat preset the kept samples, which do not depend on anything."""
        return _value(self.kept_rate_hz if self.flat else self.clock_hz, 0.0)

    def kept_per_second(self, photons: int, p_keep: float = 1.0) -> float:
        """Expected kept samples per second of quantum time.

        Args:
            photons: Photons n that must all be detected.
            p_keep: Probability that an n-photon event passes the post-selection of the readout.

        Returns:
            ``clock * transmittance**photons * p_keep``, or the flat rate.

        Raises:
            ProgramError: If ``photons`` is below 1 or ``p_keep`` lies outside [0, 1].
        """
        if photons < 1 or not 0.0 <= p_keep <= 1.0:
            raise ProgramError(f"expected at least 1 photon and p_keep from 0 to 1, got {photons} and {p_keep}")
        if self.flat:
            return _value(self.kept_rate_hz, 0.0)
        rate: float = _value(self.clock_hz, 0.0) * _value(self.transmittance, 0.0) ** photons * p_keep
        return rate

    def update_s(self, changed_phases: int) -> float:
        """Seconds until ``changed_phases`` physical phases have settled; 0 when none changed."""
        if changed_phases == 0:
            return 0.0
        limit = self.quick_phase_limit.value
        quick = limit == 0 or changed_phases <= limit
        return self.phase_update_s.value if quick else self.full_update_s.value

    def timing(self, photons: int) -> dict[str, Any]:
        """Plain numbers for the controller's clock, by the names of its timing model."""
        return {
            "name": self.name,
            "configuration_s": self.configuration_s.value,
            "phase_update_s": self.phase_update_s.value,
            "full_update_s": self.full_update_s.value,
            "quick_phase_limit": self.quick_phase_limit.value,
            "flat": self.flat,
            "kept_rate_hz": _value(self.kept_rate_hz, 0.0),
            "clock_hz": _value(self.clock_hz, 0.0),
            "transmittance": _value(self.transmittance, 1.0),
            "photons": photons,
        }


def _value(figure: Figure[float] | None, otherwise: float) -> float:
    return otherwise if figure is None else figure.value


_NO_DATE = "no date: assumption"
_ARTICLE = "published flat figure, independent of program and photon number"
_ARTICLE_DATE = "as published; day not recorded"
_QUICK_LIMIT = "assumption: one column of phase shifters, as many as modes; no limit is published"
_QUICK_TIME = "assumption: the flat figure of preset 'article'; none is published for this chip"
_CLOUD = "value reported by the cloud service of the maker"
_FAMILY = "maker's product data"
_THIRD_PARTY = "third party, unchecked"
_BELENOS_SETTLING = (
    f"{_THIRD_PARTY}: 13 to 18 s per circuit setting, independent of shots, middle taken; may include cloud compilation"
)

_MARING = "Maring et al., Nature Photonics 18, 603"

_ASCELLA = Preset(
    name="ascella",
    description="Quandela Ascella (MosaiQ-6): 12 modes, 6 photons",
    chip=True,
    flat=False,
    configuration_s=Figure(
        15.5, "assumption: the figure of preset 'belenos'; no figure for this chip was found", _NO_DATE
    ),
    phase_update_s=Figure(0.020, _QUICK_TIME, _NO_DATE),
    full_update_s=Figure(15.5, "assumption: as long as a configuration", _NO_DATE),
    quick_phase_limit=Figure(12, _QUICK_LIMIT, _NO_DATE),
    clock_hz=Figure(80e6, f"{_CLOUD}; a reseller's page says 4 MHz", "2026"),
    transmittance=Figure(0.0244, f"{_THIRD_PARTY}; about 8 % in Maring et al. 2024", "2026"),
    modes=Figure(12, _FAMILY, "2026"),
    photons=Figure(6, _FAMILY, "2026"),
    input_modes=Figure((0, 2, 4, 6, 8, 10), _FAMILY, "2026"),
    indistinguishability=Figure(0.8636, f"{_CLOUD}; 0.930 in Maring et al. 2024", "2026"),
    g2=Figure(0.0195, f"{_CLOUD}; 0.0073 in Maring et al. 2024", "2026"),
    threshold_detectors=Figure(True, _FAMILY, "2026"),
)
_PRESETS = (
    Preset(
        name="article",
        description="published flat figures: the same rate for every program",
        chip=False,
        flat=True,
        configuration_s=Figure(1.0, _ARTICLE, _ARTICLE_DATE),
        phase_update_s=Figure(0.020, _ARTICLE, _ARTICLE_DATE),
        full_update_s=Figure(1.0, "assumption: as long as a configuration", _NO_DATE),
        quick_phase_limit=Figure(0, "assumption: every phase update is a quick one, as the figure is flat", _NO_DATE),
        kept_rate_hz=Figure(100e3, _ARTICLE, _ARTICLE_DATE),
    ),
    _ASCELLA,
    Preset(
        name="belenos",
        description="Quandela Belenos (MosaiQ-12): 24 modes, 12 photons, 24-mode rectangular mesh",
        chip=True,
        flat=False,
        configuration_s=Figure(15.5, _BELENOS_SETTLING, "July 2026"),
        phase_update_s=Figure(0.020, _QUICK_TIME, _NO_DATE),
        full_update_s=Figure(15.5, f"assumption: as long as a configuration ({_BELENOS_SETTLING})", "July 2026"),
        quick_phase_limit=Figure(24, _QUICK_LIMIT, _NO_DATE),
        clock_hz=Figure(4.94e6, f"{_CLOUD}; a reseller's page says 3 MHz", "2026"),
        transmittance=Figure(
            0.052, f"{_THIRD_PARTY}: 0.0484 to 0.0520 by date; derived from a tutorial of the maker: 0.030", "2026"
        ),
        modes=Figure(24, "limit stated by the cloud service of the maker", "2026"),
        photons=Figure(12, "limit stated by the cloud service of the maker, one photon per input mode", "2026"),
        input_modes=Figure((0, 2, 4, 6, 8, 9, 12, 13, 16, 18, 20, 22), _THIRD_PARTY, "2026"),
        indistinguishability=Figure(0.918, f"{_THIRD_PARTY}: 0.918 or 0.827 by date", "2026"),
        g2=Figure(0.021, f"{_THIRD_PARTY}: 0.021 or 0.182 by date", "2026"),
        threshold_detectors=Figure(True, _FAMILY, "2026"),
    ),
    replace(
        _ASCELLA,
        name="maring2024",
        description="Quandela Ascella as published in 2024: 12 modes, 6 photons",
        transmittance=Figure(0.08, f"{_MARING}: about 8 %", "2024"),
        indistinguishability=Figure(0.93, f"{_MARING}; 0.944 corrected for g2", "2024"),
        g2=Figure(0.0073, _MARING, "2024"),
    ),
)


def presets() -> tuple[Preset, ...]:
    """All presets.

    Examples:
        >>> [preset.name for preset in presets()]
        ['article', 'ascella', 'belenos', 'maring2024']
    """
    return _PRESETS


def preset(name: str) -> Preset:
    """The preset of that name.

    Args:
        name: ``"article"``, ``"ascella"``, ``"belenos"`` or ``"maring2024"``.

    Raises:
        ProgramError: If there is none; the message lists those that exist.
    """
    for candidate in _PRESETS:
        if isinstance(name, str) and candidate.name == name:
            return candidate
    raise ProgramError(f"unknown preset {shown(name)}: expected one of {', '.join(p.name for p in _PRESETS)}")
