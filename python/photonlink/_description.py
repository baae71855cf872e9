"""What a program is: parts that go together, what follows from them, and the bytes that stand for it.

How programs are made and used is in :class:`photonlink.Program`. What only reads one needs no more than this.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from photonlink import _checks, _core, _native, _storage, _validate
from photonlink.encoding import Encoding
from photonlink.errors import ProgramError
from photonlink.noise import Detectors, Noise, checked_detectors, checked_min_detected, drawn_errors
from photonlink.readout import Readout

__all__ = ["Description", "Precision"]

Precision = Literal["float32", "float64"]


@dataclass(frozen=True, eq=False, repr=False)
class Description:
    """A program without its constructors; the attributes are explained in :class:`photonlink.Program`."""

    modes: int
    input_state: tuple[int, ...]
    features: tuple[str, ...]
    interferometers: NDArray[np.complex128]
    phase_layers: NDArray[np.uint32]
    phase_modes: NDArray[np.uint32]
    encoding: Encoding
    readout: Readout
    interference: bool = True
    noise: Noise | None = None
    detectors: Detectors = "pnr"
    min_detected_photons: int | None = None
    phase_errors: NDArray[np.float64] = None  # type: ignore[assignment]  # drawn below

    def __post_init__(self) -> None:
        set_field = object.__setattr__  # as dataclasses themselves do where fields are frozen
        set_field(self, "modes", _checks.modes_of(self.modes))
        set_field(self, "input_state", _validate.checked_state(self.input_state, self.modes))
        set_field(self, "features", _checks.names("features", self.features))
        set_field(self, "interferometers", _validate.frozen("interferometers", self.interferometers, np.complex128))
        set_field(self, "phase_layers", _validate.frozen("phase_layers", self.phase_layers, np.uint32))
        set_field(self, "phase_modes", _validate.frozen("phase_modes", self.phase_modes, np.uint32))
        _checks.instance("encoding", self.encoding, Encoding, "a photonlink.program.Encoding")
        set_field(self, "encoding", self.encoding.frozen())
        set_field(self, "interference", _checks.boolean("interference", self.interference))
        if not isinstance(self.readout, Readout):
            raise ProgramError(f"readout must be a photonlink.Readout, got {_checks.shown(self.readout)}")
        _validate.check_interferometers(self.interferometers, self.modes)
        _validate.check_features(self.features)
        _validate.check_phases(self.phase_layers, self.phase_modes, self.layers, self.modes)
        self.encoding.check(self.phases_per_datapoint, len(self.features))
        self.readout.output_size(self.modes, self.photons)  # raises if the space has no such state
        self._check_noise()

    def _check_noise(self) -> None:
        set_field = object.__setattr__
        if self.noise is not None and not isinstance(self.noise, Noise):
            raise ProgramError(
                f"noise must be a photonlink.Noise, got {_checks.shown(self.noise)}; see Noise.from_perceval"
            )
        if self.noise is not None and self.noise.ideal:
            set_field(self, "noise", None)
        checked_detectors(self.detectors)
        set_field(self, "min_detected_photons", checked_min_detected(self.min_detected_photons, self.photons))
        phases = self.phases_per_datapoint
        errors = drawn_errors(self.noise, phases) if self.phase_errors is None else self.phase_errors
        set_field(self, "phase_errors", _validate.frozen("phase_errors", errors, np.float64))
        if self.phase_errors.shape != (phases,) or not np.isfinite(self.phase_errors).all():
            raise ProgramError(
                f"phase_errors must be {phases} finite numbers, one per phase, got {self.phase_errors.shape}"
            )
        if self.noisy:
            _core.check_spec(self.spec)

    # ---- what follows

    @property
    def photons(self) -> int:
        """Number of photons n."""
        return sum(self.input_state)

    @property
    def layers(self) -> int:
        """Number of phase layers L; there are L + 1 interferometers."""
        return int(self.interferometers.shape[0]) - 1

    @property
    def phases_per_datapoint(self) -> int:
        """Number of phases P that one datapoint sends."""
        return int(self.phase_layers.size)

    @property
    def noisy(self) -> bool:
        """Whether sources, phases or detectors are not ideal, or events with fewer photons are kept."""
        ideal_events = self.detectors == "pnr" and self.min_detected_photons is None
        return self.noise is not None or not ideal_events or bool(self.phase_errors.any())

    @cached_property
    def output_size(self) -> int:
        """Number of values per datapoint (0 for samples)."""
        if self.noisy:
            return _core.output_size(self.spec)
        return self.readout.output_size(self.modes, self.photons)

    @cached_property
    def output_keys(self) -> tuple[tuple[int, ...], ...]:
        """What each output column is about, in column order; see :meth:`photonlink.Readout.output_keys`.

        Kept events of a noisy program may show different numbers of photons: from ``min_detected_photons`` to the
        photons of the input state, or to twice as many if ``g2`` is above 0. Their states come in descending order of
        that number, and for each number in the usual order; with threshold detectors they are patterns of clicks,
        ordered likewise. The keys of a ``click_patterns`` readout are in descending lexicographic order throughout.
        """
        if self.noisy:
            return tuple(self.readout.kept_keys(self.spec))
        return tuple(self.readout.output_keys(self.modes, self.photons))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the canonical bytes, encoding and readout included, as 64 hexadecimal digits."""
        return _storage.digest_of(self.to_bytes())

    @cached_property
    def spec(self) -> _core.ProgramSpec:
        """The native description that a controller is configured with (it knows phases, not features)."""
        return _native.spec(self)

    @cached_property
    def encoder(self) -> _core.Encoding:
        """The native encoder: ``encoder.encode(x)`` with x (B, F) gives the phases (B, P) float64, radians."""
        return self.encoding.encoder(len(self.features))

    def predict_bytes(self, precision: Precision = "float64", *, sampled: bool = False) -> int:
        """Memory that simulating this program needs, in bytes, predicted without allocating any of it.

        Args:
            precision: Type of the arithmetic.
            sampled: Whether results are estimated from shots; some readouts need a distribution only then.
        """
        return int(
            _core.predict_bytes(self.spec, _validate.checked_precision(precision), _checks.boolean("sampled", sampled))
        )

    def encode(self, x: ArrayLike) -> NDArray[np.float64]:
        """Phases of datapoints.

        Args:
            x: (B, F) or (F,) features.

        Returns:
            (B, P) float64, radians; B is 1 for a single datapoint.

        Raises:
            ProgramError: If the number of features is wrong or one is not finite.
        """
        given: Any = x
        try:
            return self.encoder.encode(given)  # takes floating-point arrays (B, F) as they are, and checks them
        except (TypeError, ProgramError):
            rows = _validate.checked_rows(x, self.features)
        return self.encoder.encode(np.ascontiguousarray(rows))

    # ---- bytes and identity

    def to_bytes(self) -> bytes:
        """Canonical bytes: the same program gives the same bytes everywhere. Contains no code."""
        return _storage.pack(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The program of :meth:`to_bytes`.

        Raises:
            ProgramError: If the bytes are damaged, of another version, too long, or describe no valid program.
        """
        return _storage.unpack(_checks.octets("data", data), cls)

    def save(self, path: str | Path) -> None:
        """Writes the program to a file; :meth:`load` reads it.

        Raises:
            ProgramError: If `path` is no path.
            OSError: If the file cannot be written.
        """
        _checks.path("path", path).write_bytes(self.to_bytes())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Reads a program from a file of :meth:`save`.

        Raises:
            ProgramError: If the file is not a program, is damaged or too long.
            OSError: If the file cannot be read.
        """
        return cls.from_bytes(_storage.read_limited(path))

    def __reduce__(self) -> tuple[Callable[[bytes], Self], tuple[bytes]]:
        return type(self).from_bytes, (self.to_bytes(),)

    def __eq__(self, other: object) -> bool:
        return self.digest == other.digest if isinstance(other, Description) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)
