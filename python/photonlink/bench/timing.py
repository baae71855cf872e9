"""Timing: of functions that take a batch of rows, and of several competitors in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photonlink.errors import PhotonLinkError

__all__ = ["in_turn", "median_us_per_row", "require_agreement"]

REPEATS = 5


def require_agreement(what: str, worst: float, tolerance: float, *, of: str = "") -> None:
    """PhotonLinkError unless results agree, which is asked before anything is timed.

    Args:
        what: Who differs from whom, as the beginning of a sentence.
        worst: Their largest difference; NaN is none that could be tolerated.
        tolerance: Largest one that is.
        of: What the difference is measured by, such as ``" of the largest value"``.
    """
    if not worst <= tolerance:
        raise PhotonLinkError(
            f"{what} by {worst:.2e}{of} (tolerance {tolerance:.0e}): nothing was timed, since the timings would not "
            "compare the same computation"
        )


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


def in_turn(
    calls: Mapping[str, Callable[[], object]], rounds: int, *, most_calls: int, seconds: float
) -> dict[str, NDArray[np.float64]]:
    """Everybody in turn in every round, so that what else the machine does meets all alike.

    Args:
        calls: What is timed, by name.
        rounds: Rounds that count; one before them warms up.
        most_calls: Calls of each in a round, of which the median counts.
        seconds: After which no further call of a round is begun.

    Returns:
        (rounds, 2) of each: seconds elapsed, and seconds of processor time, that of all threads.
    """
    medians: dict[str, list[NDArray[np.float64]]] = {who: [] for who in calls}
    for _ in range(rounds + 1):
        for who, call in calls.items():
            medians[who].append(np.median(_timed(call, most_calls, seconds), axis=0))
    return {who: np.array(values[1:]) for who, values in medians.items()}


def _timed(call: Callable[[], object], most_calls: int, seconds: float) -> list[tuple[float, float]]:
    """Seconds elapsed and of processor time of each call, until there are so many or they took so long."""
    times: list[tuple[float, float]] = []
    while len(times) < most_calls and sum(elapsed for elapsed, _ in times) < seconds:
        started, began = time.perf_counter(), time.process_time()
        call()
        times.append((time.perf_counter() - started, time.process_time() - began))
    return times
