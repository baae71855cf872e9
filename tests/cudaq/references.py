"""What circuits do, gate by gate: written apart from the package, which merges gates before it applies them."""

import numpy as np

from photonlink.cudaq.quake.circuit import CZ


def state_of(circuit):
    """Amplitudes (2,) * wires of all wires, from all in |0>."""
    state = np.zeros((2,) * circuit.wires, complex)
    state[(0,) * circuit.wires] = 1
    for one in circuit.operations:
        if isinstance(one, CZ):
            both = [slice(None)] * circuit.wires
            both[one.first] = both[one.second] = 1
            state[tuple(both)] *= -1
        else:
            state = np.moveaxis(np.tensordot(one.matrix, state, (1, one.wire)), 0, one.wire)
    return state
