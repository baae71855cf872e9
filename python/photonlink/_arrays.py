"""Callers' arrays in host memory: DLPack first, then the buffer protocol; nothing is copied, no framework imported."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photonlink.errors import ProgramError

# DLPack device types whose memory a CPU may read and write: CPU, and host memory pinned for CUDA or ROCm.
_HOST_DEVICES = (1, 3, 11)
_FLOATS = (np.dtype(np.float64), np.dtype(np.float32))

Array = NDArray[Any]


def describe(value: Any) -> str:
    """Type, dtype and shape of what a caller passed, for messages."""
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    return f"{kind} of dtype {dtype} and shape {tuple(shape)}" if shape is not None else kind


def on_device(value: Any) -> bool:
    """Whether an array lies in memory that the CPU may not touch, without exporting it or importing anything."""
    if isinstance(value, np.ndarray):
        return False
    in_cuda = getattr(value, "is_cuda", None)  # torch tensors: several times faster than asking through DLPack
    if isinstance(in_cuda, bool):
        return in_cuda
    if hasattr(value, "__dlpack_device__"):
        return int(value.__dlpack_device__()[0]) not in _HOST_DEVICES
    return hasattr(value, "__cuda_array_interface__")


def _view(value: Any, name: str) -> Array:
    """A numpy view of the caller's memory."""
    if isinstance(value, np.ndarray):
        if type(value) is not np.ndarray and np.ma.is_masked(value):
            raise ProgramError(f"{name} has masked entries, expected a number in each: fill or drop them")
        return value
    if isinstance(value, (list, tuple)):
        raise ProgramError(
            f"{name} is a {type(value).__name__}; pass an array, e.g. numpy.asarray({name}, dtype=float)"
        )
    if on_device(value):
        raise ProgramError(
            f"{name} is a {describe(value)} in device memory, expected host memory as the other arrays of the call "
            "(torch: .cpu(), cupy: .get())"
        )
    try:
        if hasattr(value, "__dlpack__"):
            return np.from_dlpack(value)
        return np.asarray(memoryview(value))
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        raise ProgramError(
            f"{name} is a {describe(value)}, which cannot be read without a copy ({error}): pass a numpy array, a "
            "torch CPU tensor (x.detach() if it requires gradients), or anything with __dlpack__ or a buffer"
        ) from error


def features(x: Any, width: int) -> tuple[Array, bool]:
    """View the caller's features as (B, width), float32 or float64, each row contiguous.

    Returns:
        The view, and whether `x` was a single datapoint of shape (width,).

    Raises:
        ProgramError: Wrong type, dtype, shape or strides, or the array lies in device memory.
    """
    view = _view(x, "x")
    if view.dtype not in _FLOATS:
        raise ProgramError(f"x has dtype {view.dtype}, expected float64 or float32: pass x.astype(float)")
    if view.ndim not in (1, 2) or view.shape[-1] != width:
        raise ProgramError(
            f"x has shape {view.shape}, expected (B, {width}) or ({width},): "
            f"the program has {width} features, in the order of program.features"
        )
    return _rows(view, "x"), view.ndim == 1


def _rows(view: Array, name: str) -> Array:
    rows = view[np.newaxis] if view.ndim == 1 else view
    # Strides mean nothing where there are no elements; numpy makes them 0.
    inner_ok = rows.size == 0 or rows.shape[1] == 1 or rows.strides[1] == rows.itemsize
    if not inner_ok or not rows.flags.aligned or rows.strides[0] % rows.itemsize:
        raise ProgramError(
            f"{name} has strides {view.strides} for shape {view.shape} and {rows.itemsize}-byte elements, expected "
            f"contiguous rows: pass numpy.ascontiguousarray({name}) or {name}.contiguous()"
        )
    return rows


def output(out: Any, shape: tuple[int, ...], dtype: np.dtype[Any], x: Array) -> Array:
    """View the caller's output array as (B, O).

    Raises:
        ProgramError: Wrong type, dtype, shape or strides, in device memory, read-only, or it overlaps the input.
    """
    view = _view(out, "out")
    if view.dtype != dtype or view.shape != shape:
        raise ProgramError(f"out has dtype {view.dtype} and shape {view.shape}, expected {dtype} and {shape}")
    if not view.flags.writeable:
        raise ProgramError(
            "out is read-only: pass a writable array (numpy before 2.1 sees every DLPack array as read-only: "
            "pass out.numpy())"
        )
    rows = _rows(view, "out")
    if rows.shape[0] > 1 and rows.strides[0] < rows.shape[1] * rows.itemsize:
        raise ProgramError(
            f"out has strides {view.strides}: its rows overlap or run backwards; pass a contiguous array"
        )
    if np.shares_memory(rows, x):
        raise ProgramError(
            "out overlaps x: results are written while later rows of x are still read; pass another array"
        )
    return rows


def like(array: Array, sample: Any) -> Any:
    """`array` in the framework of `sample`: the one whose module has ``from_dlpack``, else numpy."""
    if isinstance(sample, np.ndarray) or not hasattr(sample, "__dlpack__"):
        return array
    for cls in type(sample).__mro__:
        convert = getattr(sys.modules.get(cls.__module__.partition(".")[0]), "from_dlpack", None)
        if convert is not None:
            return convert(array)
    return array
