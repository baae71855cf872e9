"""What torch and CuPy are asked for: current stream, memory for results, whether a graph is being captured.

Neither is ever imported: who has an array of a framework has imported it, so it is found through the array's type.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any

__all__ = ["FRAMEWORKS", "Framework", "framework_of"]


class Framework:
    """A framework that is loaded. One that is not is never asked."""

    name = ""

    @property
    def module(self) -> Any:
        """The framework's own module."""
        return sys.modules[self.name]

    def is_loaded(self) -> bool:
        """Whether this process has imported it."""
        return sys.modules.get(self.name) is not None

    def is_active(self) -> bool:
        """Whether it is loaded and has begun to use CUDA."""
        raise NotImplementedError

    def current_device(self) -> int:
        """Number of the device that the calling thread works on."""
        raise NotImplementedError

    def current_stream(self, device: int) -> int:
        """Handle of the stream that the calling thread works on."""
        raise NotImplementedError

    def is_capturing(self) -> bool:
        """Whether that stream is being captured into a graph."""
        raise NotImplementedError

    def on(self, device: int, stream: int | None) -> contextlib.AbstractContextManager[Any]:
        """Makes a device, and a stream if one is given, current."""
        raise NotImplementedError

    def empty(self, shape: tuple[int, ...], dtype: str, device: int, stream: int | None) -> Any:
        """Memory that is used on `stream` first; None stands for the current one."""
        raise NotImplementedError

    def used_on(self, array: Any, stream: int) -> None:
        """Tells the framework's allocator that `stream`, not the current one, works with `array`."""


class _Torch(Framework):
    name = "torch"

    def is_active(self) -> bool:
        return self.is_loaded() and bool(self.module.cuda.is_initialized())

    def current_device(self) -> int:
        return int(self.module.cuda.current_device())

    def current_stream(self, device: int) -> int:
        return int(self.module.cuda.current_stream(device).cuda_stream)

    def is_capturing(self) -> bool:
        return self.is_active() and bool(self.module.cuda.is_current_stream_capturing())

    def _stream(self, stream: int, device: int) -> Any:
        cuda = self.module.cuda
        return cuda.default_stream(device) if stream in _DEFAULT else cuda.ExternalStream(stream, device=device)

    def on(self, device: int, stream: int | None) -> contextlib.AbstractContextManager[Any]:
        cuda = self.module.cuda
        context: contextlib.AbstractContextManager[Any]
        context = cuda.device(device) if stream is None else cuda.stream(self._stream(stream, device))
        return context

    def empty(self, shape: tuple[int, ...], dtype: str, device: int, stream: int | None) -> Any:
        torch = self.module
        with contextlib.nullcontext() if stream is None else self.on(device, stream):
            return torch.empty(shape, dtype=getattr(torch, dtype), device=torch.device("cuda", device))

    def used_on(self, array: Any, stream: int) -> None:
        array.record_stream(self._stream(stream, array.device.index))


class _CuPy(Framework):
    name = "cupy"

    def is_active(self) -> bool:
        return self.is_loaded()  # it has no state of its own to initialise

    def current_device(self) -> int:
        return int(self.module.cuda.Device().id)

    def current_stream(self, device: int) -> int:
        return int(self.module.cuda.get_current_stream(device).ptr)

    def is_capturing(self) -> bool:
        stream = self.module.cuda.get_current_stream()
        # The default streams cannot be captured, and asking about them would end a capture elsewhere.
        return stream.ptr not in _DEFAULT and bool(stream.is_capturing())

    def on(self, device: int, stream: int | None) -> contextlib.AbstractContextManager[Any]:
        cuda = self.module.cuda
        if stream is None:
            context: contextlib.AbstractContextManager[Any] = cuda.Device(device)
            return context
        return self._both(device, stream)

    @contextlib.contextmanager
    def _both(self, device: int, stream: int) -> Any:
        cuda = self.module.cuda
        with cuda.Device(device), cuda.Stream.null if stream in _DEFAULT else cuda.ExternalStream(stream, device):
            yield

    def empty(self, shape: tuple[int, ...], dtype: str, device: int, stream: int | None) -> Any:
        with self.on(device, stream):
            return self.module.empty(shape, dtype)


# Handles of the legacy default stream.
_DEFAULT = (0, 1)
FRAMEWORKS: dict[str, Framework] = {"torch": _Torch(), "cupy": _CuPy()}


_known: dict[type, Framework] = {}


def framework_of(kind: type) -> Framework | None:
    """The framework that arrays of type `kind` belong to, if it is one that we know to ask."""
    if kind in _known:
        return _known[kind]
    for cls in kind.__mro__:
        found = FRAMEWORKS.get(cls.__module__.partition(".")[0])
        if found is not None and found.is_loaded():
            _known[kind] = found
            return found
    return None
