"""The ways from features to observables that must agree. A new target adds one entry to ROUTES."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import photonlink as phl


@dataclass(frozen=True)
class Job:
    """What is asked of a route."""

    program: phl.Program
    x: NDArray[np.float64]
    shots: int | None
    seed: int
    precision: str


@dataclass(frozen=True)
class Route:
    """A target and a way of calling it.

    Attributes:
        target: Name of the target.
        run: Executes a job.
        exact_bits: Whether results must equal direct simulation bit for bit. Other arithmetic gets a tolerance.
    """

    target: str
    run: Callable[[Job], Any]
    exact_bits: bool = True


def _session(job: Job, **options: Any) -> phl.Session:
    return phl.reserve("sim", job.program, shots=job.shots, seed=job.seed, precision=job.precision, **options)


def _whole_batch(job: Job) -> Any:
    with _session(job) as session:
        return session.infer(job.x)


def _one_slot(job: Job) -> Any:
    with _session(job, slots=1) as session:
        return session.infer(job.x)


def _row_by_row(job: Job) -> Any:
    with _session(job) as session:
        return np.stack([session.infer(row) for row in job.x])


def _into_my_array(job: Job) -> Any:
    with _session(job) as session:
        out = np.full((len(job.x), job.program.output_size), np.nan, job.precision)
        return session.infer(job.x, out=out)


def _with_reports(job: Job) -> Any:
    with _session(job) as session:
        return session.infer(job.x, return_info=True)[0]


def _futures(job: Job) -> Any:
    with _session(job, slots=4) as session:
        half = len(job.x) // 2
        parts = [session.infer_async(job.x[:half]), session.infer_async(job.x[half:])]
        return np.concatenate([part.result(60) for part in parts])


def _other_clock(job: Job) -> Any:
    with _session(job, clock="none") as session:
        return session.infer(job.x)


def _saved_program(job: Job) -> Any:
    copy = phl.Program.from_bytes(job.program.to_bytes())
    with _session(Job(copy, job.x, job.shots, job.seed, job.precision)) as session:
        return session.infer(job.x)


ROUTES = {
    "sim": Route("sim", _whole_batch),
    "sim-one-slot": Route("sim", _one_slot),
    "sim-rows": Route("sim", _row_by_row),
    "sim-out": Route("sim", _into_my_array),
    "sim-reports": Route("sim", _with_reports),
    "sim-futures": Route("sim", _futures),
    "sim-no-clock": Route("sim", _other_clock),
    "sim-saved-program": Route("sim", _saved_program),
}
