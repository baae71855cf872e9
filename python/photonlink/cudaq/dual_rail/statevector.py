"""The state of the qubits themselves, for circuits whose photons are too many to simulate.

Where every gate has succeeded, the light carries exactly this state, and gates succeed with probabilities that do not
depend on it. What cannot be said this way is noise that changes states: photons that do not interfere, or too many.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from photonlink.cudaq.quake.circuit import Matrix
from photonlink.errors import ProgramError
from photonlink.noise import Noise

__all__ = ["check_noise", "photon_survival", "probabilities"]


def probabilities(
    wires: int, entanglers: Sequence[tuple[int, int]], blocks: Sequence[Sequence[Matrix]]
) -> NDArray[np.float64]:
    """Probabilities (2**wires,) of the bits of the wires, wire 0 first, if all gates succeed.

    Args:
        wires: Number of wires.
        entanglers: Pairs of wires of the CZ gates, in their order.
        blocks: Per wire, one (2, 2) unitary more than it has gates.

    Examples:
        >>> from photonlink.cudaq.quake.gates import matrix
        >>> h, one = matrix("h", []), np.eye(2)
        >>> probabilities(2, [(0, 1)], [[h, one], [h, h]]).round(6).tolist()  # a Bell pair
        [0.5, 0.0, 0.0, 0.5]
    """
    state = np.zeros((2,) * wires, np.complex128)
    state[(0,) * wires] = 1
    done = [0] * wires
    for pair in (*entanglers, None):
        for wire in range(wires) if pair is None else pair:
            state = np.moveaxis(np.tensordot(blocks[wire][done[wire]], state, (1, wire)), 0, wire)
            done[wire] += 1
        if pair is not None:
            both = [slice(None)] * wires
            both[pair[0]] = both[pair[1]] = slice(1, 2)
            state[tuple(both)] *= -1
    return np.abs(state.reshape(-1)) ** 2


def check_noise(noise: Noise | None) -> None:
    """Refuse noise that changes the state of the qubits.

    Raises:
        ProgramError: The noise has more than loss.
    """
    if noise is None:
        return
    beyond = {
        "indistinguishability": noise.indistinguishability < 1,
        "g2": noise.g2 > 0,
        "phase_error": noise.phase_error > 0,
        "phase_imprecision": noise.phase_imprecision > 0,
    }
    named = ", ".join(f"{name}={getattr(noise, name):g}" for name, present in beyond.items() if present)
    if named:
        raise ProgramError(
            f"the dual-rail state vector cannot represent {named}: it knows loss only (brightness and transmittance); "
            "use a smaller kernel, which is simulated photon by photon, or noise without these"
        )


def photon_survival(noise: Noise | None) -> float:
    """Probability that one expected photon is there and is detected."""
    return 1.0 if noise is None else noise.brightness * noise.transmittance
