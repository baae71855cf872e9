"""The main job from a CUDA-Q kernel: it takes images one by one through the photonic layer while it runs."""

from __future__ import annotations

import time

import cudaq
import numpy as np

import photonlink as phl
from photonlink.cudaq import device
from photonlink.demo.data import Digits, Floats, Progress

__all__ = ["CHUNK", "name", "through_a_kernel"]

# Images per launch: a launch of a CUDA-Q kernel costs more than a datapoint.
CHUNK = 32

_kept: list[Floats] = []


@device.callback
def keep(observables: list[float]) -> None:
    """Takes the observables of an image out of the kernel, all their digits included."""
    _kept.append(np.array(observables))


@device.bind
@cudaq.kernel  # type: ignore[untyped-decorator]
def photonic_layer(phases: list[float], images: int, features: int, outputs: int) -> None:
    """One datapoint per image; what comes back leaves through the callback."""
    observables = [0.0 for _ in range(outputs)]
    for image in range(images):
        image_phases = [phases[image * features + feature] for feature in range(features)]
        device.photonic_infer(image_phases, observables)
        keep(observables)


def name() -> str:
    """Where the kernel runs."""
    return f"a CUDA-Q kernel on {cudaq.get_target().name}"


def through_a_kernel(digits: Digits, session: phl.Session, label: str, progress: Progress) -> tuple[Floats, Floats]:
    """Sends every image once, from inside a kernel.

    Returns:
        Features (images, outputs), and microseconds per image, as its launch took them.
    """
    features = np.empty((digits.images, session.program.output_size))
    latency = np.empty(digits.images)
    with device.attach(session):
        for first in progress(range(0, digits.images, CHUNK), label):
            rows = slice(first, first + CHUNK)
            phases = digits.phases[rows]
            _kept.clear()
            started = time.perf_counter_ns()
            photonic_layer(phases.ravel().tolist(), *phases.shape, features.shape[1])
            latency[rows] = (time.perf_counter_ns() - started) / 1e3 / len(phases)
            features[rows] = _kept
    return features, latency
