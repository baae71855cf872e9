"""Ids of datapoints, which key their random numbers: results with samples show them."""

import numpy as np

# Whoever sends a session's first datapoint gets the ids from 0 on, the next one those from here on.
NEXT_IDS = 1 << 60

SHOTS, SEED = 60, 4


def ids(rows, first=0):
    """Ids of `rows` datapoints."""
    return np.arange(first, first + rows, dtype=np.uint64)


def sampled(program, x, first):
    """What a session reserved with SHOTS and SEED answers to `x`, whose first row has the id `first`."""
    return program.simulate(x, shots=SHOTS, seed=SEED, ids=ids(len(x), first))
