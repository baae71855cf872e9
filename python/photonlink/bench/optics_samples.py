"""Samples of one datapoint, beside Perceval's sampler and its native implementation of the same algorithm."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

import photonlink as phl
from photonlink._reservoir import spaced_state
from photonlink.bench.optics_peers import Task
from photonlink.bench.timing import median_us_per_row

__all__ = ["SAMPLED_SIZES", "compare_samples"]

SHOTS = 1000
SAMPLED_SIZES = ((6, 3), (12, 6), (24, 12), (30, 10))  # no distribution of the last two fits: sampled without one
MOST_SAMPLER_MODES = 12  # Perceval's Sampler takes minutes beyond
SECONDS = 2.0
SHORTEST_SECONDS = 0.2


def _timed(task: Task, who: str, draw: Callable[[Any], object]) -> dict[str, Any]:
    phases = np.random.default_rng(2).uniform(0, 2 * np.pi, size=(1, task.modes))
    microseconds, _ = median_us_per_row(draw, phases, limit=SECONDS, shortest=SHORTEST_SECONDS)
    return {
        "modes": task.modes,
        "photons": task.photons,
        "shots": SHOTS,
        "who": who,
        "milliseconds": microseconds / 1e3,
    }


def _ours(task: Task) -> dict[str, Any]:
    program = phl.Program.from_perceval(
        task.circuit(), input_state=task.state, input_parameters=["px"], readout=phl.Readout.samples(space="fock")
    )
    with (
        phl.Controller(memory_limit=1 << 30) as controller,
        phl.reserve(
            "sim",
            program,
            shots=SHOTS,
            clock="none",
            precision="float32",
            threads=task.threads,
            controller=controller,
        ) as session,
    ):
        return _timed(task, f"photonlink {session.info.sampler}", session.infer)


def _clifford(task: Task) -> dict[str, Any]:
    """The native backend of Perceval, in parallel."""
    import perceval as pcvl

    backend = pcvl.Clifford2017Backend()

    def draw(phases: Any) -> object:
        backend.set_circuit(pcvl.Unitary(pcvl.Matrix(task.unitary(phases[0]))))
        backend.set_input_state(pcvl.BasicState(task.state))
        return backend.samples(SHOTS)

    return _timed(task, "perceval Clifford2017", draw)


def _sampler(task: Task) -> dict[str, Any]:
    """Perceval's Sampler over a local processor."""
    import perceval as pcvl
    from perceval.algorithm import Sampler

    def draw(phases: Any) -> object:
        processor = pcvl.Processor("CliffordClifford2017", pcvl.Unitary(pcvl.Matrix(task.unitary(phases[0]))))
        processor.min_detected_photons_filter(task.photons)
        processor.with_input(pcvl.BasicState(task.state))
        return Sampler(processor, max_shots_per_call=SHOTS).samples(SHOTS)

    return _timed(task, "perceval Sampler", draw)


def compare_samples(threads: int, sizes: tuple[tuple[int, int], ...] = SAMPLED_SIZES) -> list[dict[str, Any]]:
    """Milliseconds for ``SHOTS`` samples of one datapoint, per size and program, through a session of ours."""
    rows: list[dict[str, Any]] = []
    for modes, photons in sizes:
        task = Task.haar(list(spaced_state(modes, photons)), threads)
        rows.append(_ours(task))
        if importlib.util.find_spec("perceval") is None:
            continue
        rows.append(_clifford(task))
        if modes <= MOST_SAMPLER_MODES:
            rows.append(_sampler(task))
    return rows
