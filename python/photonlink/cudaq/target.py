"""The target ``photonlink``: qubit kernels on a photonic processor, in dual-rail encoding.

Every qubit is one photon in two modes. One-qubit gates are Mach-Zehnder interferometers and certain; controlled Z gates
succeed with probability 1/9 or 2/27, and only events in which all of them did are counted: ``shots_count`` is their
number, and the annotations of a result say how probable one is.

Examples:
    >>> import cudaq  # doctest: +SKIP
    >>> cudaq.set_target("photonlink", noise="belenos", detectors="threshold")  # doctest: +SKIP
    >>> cudaq.sample(kernel, shots_count=1000).annotations["success_probability"]  # doctest: +SKIP
"""

from __future__ import annotations

from typing import Any

from photonlink.cudaq import hooks
from photonlink.cudaq.endpoint import Endpoint
from photonlink.cudaq.options import parse
from photonlink.cudaq.quake.walker import PIPELINE
from photonlink.targets import overridden, require

__all__ = ["build"]


def build(arguments: dict[str, Any]) -> Any:
    """A ``cudaq._experimental.CustomTarget``.

    Args:
        arguments: Of ``cudaq.set_target``; :data:`photonlink.cudaq.options.ARGUMENTS` lists them.

    Raises:
        ProgramError: An argument is unknown, or of a wrong type or value; the message lists the valid ones.
        TargetUnavailable: The controller that ``qsc`` names cannot be used here.
    """
    from cudaq._experimental import CompileTarget, CustomTarget

    options = parse(arguments)
    require(overridden(options.qsc)[0], shots=1)
    if options.seed is not None:
        hooks.seed.set(options.seed)
    compilation = CompileTarget()
    compilation.fully_specialize = True  # arguments become constants: lists cannot be read otherwise
    pipelines = compilation.pipeline_config
    pipelines.mid_level_pipeline = PIPELINE
    compilation.pipeline_config = pipelines  # what was read is a copy
    return CustomTarget(Endpoint(options), compilation)
