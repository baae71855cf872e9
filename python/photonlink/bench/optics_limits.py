"""What the machine can do, measured in the same run, and what a distribution takes of it."""

from __future__ import annotations

import math
import resource
import time
from typing import Any

import numpy as np

__all__ = ["GIGA", "exact_flops", "level_bytes", "limits", "peak_memory_mib"]

GIGA = 1e9
_COPIED_BYTES = 256 << 20  # more than any cache


def exact_flops(modes: int, photons: int) -> int:
    """Flops that the sweep's algorithm needs per datapoint of a full Fock distribution from single photons.

    Each of modes * binomial(modes + k - 2, k - 1) parents of level k takes a complex multiply-add (8 flops), or a real
    times a complex one (4) in the last level, whose column is real; then 4 per state for its probability. Composing the
    interferometers, and lanes that idle, do not count.
    """
    parents = [modes * math.comb(modes + k - 2, k - 1) for k in range(1, photons + 1)]
    return 8 * sum(parents[:-1]) + 4 * parents[-1] + 4 * math.comb(modes + photons - 1, photons)


def level_bytes(modes: int, photons: int, element: int) -> int:
    """Bytes of the last level but one of one datapoint: what the last step reads again and again."""
    return 2 * element * math.comb(modes + photons - 2, photons - 1)


def _copy_bandwidth() -> float:
    """Bytes per second read plus written by one core that copies an array larger than the caches; best of several."""
    source = np.ones(_COPIED_BYTES // 8)
    target = np.empty_like(source)
    best = math.inf
    for _ in range(5):
        started = time.perf_counter()
        np.copyto(target, source)
        best = min(best, time.perf_counter() - started)
    return 2 * _COPIED_BYTES / best


def limits() -> dict[str, Any]:
    """Multiply-add peak of one core, per precision, and copy bandwidth of one core.

    Returns:
        ``peak_gflops`` by precision, ``copy_gbytes`` per second, and the SIMD ``profile`` that the peak was reached in.
    """
    from photonlink import _core

    return {
        "profile": _core.simd_profile(),
        "peak_gflops": {name: _core.multiply_add_peak(name) / GIGA for name in ("float32", "float64")},
        "copy_gbytes": _copy_bandwidth() / GIGA,
    }


def peak_memory_mib() -> float:
    """Most memory that this process has held so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
