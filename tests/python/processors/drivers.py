"""Drivers to test with: one that samples as hardware would, and one that does what a test tells it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from photonlink.processors import Processor, Task
from photonlink.unitary import haar_unitary


class OnePhotonChip(Processor):
    """Detects a single photon in one of its modes, sampled by NumPy from |U|^2: hardware that everybody understands.

    Every third event it reports is one that a program of one photon does not keep.
    """

    name = "one-photon-chip"

    def configure(self, task: Task) -> None:
        self.task = task
        self.generator = np.random.default_rng(task.seed)

    def detect(self, phases: Any, events: int, datapoint: int) -> Any:  # noqa: ARG002
        task = self.task
        unitary = task.interferometers[0]
        for layer, matrix in enumerate(task.interferometers[1:]):
            column = np.zeros(task.modes)
            here = task.phase_layers == layer
            column[task.phase_modes[here]] = phases[here]
            unitary = matrix @ (np.exp(1j * column)[:, None] * unitary)
        weights = np.abs(unitary[:, task.input_state.index(1)]) ** 2
        counts = self.generator.multinomial(events - events // 3, weights / weights.sum())
        states = np.vstack([np.eye(task.modes, dtype=np.uint8), np.full((1, task.modes), 2, np.uint8)])
        return states, np.append(counts, events // 3)


class Scripted(Processor):
    """Runs `act(phases, events, datapoint)` for each call of detect()."""

    name = "scripted"

    def __init__(self, act: Callable[..., Any], *, timeout: float = 60.0, loading: Callable[[], None] = lambda: None):
        self.act = act
        self.loading = loading
        self.timeout = timeout
        self.threads: set[int] = set()
        self.closed = 0

    def configure(self, task: Task) -> None:
        self.task = task
        self.threads.add(threading.get_ident())
        self.loading()

    def detect(self, phases: Any, events: int, datapoint: int) -> Any:
        self.threads.add(threading.get_ident())
        return self.act(phases, events, datapoint)

    def close(self) -> None:
        self.closed += 1


class Distribution(Processor):
    """Gives the probabilities that it was made with, whatever the phases."""

    name = "distribution"
    simulated = True
    exact = True

    def __init__(self, values: Any) -> None:
        self.values = values

    def configure(self, task: Task) -> None:
        pass

    def probabilities(self, phases: Any) -> Any:  # noqa: ARG002
        return self.values


def lab() -> Processor:
    """A factory, as ``--processor drivers:lab`` wants it."""
    return OnePhotonChip()


UNITARY = haar_unitary(5, 3)
