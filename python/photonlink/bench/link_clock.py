"""``photonlink bench link --clock``: what a controller adds to the time that the hardware takes.

Datapoints are sent one at a time under the realtime clock, which waits modelled times out. The controller's own record
says when it saw each request and when it gave the answer; whatever lies between them beyond the modelled time, the
simulation and the waiting included, is overhead.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import photonlink as phl
from photonlink.bench.cloud_paths import Work, reference
from photonlink.bench.link_jitter import asked
from photonlink.errors import PhotonLinkError
from photonlink.latency import Latency

__all__ = ["render", "run"]


def run(
    datapoints: int, latency: Latency | None = None, *, shots: int = 1000, timing: str = "article"
) -> dict[str, Any]:
    """Measure.

    Args:
        datapoints: How many to send.
        latency: What the controller asks of the system.
        shots: Kept samples of each.
        timing: Preset of the modelled times.

    Returns:
        A JSON-serialisable report. ``excess`` is the share by which the sum exceeds the modelled one, ``below`` how
        many datapoints took less than modelled.

    Raises:
        ProgramError: A number is out of range.
        PhotonLinkError: A result was not the simulator's.
        ServiceError: `latency` insists on what the system refuses.
    """
    work = Work.reservoir(datapoints, shots=shots, timing=timing)
    expected = reference(work)
    modelled = np.rint((expected.update + expected.acquisition) * 1e9).astype(np.int64)
    with phl.Controller(latency=latency, record_stages=datapoints) as controller:
        with phl.reserve("sim", work.program, controller=controller, **work.options) as session:
            results = np.stack([session.infer(row) for row in work.x])
        times = controller.stages()
        granted = [outcome.as_json() for outcome in controller.latency]
    if not np.array_equal(results, expected.results):
        raise PhotonLinkError("a result is not the simulator's: times of something else are not reported")
    measured = (times["published_ns"] - times["accepted_ns"]).astype(np.int64)
    overhead = measured - modelled
    return {
        "datapoints": datapoints,
        "shots": shots,
        "preset": timing,
        "clock": work.clock,
        "simulated": True,
        "modelled_s": float(modelled.sum() * 1e-9),
        "measured_s": float(measured.sum() * 1e-9),
        "excess": float(overhead.sum() / modelled.sum()),
        "below": int((overhead < 0).sum()),
        "overhead_us": {
            "p50": float(np.median(overhead) * 1e-3),
            "p99": float(np.percentile(overhead, 99) * 1e-3),
            "max": float(overhead.max() * 1e-3),
        },
        "latency": granted,
    }


def render(report: dict[str, Any]) -> str:
    """The report as text."""
    overhead = report["overhead_us"]
    work = f"{report['datapoints']} datapoints of {report['shots']} kept samples, one at a time"
    sums = f"modelled {report['modelled_s']:.6f} s, measured by the controller {report['measured_s']:.6f} s"
    spread = f"median {overhead['p50']:.1f} us, p99 {overhead['p99']:.1f} us, worst {overhead['max']:.1f} us"
    return "\n".join(
        [
            f"{work}, simulated processor, {report['clock']} clock, timing {report['preset']}",
            f"{sums}: {100 * report['excess']:+.3f}%",
            f"overhead per datapoint: {spread}",
            f"datapoints that took less than modelled: {report['below']}",
            *asked(report["latency"]),
        ]
    )
