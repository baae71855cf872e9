"""Who sends the images of the main job: the CPU, a GPU, or a CUDA-Q kernel."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

import photonlink as phl
from photonlink import _packages
from photonlink.demo import device
from photonlink.demo.data import Digits, Floats, Progress

__all__ = ["Caller", "Via", "caller"]

Via = Literal["cpu", "cuda", "cudaq"]


@dataclass(frozen=True)
class Caller:
    """Sends every image once.

    Attributes:
        name: Who calls, for people.
        gpu: Name of the GPU that calls, if one does.
        note: What else is in a latency, empty if nothing is.
        send: Takes images, session, a label and a progress display; gives features (images, outputs), and microseconds
            per image.
        echo: Measures round trips of the link, in seconds.
    """

    name: str
    gpu: str | None
    note: str
    send: Callable[[Digits, phl.Session, str, Progress], tuple[Floats, Floats]]
    echo: Callable[[phl.Session, int], Floats]


def caller(via: Via) -> Caller:
    """The caller of that name.

    Raises:
        TargetUnavailable: It cannot be used here; ``reason`` says why.
    """
    if via == "cpu":
        return Caller("the CPU", None, "", _one_by_one, _echo)
    return _gpu() if via == "cuda" else _kernel()


def _gpu() -> Caller:
    used = device.framework()
    return Caller(
        used.name(),
        used.name(),
        f"(per image, sent {device.CHUNK} at a time by one replay of a CUDA graph)",
        lambda digits, session, label, progress: device.through_the_device(used, digits, session, label, progress),
        device.echo_latency,
    )


def _kernel() -> Caller:
    _packages.require(["cudaq"], "cu13", "cu12", by="a demo that is called from CUDA-Q's kernels")
    from photonlink.demo import kernel

    note = f"(per image, {kernel.CHUNK} in each launch of the kernel, which is included)"
    return Caller(kernel.name(), None, note, kernel.through_a_kernel, _echo)


def _one_by_one(digits: Digits, session: phl.Session, label: str, progress: Progress) -> tuple[Floats, Floats]:
    """One image at a time, as a real-time caller would."""
    features = np.empty((digits.images, session.program.output_size))
    latency = np.empty(digits.images)
    for row in progress(range(digits.images), label):
        started = time.perf_counter_ns()
        session.infer(digits.phases[row], out=features[row])
        latency[row] = (time.perf_counter_ns() - started) / 1e3
    return features, latency


def _echo(session: phl.Session, rounds: int) -> Floats:
    return session.echo_latency(rounds)
