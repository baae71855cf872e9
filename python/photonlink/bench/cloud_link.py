"""The link path: one call per request over the ring, with the controller's own record of when what happened."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

import photonlink as phl
from photonlink.bench.cloud_paths import STAGES, Floats, Pass, Reference, Work
from photonlink.trace import Trace

__all__ = ["through_the_link"]

_WARM_ROUNDS = 1000


def through_the_link(work: Work, expected: Reference, trace: Trace, *, rows: int = 1) -> Pass:
    """Send the datapoints, ``rows`` per call.

    Args:
        work: What to send.
        expected: Whose modelled times apply.
        trace: Gets the spans of every call and datapoint.
        rows: Datapoints per call.

    Returns:
        The pass. Stages of a call add up to the time of the call, plus modelled time where the clock is virtual.
    """
    with phl.Controller(record_stages=len(work.x)) as controller:
        started = time.monotonic()
        with phl.reserve("sim", work.program, controller=controller, **work.options) as session:
            configured = time.monotonic() - started
            encode_seconds = _encode_seconds(work)
            session.echo_latency(_WARM_ROUNDS)
            results = np.empty((len(work.x), session.program.output_size))
            calls = _send(session, work.x, results, rows)
        times = controller.stages()
    stages = np.array(
        [
            _stages(work, expected, times[first : first + rows], first, calls[call], encode_seconds)
            for call, first in enumerate(range(0, len(work.x), rows))
        ]
    )
    path = "link" if rows == 1 else f"link-calls-of-{rows}"
    _add_spans(trace, path, work, expected, times, calls, rows)
    return Pass(path, f"link in this process, calls of {rows}", rows, results, stages, configured)


def _encode_seconds(work: Work) -> float:
    """Seconds per datapoint of the native encoder, which the calls below run inside."""
    work.program.encoder.encode(work.x)
    started = time.perf_counter()
    work.program.encoder.encode(work.x)
    return (time.perf_counter() - started) / len(work.x)


def _send(session: phl.Session, x: Floats, results: Floats, rows: int) -> list[tuple[int, int]]:
    """Begin and end of each call, nanoseconds."""
    calls = []
    for first in range(0, len(x), rows):
        part = slice(first, first + rows)
        started = time.monotonic_ns()
        session.infer(x[part], out=results[part])
        calls.append((started, time.monotonic_ns()))
    return calls


def _stages(
    work: Work,
    expected: Reference,
    times: NDArray[np.void],
    first: int,
    call: tuple[int, int],
    encode_seconds: float,
) -> list[float]:
    """Seconds of a call's stages, in the order of STAGES."""
    part = slice(first, first + len(times))
    update, acquisition = expected.update[part].sum(), expected.acquisition[part].sum()
    at_work = _seconds(times["begun_ns"][0], times["published_ns"][-1])
    waited = update + acquisition if work.clock == "realtime" else 0.0
    encode = encode_seconds * len(times)
    found = {
        "encode": encode,
        "transport": _seconds(call[0], times["accepted_ns"][0]) + _seconds(times["published_ns"][-1], call[1]) - encode,
        "queue": _seconds(times["accepted_ns"][0], times["begun_ns"][0]),
        "phase update": update,
        "acquisition": acquisition,
        "readout": at_work - waited,
    }
    return [float(found.get(stage.name, 0.0)) for stage in STAGES]


def _seconds(start_ns: int, end_ns: int) -> float:
    return (int(end_ns) - int(start_ns)) * 1e-9


def _add_spans(
    trace: Trace,
    path: str,
    work: Work,
    expected: Reference,
    times: NDArray[np.void],
    calls: list[tuple[int, int]],
    rows: int,
) -> None:
    for call, (start, end) in enumerate(calls):
        trace.add(f"{path}: caller", "calls", "infer", start, end, {"rows": rows, "first": call * rows})
    modelled_ns = calls[0][0]
    for row, entry in enumerate(times):
        datapoint = {"id": int(entry["id"])}
        trace.add(f"{path}: controller", "queue", "queue", entry["accepted_ns"], entry["begun_ns"], datapoint)
        trace.add(f"{path}: controller", "processor", "simulate", entry["begun_ns"], entry["executed_ns"], datapoint)
        trace.add(
            f"{path}: controller",
            "clock and publication",
            "publish",
            entry["executed_ns"],
            entry["published_ns"],
            datapoint,
        )
        # Where the clock waits, modelled time lies where it was waited; where it only adds up, on a scale of its own.
        begun = int(entry["begun_ns"]) if work.clock == "realtime" else modelled_ns
        settled = begun + round(expected.update[row] * 1e9)
        modelled_ns = settled + round(expected.acquisition[row] * 1e9)
        modelled = f"{path}: chip (modelled, {work.clock} clock)"
        trace.add(modelled, "phases", "phase update", begun, settled, datapoint)
        trace.add(modelled, "detectors", "acquisition", settled, modelled_ns, datapoint)
