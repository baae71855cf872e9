"""Photonic kernels and reservoirs for scikit-learn: on amplitudes, in simulation, and on any target.

Examples:
    >>> import numpy as np
    >>> from photonlink.learn import PhotonicReservoir
    >>> x = np.random.default_rng(0).normal(size=(50, 4))
    >>> PhotonicReservoir(photons=2, seed=1).fit_transform(x).shape
    (50, 14)
"""

from __future__ import annotations

try:
    import sklearn  # noqa: F401
except ImportError as missing:
    raise ImportError("photonlink.learn needs scikit-learn: pip install 'photonlink[learn]'") from missing

from photonlink.learn._merlin import merlin_kernel
from photonlink.learn._reservoir import PhotonicReservoir
from photonlink.learn._streaming import StreamingReservoir
from photonlink.learn._transformer import KernelTransformer
from photonlink.learn.kernels import FidelityKernel, project_psd

__all__ = [
    "FidelityKernel",
    "KernelTransformer",
    "PhotonicReservoir",
    "StreamingReservoir",
    "merlin_kernel",
    "project_psd",
]
