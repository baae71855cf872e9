"""Where a program can run: names of targets, whether they can be used here, and if not, why."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, replace

from photonlink.errors import ProgramError, TargetUnavailable, Unavailable

__all__ = ["TARGET_VARIABLE", "Target", "targets"]

TARGET_VARIABLE = "PHOTONLINK_TARGET"
CLOUD_TOKEN_VARIABLE = "PCVL_CLOUD_TOKEN"  # Perceval's own

_log = logging.getLogger(__name__)

# Why no CUDA device can be used, None if one can, and the same in a sentence.
State = tuple[Unavailable | None, str]


@dataclass(frozen=True)
class Target:
    """One target, or one family of targets.

    Attributes:
        name: What :func:`photonlink.reserve` takes; parts in angle brackets are to be filled in.
        available: Whether a session can be reserved on it here and now.
        reason: Why not, or ``None`` when it is available.
        detail: The same in a sentence.
        hardware: Whether photons are real; hardware has no exact results.
    """

    name: str
    available: bool
    reason: Unavailable | None
    detail: str
    hardware: bool = False


def _absent(name: str, reason: Unavailable, detail: str, *, hardware: bool = False) -> Target:
    return Target(name, available=False, reason=reason, detail=detail, hardware=hardware)


def _native() -> Target:
    try:
        importlib.import_module("photonlink._core")
    except ImportError as error:
        return _absent("sim", Unavailable.NOT_BUILT, f"the native core cannot be loaded: {error}")
    return Target("sim", available=True, reason=None, detail="native photonic simulator in this process")


def _cuda(looked: State | None = None) -> Target:
    what = "photonic simulator on the GPU"
    native = _native()
    if not native.available:
        return Target("sim:cuda", available=False, reason=native.reason, detail=f"{what}: {native.detail}")
    if looked is None:
        # Only now: whoever does not ask for this target must not load a CUDA driver.
        from photonlink.cuda._part import why_not

        looked = why_not()
    reason, why = looked
    if reason is not None:
        return _absent("sim:cuda", reason, f"{what}: {why}")
    return Target("sim:cuda", available=True, reason=None, detail=what)


def _service(name: str, detail: str) -> Target:
    """Clients need nothing but the core; whether a service runs there is found out by the reservation."""
    native = _native()
    return Target(name, native.available, native.reason, detail if native.available else native.detail)


def _perceval(name: str, detail: str) -> Target:
    native = _native()
    if native.available and importlib.util.find_spec("perceval") is None:
        return _absent(name, Unavailable.NOT_INSTALLED, "pip install perceval-quandela")
    return Target(name, native.available, native.reason, detail if native.available else native.detail)


def _quandela() -> Target:
    """With a token; whether the cloud takes it is found out by the reservation."""
    local = _perceval("quandela:<platform>", "jobs on Quandela's cloud")
    if local.available and not os.environ.get(CLOUD_TOKEN_VARIABLE):
        detail = f"Quandela's cloud wants a token: set {CLOUD_TOKEN_VARIABLE}, or pass token="
        return _absent(local.name, Unavailable.NO_TOKEN, detail, hardware=True)
    return replace(local, hardware=True)


# In the order in which they are listed. A target is looked into when it is asked for, and no sooner.
_TARGETS: dict[str, Callable[[], Target]] = {
    "sim": _native,
    "sim:cuda": _cuda,
    "perceval:slos": lambda: _perceval("perceval:slos", "Perceval's simulator in this process"),
    "perceval:<preset>": lambda: _perceval("perceval:<preset>", "Perceval's simulator with the noise of a chip"),
    "quandela:<platform>": _quandela,
    "qsc://<host>:<port>": lambda: _service(
        "qsc://<host>:<port>", "controller service, over shared memory on this machine or UDP on any"
    ),
    "shm://<name>": lambda: _service("shm://<name>", "controller service on this machine, by its name"),
}


def targets() -> list[Target]:
    """List every target with its availability and the reason when it is absent.

    Returns:
        All targets, the default first.

    Examples:
        >>> import photonlink as phl
        >>> [target.name for target in phl.targets() if target.available and target.name != "sim:cuda"]
        ['sim', 'perceval:slos', 'perceval:<preset>', 'qsc://<host>:<port>', 'shm://<name>']
    """
    return listed()


def listed(looked: State | None = None) -> list[Target]:
    """The same, for whoever has looked at the CUDA device already and must not do so in this process."""
    return [_cuda(looked) if look is _cuda else look() for look in _TARGETS.values()]


def _matches(pattern: str, name: str) -> bool:
    """Whether `name` is `pattern` with its placeholder filled in."""
    stem, placeholder, _ = pattern.partition("<")
    return name.startswith(stem) and len(name) > len(stem) if placeholder else name == pattern


def find(name: str) -> Target:
    """The target that `name` means.

    Raises:
        TargetUnavailable: No target has that name (reason ``UNKNOWN``).
    """
    for pattern, look in _TARGETS.items():
        if _matches(pattern, name):
            return look()
    raise TargetUnavailable(
        f"unknown target {name!r}; known targets are {', '.join(_TARGETS)}", reason=Unavailable.UNKNOWN, target=name
    )


def require(name: str, shots: int | None, *, token: str | None = None) -> Target:
    """The target that `name` means, if a session with `shots` can be reserved on it.

    Raises:
        ProgramError: Exact results were asked for on hardware.
        TargetUnavailable: The target is unknown or cannot be used here; ``reason`` says why.
    """
    target = find(name)
    if target.hardware and shots is None:
        raise ProgramError(
            f"target {name!r} is hardware, which has no exact results: pass shots=<kept samples per datapoint>, "
            "or use target 'sim' for shots=None",
            target=name,
        )
    if not target.available and not (target.reason is Unavailable.NO_TOKEN and token is not None):
        assert target.reason is not None
        raise TargetUnavailable(
            f"target {name!r} cannot be used: {target.reason.value}: {target.detail}; "
            "photonlink.targets() lists what is available",
            reason=target.reason,
            target=name,
        )
    return target


def overridden(asked: str) -> tuple[str, str | None]:
    """Apply ``PHOTONLINK_TARGET``.

    Returns:
        The target to use, and the one that was asked for if it is another.
    """
    override = os.environ.get(TARGET_VARIABLE, "")
    if not override or override == asked:
        return asked, None
    _log.warning("%s=%s replaces target %r", TARGET_VARIABLE, override, asked)
    return override, asked
