"""Timing of functions that take a batch of rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["median_us_per_row"]

REPEATS = 5


def median_us_per_row(
    run: Callable[[NDArray[Any]], object], rows: NDArray[Any], *, limit: float, shortest: float = 0.0
) -> tuple[float, int]:
    """Median microseconds per row, and the rows that were timed.

    Args:
        run: Takes rows, any number of them.
        rows: (B, ...) to time.
        limit: Seconds after which no repeat is begun; fewer rows are taken where all would take longer.
        shortest: Seconds that repeats go on for at least, so that short calls are repeated often.
    """
    count = len(rows)
    started = time.perf_counter()
    run(rows[:1])
    single = time.perf_counter() - started
    if single * count > limit:
        started = time.perf_counter()  # the first call may have been slow for reasons of its own
        run(rows[:1])
        single = time.perf_counter() - started
    if single * count > limit:
        count = max(1, int(limit / single))
    part = np.ascontiguousarray(rows[:count])
    run(part)
    durations: list[float] = []
    begun = time.perf_counter()
    while len(durations) < 2 or (
        time.perf_counter() - begun < (limit if len(durations) < REPEATS else min(shortest, limit))
    ):
        started = time.perf_counter()
        run(part)
        durations.append(time.perf_counter() - started)
    return 1e6 * float(np.median(durations)) / count, count
