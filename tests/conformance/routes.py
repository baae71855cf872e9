"""The ways from features to observables that must agree. A new target adds one entry to ROUTES."""

from __future__ import annotations

import atexit
import functools
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import perceval  # noqa: F401 - libraries that it brings start threads, which stay: before any test looks
from numpy.typing import NDArray

import photonlink as phl
from photonlink.qsc.launching import ServiceProcess


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
        on_device: Whether it needs a CUDA device, and torch.
    """

    target: str
    run: Callable[[Job], Any]
    exact_bits: bool = True
    on_device: bool = False


def _session(job: Job, target: str = "sim", **options: Any) -> phl.Session:
    return phl.reserve(target, job.program, shots=job.shots, seed=job.seed, precision=job.precision, **options)


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


def _from_device(job: Job) -> Any:
    import torch

    with _session(job) as session:
        y = session.infer(torch.from_numpy(job.x).cuda())
        session.synchronize()
        return y.cpu().numpy()


def _replayed(job: Job) -> Any:
    with _session(job) as session:
        session.device_link()
        return _replays(session, job)


def _replays(session: phl.Session, job: Job) -> Any:
    """One datapoint at a time, by replays of one graph."""
    import torch

    features = torch.zeros(job.x.shape[1], dtype=torch.float64, device="cuda")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y = session.infer(features)
    rows = []
    for row in torch.from_numpy(job.x):
        features.copy_(row)
        graph.replay()
        rows.append(y.cpu().numpy())
    session.check()
    return np.stack(rows)


def _simulated_on_device(job: Job) -> Any:
    """Host arrays there and back, in two calls."""
    with _session(job, "sim:cuda") as session:
        half = len(job.x) // 2
        later = session.infer_async(job.x[:half])
        return np.concatenate([later.result(60), session.infer(job.x[half:])])


def _simulated_where_it_lies(job: Job) -> Any:
    with _session(job, "sim:cuda") as session:
        return _replays(session, job)


@functools.cache
def _service() -> ServiceProcess:
    """One controller service for the whole run; it ends with the interpreter."""
    folder = tempfile.TemporaryDirectory(prefix="photonlink-conformance-")
    service = ServiceProcess("--ledger", f"{folder.name}/ledger.sqlite")
    atexit.register(folder.cleanup)
    atexit.register(service.__exit__, None, None, None)
    return service


def _on_service(job: Job) -> Any:
    with _session(job, _service().target) as session:
        return session.infer(job.x)


def _on_service_with_reports(job: Job) -> Any:
    with _session(job, f"shm://{_service().name}", slots=3) as session:
        half = len(job.x) // 2
        later = session.infer_async(job.x[:half], return_info=True)
        parts = [later.result(60)[0], session.infer(job.x[half:], return_info=True)[0]]
        return np.concatenate(parts)


def _perceval(job: Job) -> Any:
    with _session(job, "perceval:slos") as session:
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
    "qsc": Route("qsc", _on_service),
    "shm": Route("shm", _on_service_with_reports),
    "perceval": Route("perceval:slos", _perceval, exact_bits=False),
    "sim-from-device": Route("sim", _from_device, on_device=True),
    "sim-replayed": Route("sim", _replayed, on_device=True),
    "sim:cuda": Route("sim:cuda", _simulated_on_device, exact_bits=False, on_device=True),
    "sim:cuda-replayed": Route("sim:cuda", _simulated_where_it_lies, exact_bits=False, on_device=True),
}
