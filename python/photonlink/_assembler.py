"""Puts fixed components and phases together into the alternating layers that a Program consists of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from photonlink.encoding import Encoding
from photonlink.noise import Detectors, Noise
from photonlink.readout import Readout

__all__ = ["Assembler"]

Built = TypeVar("Built")


@dataclass
class _Site:
    """One phase shifter under construction."""

    layer: int
    mode: int
    weights: dict[str, float] = field(default_factory=dict)
    offset: float = 0.0
    error: float | None = None  # of the phase shifter, if it was drawn


class Assembler:
    """Accumulates components, in the order in which light meets them, into as few layers as possible.

    A phase that follows a fixed block can be moved in front of it when the block merely routes the phase's mode from
    one other mode. Then the phase joins the previous phase layer, and phases on one mode of one layer add up.
    """

    def __init__(self, modes: int) -> None:
        self.modes = modes
        self._interferometers: list[NDArray[np.complex128]] = []
        self._block = np.eye(modes, dtype=np.complex128)  # fixed components since the last phase layer
        self._sites: list[_Site] = []

    def fixed(self, matrix: NDArray[np.complex128], modes: Sequence[int]) -> None:
        """Appends a fixed component: ``matrix`` (k, k) acts on ``modes`` (k of them, in the matrix's order)."""
        rows = list(modes)
        self._block[rows] = matrix @ self._block[rows]

    def phase(self, mode: int, weights: Mapping[str, float], offset: float = 0.0, error: float | None = None) -> None:
        """Appends a phase shifter of ``offset + sum of weight * feature`` radians on ``mode``.

        One whose phase error was drawn is a device of its own and shares no site with another.
        """
        source = self._routed_from(mode) if self._interferometers else None
        if source is None:
            self._interferometers.append(self._block)
            self._block = np.eye(self.modes, dtype=np.complex128)
            source = mode
        site = self._site(len(self._interferometers) - 1, source, shared=error is None)
        site.error = error
        site.offset += offset
        for feature, weight in weights.items():
            site.weights[feature] = site.weights.get(feature, 0.0) + weight

    def build(
        self,
        make: Callable[..., Built],
        input_state: Sequence[int],
        features: Sequence[str],
        readout: Readout | None,
        *,
        interference: bool,
        wrap: bool,
        dac_bits: int,
        noise: Noise | None = None,
        detectors: Detectors = "pnr",
        min_detected_photons: int | None = None,
    ) -> Built:
        """What ``make``, the constructor of Program, makes of the components; ``features`` gives their order."""
        index = {name: k for k, name in enumerate(features)}
        terms = [(index[name], weight) for site in self._sites for name, weight in site.weights.items()]
        errors = [site.error for site in self._sites]
        row_begin = np.cumsum([0, *(len(site.weights) for site in self._sites)])
        return make(
            modes=self.modes,
            input_state=input_state,
            features=features,
            interferometers=np.stack([*self._interferometers, self._block]),
            phase_layers=np.array([site.layer for site in self._sites], np.uint32),
            phase_modes=np.array([site.mode for site in self._sites], np.uint32),
            encoding=Encoding(
                row_begin=row_begin.astype(np.uint32),
                term_feature=np.array([feature for feature, _ in terms], np.uint32),
                term_weight=np.array([weight for _, weight in terms], np.float64),
                offset=np.array([site.offset for site in self._sites], np.float64),
                wrap=wrap,
                dac_bits=dac_bits,
            ),
            readout=Readout.probs() if readout is None else readout,
            interference=interference,
            noise=noise,
            detectors=detectors,
            min_detected_photons=min_detected_photons,
            phase_errors=None if None in errors else np.array(errors, np.float64),
        )

    def _routed_from(self, mode: int) -> int | None:
        """The mode whose light alone reaches ``mode`` through the current block, or None if modes mix.

        The test is exact on purpose: entries that were never touched are exact zeros, and nothing else is moved.
        """
        sources = np.flatnonzero(self._block[mode])
        return int(sources[0]) if sources.size == 1 else None

    def _site(self, layer: int, mode: int, *, shared: bool) -> _Site:
        for site in reversed(self._sites):
            if site.layer != layer or not shared:
                break
            if site.mode == mode:
                return site
        self._sites.append(_Site(layer, mode))
        return self._sites[-1]
