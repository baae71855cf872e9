"""A Program in native code: its description, and its direct simulation without link, controller or session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from photonlink import _core
from photonlink._memory import half_of_memory
from photonlink._validate import checked_precision
from photonlink.errors import ProgramError
from photonlink.noise import Noise

if TYPE_CHECKING:  # which is made of these functions
    from photonlink._description import Description

__all__ = ["simulate", "spec"]


def spec(program: Description) -> _core.ProgramSpec:
    """See ``Program.spec``."""
    native = _core.ProgramSpec(
        program.modes,
        list(program.input_state),
        program.interferometers,
        program.phase_layers,
        program.phase_modes,
        program.readout.kind,
        program.readout.space,
        program.readout.grouping_name,
        program.readout.groups,
        program.interference,
        program.digest,
    )
    if program.noisy:
        native.noise = _noise(program)
    return native


def _noise(program: Description) -> _core.NoiseSpec:
    noise = program.noise or Noise()
    return _core.NoiseSpec(
        noise.brightness,
        noise.transmittance,
        noise.indistinguishability,
        noise.g2,
        noise.g2_distinguishable,
        noise.phase_imprecision,
        program.phase_errors,
        program.detectors == "threshold",
        program.min_detected_photons,
    )


def simulate(
    program: Description,
    x: ArrayLike,
    *,
    precision: str,
    shots: int | None,
    seed: int,
    ids: ArrayLike | None,
    memory_limit: int | None,
) -> NDArray[Any]:
    """See ``Program.simulate``."""
    if program.readout.kind == "samples":
        raise ProgramError("samples have no fixed size: use a session, or another readout with shots=")
    if shots is not None and not 1 <= shots < 2**32:
        raise ProgramError(f"shots must be 1 to 4294967295, or None for exact results, got {shots}")
    if not 0 <= seed < 2**64:
        raise ProgramError(f"seed must be an unsigned 64-bit integer, got {seed}")
    rows = np.asarray(x, np.float64)
    phases = program.encode(rows)
    row_ids = np.arange(len(phases), dtype=np.uint64) if ids is None else np.asarray(ids, np.uint64)
    if row_ids.shape != (len(phases),):
        raise ProgramError(f"expected {len(phases)} ids, one per datapoint, got shape {row_ids.shape}")
    limit = half_of_memory() if memory_limit is None else memory_limit
    simulator = _core.Simulator(program.spec, checked_precision(precision), limit, sampled=shots is not None)
    values: NDArray[Any] = simulator.run(phases, row_ids, seed, shots or 0)
    return values if rows.ndim == 2 else values[0]
