"""Arrays that say they lie on a device, and a stand-in for the native CUDA part that writes down what it is told.

No device is needed: what is tested with them is what happens on the host, before and after a launch.
"""

from __future__ import annotations

import ctypes
import math
import sys
import time
import types
from typing import Any, ClassVar

import numpy as np

from photonlink.cuda import _part
from photonlink.errors import Unavailable

WIDTH, SIZE = 6, 15

# What the native part says where no device can be used, and the reason that users get.
MISSING_DEVICES = [
    ("no_driver", Unavailable.NO_DRIVER),
    ("driver_too_old", Unavailable.DRIVER_TOO_OLD),
    ("no_device", Unavailable.NO_DEVICE),
    ("device_too_old", Unavailable.DEVICE_TOO_OLD),
    ("error", Unavailable.NO_DEVICE),
]

_CODES = {"i": 0, "u": 1, "f": 2}


class _Tensor(ctypes.Structure):
    _fields_: ClassVar = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


class _Versioned(ctypes.Structure):
    _fields_: ClassVar = [
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", _Tensor),
    ]


_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype, _new_capsule.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]


class DlpackArray:
    """Exports numpy memory as if it lay on device `device`; remembers for which stream it was asked."""

    def __init__(self, array: np.ndarray, device: int = 0, kind: int = 2, read_only: bool = False) -> None:
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        self._place, self._read_only = (kind, device), read_only
        self.streams: list[int] = []
        self._blocks: list[Any] = []

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._place

    def __dlpack__(self, *, stream: int, max_version: tuple[int, int]) -> Any:
        assert max_version >= (1, 0)
        self.streams.append(stream)
        array = self.array
        extents = (ctypes.c_int64 * array.ndim)(*array.shape)
        strides = (ctypes.c_int64 * array.ndim)(*(step // array.itemsize for step in array.strides))
        block = _Versioned(1, 0, None, None, int(self._read_only))
        block.tensor = _Tensor(
            array.ctypes.data,
            *self._place,
            array.ndim,
            _CODES[array.dtype.kind],
            array.itemsize * 8,
            1,
            extents,
            strides,
        )
        self._blocks += [block, extents, strides]
        return _new_capsule(ctypes.addressof(block), b"dltensor_versioned", None)


class InterfaceArray:
    """The same through ``__cuda_array_interface__`` alone."""

    def __init__(self, array: np.ndarray, read_only: bool = False, **entries: Any) -> None:
        self.shape, self.dtype = array.shape, array.dtype
        packed = array.flags.c_contiguous
        self.__cuda_array_interface__ = {
            "shape": array.shape,
            "typestr": array.dtype.str,
            "data": (array.ctypes.data, read_only),
            "strides": None if packed else array.strides,
            "version": 3,
        } | entries


class Failure:
    """What a kernel leaves."""

    def __init__(self, status: int, **fields: int) -> None:
        self.status, self.elapsed = status, 0.25
        for name in ("wire_status", "row", "id", "close_reason"):
            setattr(self, name, fields.get(name, 0))


def stand_in(state: str = "ok") -> types.ModuleType:
    """A module with the functions of the native CUDA part. ``links`` lists the links that were made."""
    module = types.ModuleType("photonlink._cuda")

    class CudaError(RuntimeError):
        pass

    class DeviceLink:
        argument, pointer, multiprocessors = bytes(range(64)), 4096, 100

        def __init__(self, **config: Any) -> None:
            self.config, self.device, self.slots = config, config["device"], config["slots"]
            self.calls: list[tuple[Any, ...]] = []
            self.failures: list[Failure] = []
            self.graphs = self.fails = False
            self.busy = False  # whether streams still work
            self.closes: list[bool] = [True]
            module.links.append(self)

        def _note(self, name: str, *arguments: Any) -> None:
            if self.fails:
                raise CudaError("could not launch a kernel: cudaErrorUnknown")
            self.calls.append((name, *arguments))

        def infer(self, *arguments: Any) -> None:
            self._note("infer", *arguments)

        def submit(self, *arguments: Any) -> str:
            if arguments[6] > self.slots:
                raise ValueError("cannot submit so many rows")
            self._note("submit", *arguments)
            return "submitted"

        def collect(self, *arguments: Any) -> None:
            self._note("collect", *arguments)

        def take_failure(self) -> Failure | None:
            return self.failures.pop(0) if self.failures else None

        def synchronize(self, stream: int, timeout: float) -> bool:
            self._note("synchronize", stream, timeout)
            if self.busy:
                time.sleep(timeout)
            return not self.busy

        def captured(self) -> bool:
            return self.graphs

        def close(self, timeout: float) -> bool:
            self.calls.append(("close", timeout))
            return self.closes.pop(0) if self.closes else True

    module.CudaError, module.DeviceLink, module.links = CudaError, DeviceLink, []
    module.status = lambda: (state, "the reason and the fix.")
    module.versions = lambda: {"runtime": 13000, "driver": 13010}
    device = {"index": 0, "name": "Stand-in", "compute_capability": "9.0", "usable": True}
    module.devices = lambda: [device, device | {"index": 1}, device | {"index": 2, "usable": False}]
    return module


def rows_seen(calls: list[tuple[Any, ...]]) -> int:
    """Rows of all launches."""
    return sum(call[7] for call in calls if call[0] in ("infer", "submit"))


def misaligned(shape: tuple[int, ...]) -> np.ndarray:
    """A float64 array at an odd address."""
    return np.frombuffer(bytearray(8 * math.prod(shape) + 1), np.float64, math.prod(shape), 1).reshape(shape)


def place(monkeypatch, module):
    monkeypatch.setitem(sys.modules, "photonlink._cuda", module)
    _part.part.cache_clear()
    return module


def arrays(rows=4, dtype=np.float64, out_dtype=np.float64):
    return DlpackArray(np.zeros((rows, WIDTH), dtype)), DlpackArray(np.zeros((rows, SIZE), out_dtype))


def address(array):
    return array.array.ctypes.data
