"""The CUDA part of the package: a native module of its own, loaded when a device is first used, never needed before."""

from __future__ import annotations

import contextlib
import functools
import importlib
from collections.abc import Iterator
from typing import Any

from photonlink.errors import DeviceError, ProgramError, TargetUnavailable, Unavailable

__all__ = ["available", "device", "guarded", "part", "require", "why_not"]

_REASONS = {
    "no_driver": Unavailable.NO_DRIVER,
    "driver_too_old": Unavailable.DRIVER_TOO_OLD,
    "no_device": Unavailable.NO_DEVICE,
    "device_too_old": Unavailable.DEVICE_TOO_OLD,
    "error": Unavailable.NO_DEVICE,
}


_ARRAYS = "pass arrays in host memory (torch: x.cpu(), cupy: x.get())"


def _found() -> tuple[Any, Unavailable | None, str]:
    """The native module or None, and if no device can be used, why not, and the same in a sentence."""
    try:
        module: Any = importlib.import_module("photonlink._cuda")
    except ImportError as error:
        absent = isinstance(error, ModuleNotFoundError) and error.name == "photonlink._cuda"
        why = "this build of photonlink has no CUDA part" if absent else f"the CUDA part cannot be loaded ({error})"
        how = "install with PHOTONLINK_CUDA=ON in the environment (=wheel where there is no nvcc)"
        return None, Unavailable.NOT_BUILT, f"{why}: {how}"
    state, detail = module.status()
    if state == "ok":
        return module, None, "a CUDA device can be used"
    reason = _REASONS.get(state, Unavailable.NO_DEVICE)
    return module, reason, f"no device can be used: {detail.rstrip('.')} (photonlink doctor shows what there is)"


@functools.cache
def part() -> Any:
    """The native module, once it is known that a device can be used.

    Raises:
        TargetUnavailable: It cannot; ``reason`` says why, and the text what to do.
    """
    module, reason, why = _found()
    if reason is not None:
        otherwise = f", or {_ARRAYS}" if module is None else f"; nothing runs on the CPU instead: {_ARRAYS} for that"
        raise TargetUnavailable(f"{why}{otherwise}", reason=reason)
    return module


def device(index: int) -> dict[str, Any]:
    """What the device of that number is, if kernels can run on it.

    Raises:
        ProgramError: There is no such device.
        TargetUnavailable: It cannot be used; ``reason`` says why.
    """
    known = part().devices()
    if index >= len(known):
        raise ProgramError(f"device is {index}, and there are {len(known)}, numbered from 0")
    found: dict[str, Any] = known[index]
    if not found["usable"]:
        raise TargetUnavailable(
            f"device {index} ({found['name']}, compute capability {found['compute_capability']}) is older than what "
            "the CUDA part was built for: choose another with device=",
            reason=Unavailable.DEVICE_TOO_OLD,
        )
    return found


def why_not() -> tuple[Unavailable | None, str]:
    """Why no device can be used, None if one can, and the same in a sentence. Never raises."""
    return _found()[1:]


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
