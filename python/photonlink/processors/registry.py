"""Processors by name, and what a target makes of a program before it is sent there."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from photonlink.errors import ProgramError, TargetUnavailable, Unavailable
from photonlink.noise import Noise
from photonlink.presets import presets
from photonlink.processors.base import Processor
from photonlink.program import Program

__all__ = ["chip_of", "make", "on_target"]

_PERCEVAL = "perceval:"
_QUANDELA = "quandela:"


def chip_of(target: str) -> str | None:
    """The preset that `target`, or the processor of that name, simulates; ``None`` for all others."""
    stem, _, name = target.partition(":")
    return name if stem == "perceval" and name != "slos" else None


def on_target(target: str, program: Program) -> Program:
    """The program as `target` executes it: with sources and detectors of the chip, if it simulates one.

    Args:
        target: Name of a target, or of a service's processor.
        program: What was asked for.

    Raises:
        ProgramError: The program has other noise of its own, or there is no such chip.
    """
    chip = chip_of(target)
    if chip is None:
        return program
    noise = Noise.preset(chip)
    if program.noise is not None and program.noise != noise:
        raise ProgramError(
            f"{target!r} brings the noise of {chip}, and the program has noise of its own: pass "
            "program.replace(noise=None), or use 'perceval:slos', which executes the program's",
            target=target,
        )
    return program.replace(noise=noise, detectors="threshold")


def make(name: str, *, token: str | None = None) -> Processor | None:
    """The processor called `name`; ``None`` for the native simulator, "sim", which needs none.

    Args:
        name: As in targets ("perceval:slos", "perceval:<preset>", "quandela:<platform>"), or "module:factory" for a
            driver of one's own: what the factory returns when it is called without arguments.
        token: Of the cloud.

    Raises:
        TargetUnavailable: It cannot be used here; ``reason`` says why.
        ProgramError: There is no such preset.
    """
    if name == "sim":
        return None
    if name.startswith(_PERCEVAL):
        from photonlink.processors.local import PercevalProcessor

        _check_chip(name)
        return PercevalProcessor(chip_of(name))
    if name.startswith(_QUANDELA):
        from photonlink.processors.quandela import QuandelaProcessor

        return QuandelaProcessor(name.removeprefix(_QUANDELA), token=token)
    return _from_factory(name)


def _check_chip(name: str) -> None:
    chips = [preset.name for preset in presets() if preset.chip]
    if chip_of(name) not in (None, *chips):
        known = ", ".join(f"{_PERCEVAL}{chip}" for chip in ["slos", *chips])
        raise TargetUnavailable(f"{name!r} is none of {known}", reason=Unavailable.UNKNOWN, target=name)


def _from_factory(name: str) -> Processor:
    module, _, attribute = name.partition(":")
    try:
        factory: Callable[[], object] = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise TargetUnavailable(
            f"unknown processor {name!r}: expected sim, perceval:slos, perceval:<preset>, quandela:<platform> or "
            f"<module>:<factory> ({error})",
            reason=Unavailable.UNKNOWN,
            target=name,
        ) from error
    made = factory()
    if not isinstance(made, Processor):
        raise TargetUnavailable(
            f"{name} made a {type(made).__name__}, expected a photonlink.processors.Processor",
            reason=Unavailable.UNSUPPORTED,
            target=name,
        )
    return made
