"""The main job from device memory: pixels lie on the GPU, and one CUDA graph takes them through encoder and link."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

import photonlink as phl
from photonlink.demo.data import Digits, Floats, Progress
from photonlink.errors import TargetUnavailable, Unavailable

__all__ = ["CHUNK", "Framework", "echo_latency", "framework", "through_the_device"]

# Images per replay of the graph.
CHUNK = 32


class Framework(Protocol):
    """What the job needs of torch or CuPy."""

    def name(self) -> str:
        """Name of the device."""

    def put(self, host: NDArray[Any]) -> Any:
        """A copy in device memory."""

    def get(self, array: Any) -> NDArray[Any]:
        """A copy in host memory; waits for the current stream."""

    def forward(self, pixels: Any, weights: Any, shift: Any, session: phl.Session) -> Callable[[], Any]:
        """Captures phases = pixels @ weights + shift and the photonic layer behind it; returns its replay."""


class _Torch:
    def __init__(self) -> None:
        import torch

        self._torch = torch

    def name(self) -> str:
        return str(self._torch.cuda.get_device_name())

    def put(self, host: NDArray[Any]) -> Any:
        return self._torch.from_numpy(np.ascontiguousarray(host)).cuda()

    def get(self, array: Any) -> NDArray[Any]:
        return np.asarray(array.cpu())

    def forward(self, pixels: Any, weights: Any, shift: Any, session: phl.Session) -> Callable[[], Any]:
        torch = self._torch
        torch.addmm(shift, pixels, weights)  # its library allocates at the first use, which a capture does not allow
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            y = session.infer(torch.addmm(shift, pixels, weights))

        def replay() -> Any:
            graph.replay()
            return y

        return replay


class _CuPy:
    """CuPy cannot capture matrix products: here the graph holds the photonic layer alone."""

    def __init__(self) -> None:
        import cupy

        self._cupy = cupy

    def name(self) -> str:
        return str(self._cupy.cuda.runtime.getDeviceProperties(self._cupy.cuda.Device().id)["name"].decode())

    def put(self, host: NDArray[Any]) -> Any:
        return self._cupy.asarray(host)

    def get(self, array: Any) -> NDArray[Any]:
        return np.asarray(array.get())

    def forward(self, pixels: Any, weights: Any, shift: Any, session: phl.Session) -> Callable[[], Any]:
        cupy = self._cupy
        phases = pixels @ weights + shift
        # Not from the pool: what a graph writes to must not be given to anybody else.
        y = cupy.empty((len(pixels), session.program.output_size))
        cupy.cuda.get_current_stream().synchronize()
        stream = cupy.cuda.Stream(non_blocking=True)
        with stream:
            stream.begin_capture()
            session.infer(phases, out=y)
            graph = stream.end_capture()

        def replay() -> Any:
            phases[...] = pixels @ weights + shift
            graph.launch()
            return y

        return replay


def framework() -> Framework:
    """Torch where it is installed, else CuPy, once it is known that a device can be used.

    Raises:
        TargetUnavailable: No device can be used, or neither is installed; ``reason`` says which.
    """
    phl.cuda.require()
    for name, make in (("torch", _Torch), ("cupy", _CuPy)):
        if importlib.util.find_spec(name) is not None:
            found: Framework = make()
            return found
    raise TargetUnavailable(
        "the demo keeps its images on the device in torch tensors or CuPy arrays, and neither is installed: "
        "pip install 'photonlink[torch]' or cupy",
        reason=Unavailable.NOT_INSTALLED,
    )


def echo_latency(session: phl.Session, rounds: int) -> Floats:
    """Seconds of echoes that one thread of the device sends, as many as a launch has time for."""
    return session.device_link().echo(1, rounds).latencies


def through_the_device(
    used: Framework, digits: Digits, session: phl.Session, label: str, progress: Progress
) -> tuple[Floats, Floats]:
    """Sends every image once, from and to device memory.

    Returns:
        Features (images, outputs), and microseconds per image, as its chunk took them.
    """
    session.device_link()  # allocates, which a capture does not allow
    pixels, weights, shift = (used.put(array) for array in (digits.pixels, digits.weights, digits.shift))
    chunk = used.put(np.zeros((CHUNK, digits.pixels.shape[1])))
    replay = used.forward(chunk, weights, shift, session)
    features = used.put(np.empty((digits.images, session.program.output_size)))
    latency = np.empty(digits.images)
    whole = digits.images - digits.images % CHUNK
    for first in progress(range(0, digits.images, CHUNK), label):
        started = time.perf_counter_ns()
        if first < whole:
            chunk[...] = pixels[first : first + CHUNK]
            features[first : first + CHUNK] = replay()
        else:  # fewer than the graph takes
            features[first:] = session.infer(pixels[first:] @ weights + shift)
        session.synchronize()
        rows = slice(first, first + CHUNK)
        latency[rows] = (time.perf_counter_ns() - started) / 1e3 / len(latency[rows])
    return used.get(features), latency
