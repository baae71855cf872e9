"""Processors beyond the native simulator: Perceval, Quandela's cloud, and your own.

A controller lends one processor to one session at a time. Which one it is, is the only thing that changes between a
simulation and hardware: readouts, post-selection, samples, clock, tokens and errors are photonlink's for all of them.

* ``reserve("perceval:slos", program)``: :class:`PercevalProcessor`, Perceval's simulator on this machine.
* ``reserve("perceval:belenos", program)``: the same with the noise of a chip (:mod:`photonlink.presets`).
* ``reserve("quandela:<platform>", program, shots=1000)``: :class:`QuandelaProcessor`, jobs on Quandela's cloud.
* ``reserve(MyProcessor(), program, shots=1000)``: a :class:`Processor` of yours.

A controller service takes the same names, ``photonlink qsc serve --processor perceval:slos``, and drivers as
``--processor package.module:factory``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from photonlink.processors.base import Events, Processor, Task

if TYPE_CHECKING:
    from photonlink.processors.local import PercevalProcessor
    from photonlink.processors.quandela import QuandelaProcessor

__all__ = ["Events", "PercevalProcessor", "Processor", "QuandelaProcessor", "Task"]

_HOME = {"PercevalProcessor": "local", "QuandelaProcessor": "quandela"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'photonlink.processors' has no attribute {name!r}")
    return getattr(importlib.import_module(f"photonlink.processors.{_HOME[name]}"), name)
