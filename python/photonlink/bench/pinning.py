"""Threads that stay where they are put while something is measured."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Set

from photonlink.errors import ProgramError

__all__ = ["pinned", "two_cpus"]


@contextlib.contextmanager
def pinned(cpus: Set[int]) -> Iterator[None]:
    """This thread, and those that it starts, on these CPUs for as long as the context lasts; none leave it anywhere.

    Raises:
        ProgramError: This process may not use them.
    """
    if not cpus:
        yield
        return
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, cpus)
    except (OSError, OverflowError, ValueError) as error:
        raise ProgramError(f"this process may not use CPUs {sorted(cpus)}: {error}") from None
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def two_cpus() -> tuple[int, ...]:
    """Two CPUs of this process, for two threads that must not share one; none if it has only one."""
    first, *others = sorted(os.sched_getaffinity(0))
    return (first, others[0]) if others else ()
