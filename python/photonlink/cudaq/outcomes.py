"""What running a circuit's settings gave, however it was run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Outcomes"]


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """Successful events of B settings of one circuit.

    Attributes:
        values: (B, 2**wires), by the bits of the wires, wire 0 first: probabilities given success, or counts.
        success_probability: Mean probability that one attempt succeeds: photons found, heralds and pairs right.
        modelled_seconds: On the chip; None where there is no chip's time: exact results, or no clock.
        samples: Kept samples that were drawn for the counts, successful or not; None if exact.
        facts: What else the annotations of results say.
    """

    values: NDArray[Any]
    success_probability: float
    modelled_seconds: float | None
    samples: int | None
    facts: dict[str, Any]

    def annotations(self) -> dict[str, Any]:
        """Metadata for CUDA-Q's results."""
        return {
            "success_probability": self.success_probability,
            "modelled_seconds": self.modelled_seconds,
            "samples": self.samples,
            **self.facts,
        }

    def expectation(self, setting: int, wires: list[int]) -> float:
        """Mean of the product of (-1)**bit over `wires`."""
        values = self.values[setting]
        count = values.size.bit_length() - 1
        places = np.arange(values.size)
        parity = np.zeros(values.size, np.int64)
        for wire in wires:
            parity ^= places >> (count - 1 - wire) & 1
        return float(values @ (1 - 2 * parity) / values.sum())

    def counts(self, setting: int, wires: list[int]) -> dict[str, int]:
        """Counts of the bits of `wires`, in that order."""
        values = self.values[setting]
        count = values.size.bit_length() - 1
        found: dict[str, int] = {}
        for place in np.flatnonzero(values):
            bits = "".join(str(int(place) >> (count - 1 - wire) & 1) for wire in wires)
            found[bits] = found.get(bits, 0) + int(values[place])
        return found
