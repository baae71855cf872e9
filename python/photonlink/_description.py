"""What the modules below Program read of it: declared here, so that none of them has to import Program."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from photonlink import _core
from photonlink.encoding import Encoding
from photonlink.noise import Detectors, Noise
from photonlink.readout import Readout

__all__ = ["Description"]


class Description(Protocol):
    """A Program, or whatever describes one; the attributes are explained there."""

    @property
    def modes(self) -> int: ...

    @property
    def photons(self) -> int: ...

    @property
    def input_state(self) -> tuple[int, ...]: ...

    @property
    def features(self) -> tuple[str, ...]: ...

    @property
    def interferometers(self) -> NDArray[np.complex128]: ...

    @property
    def layers(self) -> int: ...

    @property
    def phase_layers(self) -> NDArray[np.uint32]: ...

    @property
    def phase_modes(self) -> NDArray[np.uint32]: ...

    @property
    def phases_per_datapoint(self) -> int: ...

    @property
    def encoding(self) -> Encoding: ...

    @property
    def readout(self) -> Readout: ...

    @property
    def interference(self) -> bool: ...

    @property
    def noise(self) -> Noise | None: ...

    @property
    def detectors(self) -> Detectors: ...

    @property
    def min_detected_photons(self) -> int | None: ...

    @property
    def phase_errors(self) -> NDArray[np.float64]: ...

    @property
    def noisy(self) -> bool: ...

    @property
    def digest(self) -> str: ...

    @property
    def spec(self) -> _core.ProgramSpec: ...

    def encode(self, x: ArrayLike) -> NDArray[np.float64]: ...
