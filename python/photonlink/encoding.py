"""How features become phases: a sparse linear map, exact and small enough to be applied per datapoint."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photonlink import _checks, _core
from photonlink._validate import checked_dac_bits, frozen
from photonlink.errors import ProgramError

__all__ = ["Encoding"]


@dataclass(frozen=True, eq=False)
class Encoding:
    """Features -> phases: ``phase[p] = offset[p] + sum_k weight[k] * x[feature[k]]`` over the terms of row ``p``.

    Attributes:
        row_begin: (P+1,) uint32; terms of phase p are ``row_begin[p]`` to ``row_begin[p + 1]``.
        term_feature: (T,) uint32, index into the program's features.
        term_weight: (T,) float64, radians per unit of the feature.
        offset: (P,) float64, radians.
        wrap: Whether phases are reduced to [0, 2*pi).
        dac_bits: Resolution of the digital-to-analog converters that set the phases: they are reduced to [0, 2*pi) and
            rounded to the nearest multiple of ``2*pi / 2**dac_bits``, halfway cases up. 0 leaves them continuous.
    """

    row_begin: NDArray[np.uint32]
    term_feature: NDArray[np.uint32]
    term_weight: NDArray[np.float64]
    offset: NDArray[np.float64]
    wrap: bool = False
    dac_bits: int = 0

    def frozen(self) -> Encoding:
        """A copy whose arrays are read-only and of the types above."""
        return Encoding(
            row_begin=frozen("row_begin", self.row_begin, np.uint32),
            term_feature=frozen("term_feature", self.term_feature, np.uint32),
            term_weight=frozen("term_weight", self.term_weight, np.float64),
            offset=frozen("offset", self.offset, np.float64),
            wrap=_checks.boolean("wrap", self.wrap),
            dac_bits=checked_dac_bits(self.dac_bits),
        )

    def check(self, phases: int, features: int) -> None:
        """Raises ProgramError unless this maps ``features`` features to ``phases`` phases."""
        rows, terms = self.row_begin, self.term_feature.size
        if rows.shape != (phases + 1,) or self.offset.shape != (phases,) or self.term_weight.shape != (terms,):
            raise ProgramError(
                f"the encoding has {self.offset.size} phases and {self.term_weight.size} weights for {terms} "
                f"terms; expected {phases} phases and as many weights as terms"
            )
        if rows[0] != 0 or rows[-1] != terms or (np.diff(rows.astype(np.int64)) < 0).any():
            raise ProgramError(f"the encoding's rows must rise from 0 to {terms}, got {rows.tolist()[:8]}")
        if terms and self.term_feature.max() >= features:
            raise ProgramError(f"the encoding uses feature {self.term_feature.max()}, the program has {features}")
        if not (np.isfinite(self.term_weight).all() and np.isfinite(self.offset).all()):
            raise ProgramError("the encoding holds a weight or offset that is not finite")

    def encoder(self, features: int) -> _core.Encoding:
        """The native encoder of this encoding for datapoints of ``features`` features."""
        return _core.Encoding(
            features, self.row_begin, self.term_feature, self.term_weight, self.offset, self.wrap, self.dac_bits
        )
