"""Callers' arrays in device memory: DLPack first, then ``__cuda_array_interface__``. Nothing is copied or imported."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from photonlink import _core
from photonlink._arrays import describe
from photonlink.cuda import _streams
from photonlink.cuda._frameworks import Framework, framework_of
from photonlink.errors import ProgramError

__all__ = ["DeviceView", "features", "locate", "output", "statuses_output", "view"]

_CUDA_DEVICES = (2, 13)  # DLPack: CUDA, CUDA managed
_FLOATS = ("float32", "float64")
_DLPACK = (1, 1)  # newest version that we ask for


@dataclass(frozen=True, slots=True)
class DeviceView:
    """An array in device memory.

    Attributes:
        pointer: Address of the first element.
        shape: As the caller sees it.
        strides: In elements.
        dtype: numpy's name.
        device: Number of the device.
        read_only: Whether its owner forbids writing.
        hold: Keeps the memory alive.
    """

    pointer: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str
    device: int
    read_only: bool
    hold: Any

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return np.dtype(self.dtype).itemsize

    @property
    def row_stride(self) -> int:
        """Elements from row to row; of one row, its length."""
        return self.strides[0] if len(self.shape) == 2 else self.shape[-1]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an array lies and who knows about it."""

    device: int
    framework: Framework | None
    interface: dict[str, Any] | None  # __cuda_array_interface__ of arrays without DLPack


def locate(value: Any, name: str) -> Place:
    """Device and framework of an array, without exporting it.

    Raises:
        ProgramError: It does not lie in the memory of a CUDA device.
    """
    framework = framework_of(type(value))
    if hasattr(value, "__dlpack_device__") and hasattr(value, "__dlpack__"):
        kind, device = value.__dlpack_device__()
        if int(kind) not in _CUDA_DEVICES:
            where = "host memory" if int(kind) in (1, 3, 11) else f"memory of DLPack device type {int(kind)}"
            raise ProgramError(
                f"{name} is a {describe(value)} in {where}, expected memory of a CUDA device, as the other arrays of "
                "the call"
            )
        return Place(int(device), framework, None)
    interface = getattr(value, "__cuda_array_interface__", None)
    if interface is None:
        raise ProgramError(
            f"{name} is a {describe(value)}, expected an array in device memory, with __dlpack__ or "
            "__cuda_array_interface__"
        )
    # The interface does not name the device. Libraries that have it and no DLPack keep it in one of these.
    owner = getattr(value, "device", None)
    device = getattr(owner, "id", getattr(owner, "index", 0))
    return Place(device if isinstance(device, int) else 0, framework, interface)


def view(value: Any, name: str, place: Place, stream: int) -> DeviceView:
    """The array's memory, ready to be used on `stream`.

    Raises:
        ProgramError: Its owner does not hand it out as it is.
    """
    if place.interface is None:
        return _from_dlpack(value, name, place, stream)
    return _from_interface(value, name, place, place.interface)


def _from_dlpack(value: Any, name: str, place: Place, stream: int) -> DeviceView:
    framework = place.framework
    # On the owner's own current stream there is nothing to wait for, and -1 says so.
    own = framework is not None and framework.current_stream(place.device) == stream
    wanted = -1 if own else _streams.for_dlpack(stream)
    try:
        # torch hands out arrays of its current device only.
        with contextlib.nullcontext() if framework is None else framework.on(place.device, None):
            try:
                capsule = value.__dlpack__(stream=wanted, max_version=_DLPACK)
            except TypeError:  # from before DLPack 1
                capsule = value.__dlpack__(stream=wanted)
        array = _core.DlpackArray(capsule)
    except (BufferError, RuntimeError, TypeError, ValueError, AssertionError) as error:
        raise ProgramError(
            f"{name} is a {describe(value)}, which cannot be read without a copy ({error}): pass a plain array in "
            "device memory (torch: x.detach() if it requires gradients)"
        ) from error
    if array.device_type not in _CUDA_DEVICES or array.device_id != place.device:
        raise ProgramError(
            f"{name} is a {describe(value)} that names device {place.device} and hands out memory of device "
            f"{array.device_id} of DLPack type {array.device_type}"
        )
    return DeviceView(
        array.pointer, array.shape, array.strides, array.dtype, array.device_id, array.read_only, (array, value)
    )


