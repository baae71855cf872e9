"""How the cost of a distribution grows with modes, photons and batch."""

from __future__ import annotations

from typing import Any

import numpy as np

import photonlink as phl
from photonlink._reservoir import spaced_state
from photonlink.bench.optics_limits import GIGA, exact_flops
from photonlink.bench.timing import median_us_per_row

__all__ = ["SCALED_SIZES", "scaling"]

SCALED_SIZES = ((4, 2), (6, 3), (8, 4), (10, 5), (12, 6), (14, 7), (16, 8), (18, 9), (20, 10))
BATCHES = (1, 4, 16, 64, 256, 1024, 4096)
MOST_RESULT_BYTES = 256 << 20
MEMORY_LIMIT = 4 << 30
SECONDS = 2.0


def scaling(threads: int, sizes: tuple[tuple[int, int], ...] = SCALED_SIZES) -> list[dict[str, Any]]:
    """Microseconds per datapoint and GFLOP/s for every size and batch whose results fit into 256 MiB."""
    from photonlink import _core

    rows: list[dict[str, Any]] = []
    for modes, photons in sizes:
        program = phl.Program.reservoir(
            modes,
            photons,
            features=modes,
            seed=1,
            input_state=spaced_state(modes, photons),
            readout=phl.Readout.probs(space="fock"),
        )
        states = program.output_size
        simulator = _core.Simulator(program.spec, "float32", MEMORY_LIMIT, threads=threads)
        phases = np.random.default_rng(3).uniform(0, 2 * np.pi, size=(max(BATCHES), len(program.phase_modes)))
        for batch in BATCHES:
            if batch > 1 and 4 * states * batch > MOST_RESULT_BYTES:
                break
            microseconds, _ = median_us_per_row(simulator.run, phases[:batch], limit=SECONDS, shortest=0.1)
            gflops = exact_flops(modes, photons) / microseconds * 1e6 / GIGA
            rows.append(
                {"modes": modes, "photons": photons, "batch": batch, "microseconds": microseconds, "gflops": gflops}
            )
    return rows
