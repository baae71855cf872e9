"""Ids of datapoints, which key their random numbers: results with samples show them."""

import numpy as np

# Whoever sends a session's first datapoint gets the ids from 0 on, the next one those from here on.
NEXT_IDS = 1 << 60


def ids(rows, first=0):
    """Ids of `rows` datapoints."""
    return np.arange(first, first + rows, dtype=np.uint64)
