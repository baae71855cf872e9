"""Photonic quantum processors as real-time accelerators inside GPU and CUDA-Q kernels.

Describe a photonic circuit once as a :class:`Program`, reserve a processor, send feature vectors, read observables:

Examples:
    >>> import numpy as np
    >>> import photonlink as phl
    >>> program = phl.Program.reservoir(6, 2, features=6, seed=7, readout=phl.Readout.probs(space="unbunched"))
    >>> with phl.reserve("sim", program) as session:
    ...     y = session.infer(np.zeros((4, 6)))
    >>> y.shape
    (4, 15)

Names are loaded when first used, so that importing the package is quick and needs neither Perceval nor a GPU.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# These two share their names with their modules: loaded at once, or importing the module would hide the function.
from photonlink.doctor import doctor
from photonlink.targets import Target, targets

if TYPE_CHECKING:
    from photonlink import cuda, errors, gradients, presets, processors, realtime
    from photonlink._amplitudes import AmplitudeSimulator, amplitudes
    from photonlink._include import get_include
    from photonlink.controller import Controller
    from photonlink.info import Counts, InferInfo, SessionInfo, Usage
    from photonlink.latency import Latency
    from photonlink.noise import Noise
    from photonlink.presets import preset
    from photonlink.program import Program
    from photonlink.readout import LexGrouping, ModGrouping, Readout
    from photonlink.reservation import reserve
    from photonlink.session import Session

    __version__: str

__all__ = [
    "AmplitudeSimulator",
    "Controller",
    "Counts",
    "InferInfo",
    "Latency",
    "LexGrouping",
    "ModGrouping",
    "Noise",
    "Program",
    "Readout",
    "Session",
    "SessionInfo",
    "Target",
    "Usage",
    "__version__",
    "amplitudes",
    "cuda",
    "doctor",
    "errors",
    "get_include",
    "gradients",
    "preset",
    "presets",
    "processors",
    "realtime",
    "reserve",
    "targets",
]

_HOME = {
    "AmplitudeSimulator": "_amplitudes",
    "Controller": "controller",
    "Counts": "info",
    "InferInfo": "info",
    "Latency": "latency",
    "LexGrouping": "readout",
    "ModGrouping": "readout",
    "Noise": "noise",
    "Program": "program",
    "Readout": "readout",
    "Session": "session",
    "SessionInfo": "info",
    "Usage": "info",
    "amplitudes": "_amplitudes",
    "get_include": "_include",
    "preset": "presets",
    "reserve": "reservation",
}
_MODULES = ("cuda", "errors", "gradients", "presets", "processors", "realtime")


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("photonlink")
    elif name in _HOME:
        value = getattr(importlib.import_module(f"photonlink.{_HOME[name]}"), name)
    elif name in _MODULES:
        return importlib.import_module(f"photonlink.{name}")
    else:
        raise AttributeError(f"module 'photonlink' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
