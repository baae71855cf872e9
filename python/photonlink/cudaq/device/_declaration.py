"""What a kernel calls by name: CUDA-Q takes it for a kernel of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from photonlink.cudaq.device import _library, _lowering
from photonlink.cudaq.device._compiler import PyKernelDecorator
from photonlink.errors import ProgramError
from photonlink.realtime import Signature

__all__ = ["DeviceFunction", "NativeFunction", "name_of"]

_numbers = itertools.count(1)
_names: dict[int, str] = {}


def name_of(function_id: int) -> str:
    """Name of a declared function, or its id."""
    return _names.get(function_id, f"0x{function_id:08x}")


class DeviceFunction(PyKernelDecorator):  # type: ignore[misc]
    """A function that a ``@cudaq.kernel`` calls while it runs, and that a device answers.

    Attributes:
        declared: Its signature.
        device: Id of the device that its calls go to.
    """

    def __init__(
        self, declared: Signature, device: int = 0, *, python: Callable[..., Any] | None = None, module: Any = None
    ) -> None:
        _lowering.check_compiled(declared)
        if isinstance(device, bool) or not isinstance(device, int) or not 0 <= device < 2**32:
            raise ProgramError(f"device is {device!r}, expected an integer from 0 to 2**32 - 1")
        self.declared = declared
        self.device = device
        self._python = python
        _names[declared.function_id] = declared.name
        unique = f"{declared.name}..0x{next(_numbers):x}"
        made = module(unique) if module else _lowering.device_call_module(declared, unique, device)
        super().__init__(None, module=made, kernelName=unique)

    def on(self, device: int) -> DeviceFunction:
        """The same function on another device.

        Examples:
            >>> from photonlink.cudaq import device
            >>> device.photonic_infer.on(3).device
            3
        """
        return DeviceFunction(self.declared, device, python=self._python)

    def require_symbols(self) -> None:
        """Raise if compiled code would look for a symbol in vain: CUDA-Q's compiler aborts the process then."""
        _library.load()

    def __call__(self, *arguments: Any) -> Any:
        """Outside kernels: a callback is the Python function that it was made of; nothing else can be called."""
        if self._python is None:
            raise ProgramError(f"{self.declared} is for kernels: call it inside a @cudaq.kernel")
        return self._python(*arguments)

    def __repr__(self) -> str:
        return f"<{self.declared} on device {self.device}>"


class NativeFunction(DeviceFunction):
    """A C function that kernels call directly, without frame or device."""

    def __init__(self, declared: Signature) -> None:
        if declared.output is not None:
            raise ProgramError(f"{declared}: a C function gets its lists by address: leave 'out' away, and write there")
        _library.require(declared.name)
        super().__init__(declared, module=lambda unique: _lowering.native_call_module(declared, unique))

    def on(self, device: int) -> DeviceFunction:
        """Raises: a native function belongs to no device."""
        raise ProgramError(f"{self.declared} is called directly and belongs to no device: got device {device!r}")

    def require_symbols(self) -> None:
        """Raise if no library of this process defines the function."""
        _library.require(self.declared.name)

    def __repr__(self) -> str:
        return f"<native {self.declared}>"
