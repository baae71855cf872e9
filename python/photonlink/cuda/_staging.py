"""Host arrays on their way to a simulator on a device and back: through pinned memory, on a stream of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photonlink.cuda._part import guarded, part
from photonlink.cuda._simulator import DeviceSimulator
from photonlink.cuda._waiting import wait_for

__all__ = ["Staging"]

# Larger calls go in pieces: pinned memory is taken away from everybody else.
_PIECE_BYTES = 64 * 2**20
_ALIGNMENT = 256

# Memory that a launch may still touch when nobody waits for it any longer.
_kept: list[Any] = []


class Staging:
    """Room for one piece of a call, the same on both sides: results, kept fractions, statuses, shots, then features."""

    def __init__(self, simulator: DeviceSimulator) -> None:
        self._simulator = simulator
        self._native: Any = None
        self._ends: list[int] = []  # where each of the five ends, padding included

    @staticmethod
    def rows_at_once(x: NDArray[Any], y: NDArray[Any], states: NDArray[np.uint32]) -> int:
        """Rows that one piece may hold; at least one."""
        return max(1, _PIECE_BYTES // sum(_row_bytes(x, y, states)))

    def send(self, x: NDArray[Any], y: NDArray[Any], states: NDArray[np.uint32]) -> None:
        """Upload features, launch, and have the rest come back; `y` and `states` only say how large that is."""
        sizes = [_padded(len(x) * size) for size in _row_bytes(x, y, states)]
        self._ends = np.cumsum(sizes).tolist()
        kept, statuses, shots, features, end = self._ends
        with guarded(self._simulator.target):
            if self._native is None or self._native.nbytes < end:
                self._native = None  # first let go of what there is
                self._native = part().Staging(device=self._simulator.device, nbytes=end)
            self._part(features, x)[...] = x
            self._native.upload(features, end - features)
            at = self._native.address
            batch = (at + features, x.itemsize, x.shape[1], at, y.shape[1], at + statuses)
            shot_states = at + shots if states.size else 0
            self._simulator.infer(batch, at + kept, len(x), self._native.stream, shot_states)
            self._native.download(0, features)

    def wait(self, seconds: float, given_up: Callable[[], bool]) -> bool:
        """Whether it is done; False if the caller lost interest first. Raises LinkTimeout after `seconds`."""
        done = False
        try:
            wait = self._simulator.native().synchronize
            done = wait_for(wait, self._native.stream, seconds, self._simulator.target, given_up)
        finally:
            if not done:
                _kept.append(self._native)
        return done

    def receive(self, y: NDArray[Any], kept: NDArray[np.float64], states: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Results, kept fractions and states into the caller's arrays; returns the statuses (rows,)."""
        first_kept, first_status, first_state, _, _ = self._ends
        y[...] = self._part(0, y)
        kept[...] = self._part(first_kept, kept)
        states[...] = self._part(first_state, states)
        return self._part(first_status, np.empty(len(y), np.uint32))

    def _part(self, first: int, like: NDArray[Any]) -> NDArray[Any]:
        """The array of the same type and shape that begins at byte `first` of the host's side."""
        array: NDArray[Any] = self._native.host[first : first + like.nbytes].view(like.dtype).reshape(like.shape)
        return array


def _row_bytes(x: NDArray[Any], y: NDArray[Any], states: NDArray[np.uint32]) -> tuple[int, ...]:
    """Bytes per row of results, kept fractions, statuses, states of shots and features."""
    return y.shape[1] * y.itemsize, 8, 4, states.shape[1] * 4, x.shape[1] * x.itemsize


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
