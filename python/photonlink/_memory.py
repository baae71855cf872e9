"""How much memory a simulation may take unless the caller says otherwise."""

from __future__ import annotations

import os

__all__ = ["half_of_memory"]


def half_of_memory() -> int:
    """Half of the machine's memory, in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
