"""``photonlink bench cloud``: the same datapoints through the link and through a job service, in one command.

Both stand in front of the same simulated processor with the same clock. The job service is given no handicap beyond its
style: the program is loaded once, the connection stays open, and delays are added in one of three passes only.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from photonlink import _packages
from photonlink._checks import integer
from photonlink.bench.cloud_jobs import Delays, through_jobs
from photonlink.bench.cloud_link import through_the_link
from photonlink.bench.cloud_paths import STAGES, Pass, Work, check_equal, reference
from photonlink.demo.job import CLOUD_SECONDS_PER_DATAPOINT
from photonlink.trace import Trace

__all__ = ["BATCH", "PUBLISHED", "Delays", "run", "trace_link"]

BATCH = 32

# Shown as published, never as measured.
PUBLISHED = {
    "cloud_job_stack_s_per_datapoint": CLOUD_SECONDS_PER_DATAPOINT,
    "photonic_processor_s_per_datapoint": 0.030,
}


def run(work: Work, delays: Delays, *, delayed: int = 4) -> tuple[dict[str, Any], Trace]:
    """Measure all passes.

    Args:
        work: The datapoints.
        delays: Of the pass with delays.
        delayed: Datapoints of that pass, the first of `work`.

    Returns:
        A JSON-serialisable report, and the trace of everything.

    Raises:
        PhotonLinkError: A path returned other results than the reference.
        TargetUnavailable: The packages of the job service are missing.
    """
    _packages.require(("fastapi", "uvicorn"), "qsc", by="the job service")
    fewer = replace(work, x=work.x[: integer("delayed", delayed, 1, len(work.x))])
    expected = reference(work)
    trace = Trace()
    passes = [
        through_the_link(work, expected, trace),
        through_the_link(work, expected, trace, rows=BATCH),
        through_jobs(work, expected, trace, path="jobs", label="jobs of 1, no added delay", rows=1, delays=Delays()),
        through_jobs(
            work,
            expected,
            trace,
            path=f"jobs-of-{BATCH}",
            label=f"jobs of {BATCH}, no added delay",
            rows=BATCH,
            delays=Delays(),
        ),
        through_jobs(
            fewer, expected, trace, path="jobs-delayed", label="jobs of 1, configured delays", rows=1, delays=delays
        ),
    ]
    for done in passes:
        check_equal(done, expected.results[: len(done.results)])
    trace.about = _about(work)
    return {**_about(work), **_compared(passes), "published": PUBLISHED}, trace


def trace_link(work: Work, *, rows: int) -> tuple[dict[str, Any], Trace]:
    """One pass over the link, ``rows`` datapoints per call, and its trace.

    Raises:
        ProgramError: There are not so many datapoints.
        PhotonLinkError: The link returned other results than the reference.
    """
    integer("rows", rows, 1, len(work.x))
    trace = Trace()
    expected = reference(work)
    done = through_the_link(work, expected, trace, rows=rows)
    check_equal(done, expected.results)
    trace.about = _about(work)
    return {**_about(work), **done.as_json()}, trace


def _about(work: Work) -> dict[str, Any]:
    return {
        "simulated": True,
        "clock": work.clock,
        "preset": work.timing,
        "modes": work.program.modes,
        "photons": work.program.photons,
        "outputs": work.program.output_size,
        "shots": work.shots,
        "seed": work.seed,
        "datapoints": len(work.x),
    }


def _compared(passes: list[Pass]) -> dict[str, Any]:
    rows = [done.as_json() for done in passes]
    for row in rows:
        row["ratio_to_link"] = row["ms_per_datapoint"] / rows[0]["ms_per_datapoint"]
    return {
        "equal_results": True,
        "stages": [{"name": s.name, "kind": "modelled" if s.modelled else "measured", "text": s.text} for s in STAGES],
        "paths": rows,
    }
