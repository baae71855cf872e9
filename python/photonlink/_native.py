"""A Program in native code: its description, and its direct simulation without link, controller or session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from photonlink import _checks, _core
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
    kept = 0 if shots is None else _checks.integer("shots", shots, 1, 2**32 - 1)
    key = _checks.integer("seed", seed, 0, 2**64 - 1)
    limit = half_of_memory() if memory_limit is None else _checks.integer("memory_limit", memory_limit, 0, 2**63)
    rows = _checks.array("x", x, np.float64)
    phases = program.encode(rows)
    row_ids = np.arange(len(phases), dtype=np.uint64) if ids is None else _checks.array("ids", ids, np.uint64)
    if row_ids.shape != (len(phases),):
        raise ProgramError(f"expected {len(phases)} ids, one per datapoint, got shape {row_ids.shape}")
    simulator = _core.Simulator(program.spec, checked_precision(precision), limit, sampled=kept > 0)
    values: NDArray[Any] = simulator.run(phases, row_ids, key, kept)
    return values if rows.ndim == 2 else values[0]
