"""The CUDA part of the package: a native module of its own, loaded when a device is first used, never needed before."""

from __future__ import annotations

import contextlib
import functools
import importlib
from collections.abc import Iterator
from typing import Any

from photonlink.errors import DeviceError, TargetUnavailable, Unavailable

__all__ = ["available", "guarded", "part", "require"]

_REASONS = {
    "no_driver": Unavailable.NO_DRIVER,
    "driver_too_old": Unavailable.DRIVER_TOO_OLD,
    "no_device": Unavailable.NO_DEVICE,
    "device_too_old": Unavailable.DEVICE_TOO_OLD,
    "error": Unavailable.NO_DEVICE,
}


def _module() -> Any:
    try:
        return importlib.import_module("photonlink._cuda")
    except ImportError as error:
        absent = isinstance(error, ModuleNotFoundError) and error.name == "photonlink._cuda"
        why = "this build of photonlink has no CUDA part" if absent else f"the CUDA part cannot be loaded ({error})"
        raise TargetUnavailable(
            f"{why}: install with PHOTONLINK_CUDA=ON in the environment (=wheel where there is no nvcc), "
            "or pass arrays in host memory (torch: x.cpu(), cupy: x.get())",
            reason=Unavailable.NOT_BUILT,
        ) from error


@functools.cache
def part() -> Any:
    """The native module, once it is known that a device can be used.

    Raises:
        TargetUnavailable: It cannot; ``reason`` says why, and the text what to do.
    """
    module = _module()
    state, detail = module.status()
    if state != "ok":
        raise TargetUnavailable(
            f"no device can be used: {detail.rstrip('.')} (photonlink doctor shows what there is); nothing runs on the "
            "CPU instead: pass arrays in host memory for that (torch: x.cpu(), cupy: x.get())",
            reason=_REASONS.get(state, Unavailable.NO_DEVICE),
        )
    return module


def require() -> None:
    """Raise unless a device can be used.

    Raises:
        TargetUnavailable: It cannot; ``reason`` says why, and the text what to do.
    """
    part()


def available() -> tuple[bool, Unavailable | None, str]:
    """Whether a device can be used, if not why, and the same in a sentence. Never raises."""
    try:
        part()
    except TargetUnavailable as error:
        return False, error.reason, str(error)
    return True, None, "a CUDA device can be used"


@contextlib.contextmanager
def guarded(target: str) -> Iterator[None]:
    """What CUDA refuses, as :class:`photonlink.errors.DeviceError`."""
    try:
        yield
    except part().CudaError as error:
        raise DeviceError(str(error), target=target) from error
