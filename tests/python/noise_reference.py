"""Perceval's word on noisy programs, without the events that it would trim."""

from __future__ import annotations

from typing import Any

import numpy as np
import perceval as pcvl

import photonlink as phl

TOLERANCE = 1e-9  # of renormalised probabilities

INPUTS = {(4, 2): [1, 0, 1, 0], (6, 3): [0, 1, 0, 0, 1, 1], (8, 3): [1, 0, 1, 0, 1, 0, 0, 0], (4, 3): [2, 0, 1, 0]}
SETTINGS = (
    {"brightness": 0.7},
    {"transmittance": 0.3},
    {"indistinguishability": 0.8},
    {"indistinguishability": 0.0},
    {"g2": 0.1},
    {"g2": 0.1, "g2_distinguishable": False},
    {"brightness": 0.8, "transmittance": 0.5, "indistinguishability": 0.9, "g2": 0.05},
    {"brightness": 0.8, "transmittance": 0.5, "indistinguishability": 0.9, "g2": 0.3, "g2_distinguishable": False},
)


def experiment(unitary: Any, state: list[int], noise: dict[str, Any], detectors: str, least: int) -> pcvl.Experiment:
    built = pcvl.Experiment(pcvl.Unitary(pcvl.Matrix(unitary)), noise=pcvl.NoiseModel(**noise))
    if detectors == "threshold":
        for mode in range(len(state)):
            built.add(mode, pcvl.Detector.threshold())
    built.with_input(pcvl.BasicState(state))
    built.min_detected_photons_filter(least)
    return built


def by_processor(described: pcvl.Experiment) -> tuple[dict[tuple[int, ...], float], float]:
    """Distribution of kept events, and the probability that an event is kept."""
    processor = pcvl.Processor("SLOS", described)
    processor.compute_physical_logical_perf(True)
    result = processor.probs(precision=1e-30)
    return {tuple(state): p for state, p in result["results"].items()}, result["physical_perf"]


def program_of(described: pcvl.Experiment, readout: phl.Readout | None = None) -> phl.Program:
    return phl.Program.from_perceval(described, described.input_state, [], readout or phl.Readout.probs("fock"))


def as_distribution(program: phl.Program) -> dict[tuple[int, ...], float]:
    return dict(zip(program.output_keys, program.simulate(np.zeros(0)).tolist(), strict=True))


def kept_fraction(program: phl.Program) -> float:
    with phl.reserve("sim", program) as session:
        return float(session.infer(np.zeros(0), return_info=True)[1].kept_fraction[0])


def largest_difference(ours: dict[tuple[int, ...], float], theirs: dict[tuple[int, ...], float]) -> float:
    assert set(theirs) <= set(ours)
    return max(abs(p - theirs.get(state, 0.0)) for state, p in ours.items())
