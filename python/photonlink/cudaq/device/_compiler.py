"""Everything of CUDA-Q that device functions use, in one place: most of it is private there, and tied to a release.

Importing this module raises what :func:`require` raises.
"""
# ruff: noqa: E402, N813 - whether CUDA-Q is there is asked before anything of it is imported, under plain names

from __future__ import annotations

import warnings

from photonlink.cudaq import versions
from photonlink.errors import TargetUnavailable, Unavailable

__all__ = [
    "CapturedVariable",
    "PassManager",
    "PyKernelDecorator",
    "arith",
    "cc",
    "context",
    "func",
    "ir",
    "kernel_prefix",
    "runtime",
    "value_of",
]


def require() -> None:
    """Raise unless CUDA-Q can be used.

    Raises:
        ImportError: It is not installed.
        TargetUnavailable: Its version is another.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # importing 0.16 announces changes of its next release
            import cudaq
    except ImportError as error:
        raise ImportError("photonlink.cudaq.device needs CUDA-Q: pip install 'photonlink[cu13]' (or cu12)") from error

    if not versions.is_supported(versions.number(cudaq)):
        raise TargetUnavailable(
            f"device functions work with CUDA-Q {versions.SUPPORTED}.x, and this is {cudaq.__version__}: "
            f"{versions.INSTALL}",
            reason=Unavailable.UNSUPPORTED,
        )


require()

from cudaq.kernel.kernel_decorator import PyKernelDecorator
from cudaq.kernel.kernel_signature import CapturedVariable
from cudaq.kernel.utils import getMLIRContext as context
from cudaq.kernel.utils import nvqppPrefix as kernel_prefix
from cudaq.kernel.utils import recover_value_of as value_of
from cudaq.mlir import ir
from cudaq.mlir._mlir_libs._quakeDialects import cudaq_runtime as runtime
from cudaq.mlir.dialects import arith, cc, func
from cudaq.mlir.passmanager import PassManager