def _from_interface(value: Any, name: str, place: Place, interface: dict[str, Any]) -> DeviceView:
    if interface.get("mask") is not None:
        raise ProgramError(f"{name} is a {describe(value)} with a mask, expected a plain array")
    dtype = np.dtype(interface["typestr"])
    shape = tuple(int(extent) for extent in interface["shape"])
    in_bytes = interface.get("strides")
    if in_bytes is None:
        strides = tuple(int(np.prod(shape[axis + 1 :], dtype=np.int64)) for axis in range(len(shape)))
    else:
        if any(stride % dtype.itemsize for stride in in_bytes):
            raise ProgramError(f"{name} has strides {tuple(in_bytes)}, expected multiples of {dtype.itemsize} bytes")
        strides = tuple(int(stride) // dtype.itemsize for stride in in_bytes)
    pointer, read_only = interface["data"]
    kind = dtype.name if dtype.isnative else f"{dtype.name} in foreign byte order"
    return DeviceView(int(pointer or 0), shape, strides, kind, place.device, bool(read_only), value)


def _check_rows(array: DeviceView, name: str) -> DeviceView:
    if 0 in array.shape:
        return array
    if (array.shape[-1] > 1 and array.strides[-1] != 1) or array.pointer % array.itemsize:
        raise ProgramError(
            f"{name} has strides {array.strides} (in elements) for shape {array.shape} at address {array.pointer:#x}, "
            f"expected contiguous, aligned rows: pass {name}.contiguous() or cupy.ascontiguousarray({name})"
        )
    return array


def features(x: Any, width: int, place: Place, stream: int) -> DeviceView:
    """View the caller's features: (B, width) or (width,), float32 or float64, each row contiguous.

    Raises:
        ProgramError: Wrong type, dtype, shape or strides.
    """
    array = view(x, "x", place, stream)
    if array.dtype not in _FLOATS:
        raise ProgramError(f"x has dtype {array.dtype}, expected float64 or float32")
    if len(array.shape) not in (1, 2) or array.shape[-1] != width:
        raise ProgramError(
            f"x has shape {array.shape}, expected (B, {width}) or ({width},): "
            f"the program has {width} features, in the order of program.features"
        )
    return _check_rows(array, "x")


def output(out: Any, shape: tuple[int, ...], dtype: str, x: DeviceView, stream: int) -> DeviceView:
    """View the caller's output array.

    Raises:
        ProgramError: Wrong type, dtype, shape, strides or device, read-only, or it overlaps the input.
    """
    array = _writable(out, "out", x, stream)
    if array.dtype != dtype or array.shape != shape:
        raise ProgramError(f"out has dtype {array.dtype} and shape {array.shape}, expected {dtype} and {shape}")
    _check_rows(array, "out")
    if len(shape) == 2 and shape[0] > 1 and array.strides[0] < shape[1]:
        raise ProgramError(
            f"out has strides {array.strides}: its rows overlap or run backwards; pass a contiguous array"
        )
    if _overlap(array, x):
        raise ProgramError(
            "out overlaps x: results are written while later rows of x are still read; pass another array"
        )
    return array


def statuses_output(statuses: Any, rows: int, x: DeviceView, stream: int) -> DeviceView:
    """View the caller's array for one status per row.

    Raises:
        ProgramError: Wrong type, dtype, shape, strides or device, or read-only.
    """
    array = _writable(statuses, "statuses", x, stream)
    if array.dtype not in ("uint32", "int32") or array.shape != (rows,):
        raise ProgramError(
            f"statuses has dtype {array.dtype} and shape {array.shape}, expected uint32 or int32 and ({rows},)"
        )
    return _check_rows(array, "statuses")


def _writable(value: Any, name: str, x: DeviceView, stream: int) -> DeviceView:
    place = locate(value, name)
    if place.device != x.device:
        raise ProgramError(f"{name} lies on device {place.device} and x on device {x.device}: expected the same device")
    array = view(value, name, place, stream)
    if array.read_only:
        raise ProgramError(f"{name} is read-only: pass a writable array")
    return array


def _extent(array: DeviceView) -> tuple[int, int]:
    """First byte, and the one behind the last."""
    steps = [(extent - 1) * stride for extent, stride in zip(array.shape, array.strides, strict=True)]
    low = array.pointer + array.itemsize * sum(min(step, 0) for step in steps)
    return low, array.pointer + array.itemsize * (sum(max(step, 0) for step in steps) + 1)


def _overlap(a: DeviceView, b: DeviceView) -> bool:
    if 0 in a.shape or 0 in b.shape:
        return False
    (a_low, a_high), (b_low, b_high) = _extent(a), _extent(b)
    return a_low < b_high and b_low < a_high
