"""Deep networks, of which datapoints have most phases in common: what is composed once for them."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import photonlink as phl
from photonlink._memory import half_of_memory
from photonlink._reservoir import spaced_state
from photonlink.bench.timing import in_turn, require_agreement

__all__ = ["DEEP_NETWORKS", "compare_reuse"]

DEEP_NETWORKS = ((6, 3, 4), (6, 3, 12), (12, 6, 24))  # modes, photons, layers of phases
ROUNDS = 5
SECONDS = 0.5


def _deep(modes: int, photons: int, layers: int) -> phl.Program:
    """Haar, a phase in every mode, Haar, and so on."""
    builder = phl.Program.layered(modes, spaced_state(modes, photons)).haar(0)
    for layer in range(layers):
        builder = builder.phases(range(layer * modes, (layer + 1) * modes)).haar(layer + 1)
    return builder.build(phl.Readout.probs(space="unbunched"))


def _batches(modes: int, layers: int) -> dict[str, NDArray[np.float64]]:
    """Two datapoints per phase, of all that a shift rule asks for, and as many others."""
    rng = np.random.default_rng(4)
    phases = modes * layers
    common = np.repeat(rng.uniform(0, 2 * np.pi, (1, phases)), 2 * phases, axis=0)
    shifts = np.repeat(np.eye(phases), 2, axis=0) * np.tile([1.0, -1.0], phases)[:, None]
    late = common.copy()
    late[:, -modes:] = rng.uniform(0, 2 * np.pi, (2 * phases, modes))
    return {
        "nothing in common": rng.uniform(0, 2 * np.pi, (2 * phases, phases)),
        "one phase shifted": common + shifts,
        "last layer new": late,
    }


def compare_reuse(threads: int, networks: tuple[tuple[int, int, int], ...] = DEEP_NETWORKS) -> list[dict[str, Any]]:
    """Microseconds per datapoint (float64) of datapoints with nothing, and with most phases in common.

    Raises:
        PhotonLinkError: Datapoints one by one in another order give other bits.
    """
    from photonlink import _core

    rows: list[dict[str, Any]] = []
    for modes, photons, layers in networks:
        simulator = _core.Simulator(_deep(modes, photons, layers).spec, "float64", half_of_memory(), threads=threads)
        batches = _batches(modes, layers)
        for what, phases in batches.items():
            alone = np.concatenate([simulator.run(row[None]) for row in phases[::-1]])[::-1]
            worst = float(np.abs(simulator.run(phases) - alone).max())
            require_agreement(f"({modes},{photons}), {layers} layers, {what}: a batch differs", worst, 0.0)
        calls = {what: partial(simulator.run, phases) for what, phases in batches.items()}
        for what, seconds in in_turn(calls, ROUNDS, most_calls=20, seconds=SECONDS).items():
            microseconds = 1e6 * float(np.median(seconds[:, 0])) / len(batches[what])
            rows.append(
                {"modes": modes, "photons": photons, "layers": layers, "phases": what, "microseconds": microseconds}
            )
    return rows
