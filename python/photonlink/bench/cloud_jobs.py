"""The job path: rows become JSON, a job is submitted, its state is polled, and JSON becomes rows."""

from __future__ import annotations

import http.client
import json
import re
import time
import urllib.parse
from dataclasses import dataclass
from typing import Any

import numpy as np

from photonlink.bench.cloud_paths import STAGES, Floats, Pass, Reference, Work
from photonlink.errors import LinkTimeout, ProgramError, ServiceError
from photonlink.qsc.launching import Child
from photonlink.trace import Trace

__all__ = ["Delays", "through_jobs"]

_READY = re.compile(r"PHOTONLINK_JOBS_READY http=(\S+)\n")
_ANSWER_SECONDS = 30.0
_SLACK_SECONDS = 60.0
_LONGEST_DELAY_S = 3600.0


@dataclass(frozen=True)
class Delays:
    """What is added to a job, seconds.

    Attributes:
        queue: Waiting behind others.
        scheduling: From the head of the queue to the processor.
        poll: Between two questions of the client.
    """

    queue: float = 0.0
    scheduling: float = 0.0
    poll: float = 0.001

    def __post_init__(self) -> None:
        for name in ("queue", "scheduling", "poll"):
            number = getattr(self, name)
            if not 0 <= number <= _LONGEST_DELAY_S:
                raise ProgramError(f"{name} delay is {number}, expected seconds from 0 to {_LONGEST_DELAY_S}")

    @property
    def added(self) -> dict[str, float]:
        """The configured ones by name, empty where nothing is added."""
        if self.queue == self.scheduling == 0.0:
            return {}
        return {"queue": self.queue, "scheduling": self.scheduling, "poll_interval": self.poll}


@dataclass
class _Sent:
    """One job; times in nanoseconds, those of the service on the same clock."""

    rows: int
    start_ns: int = 0
    encoded_ns: int = 0
    accepted_ns: int = 0
    started_ns: int = 0
    finished_ns: int = 0
    asked_ns: int = 0  # the question that found it done
    received_ns: int = 0
    decoded_ns: int = 0


def through_jobs(
    work: Work, expected: Reference, trace: Trace, *, path: str, label: str, rows: int, delays: Delays
) -> Pass:
    """Send the datapoints as jobs of ``rows``, one after the other, over one connection that stays open.

    Args:
        work: What to send.
        expected: Whose modelled times apply.
        trace: Gets the spans of every job.
        path: Name of the pass in JSON.
        label: Its name for people.
        rows: Datapoints per job.
        delays: What is added.

    Returns:
        The pass. Stages of a job add up to the time from its first to its last step, plus modelled time where the clock
        is virtual.

    Raises:
        ServiceError: The job service did not start, or refused.
        LinkTimeout: A job did not end in time.
    """
    options = ("--queue-delay", str(delays.queue), "--scheduling-delay", str(delays.scheduling))
    with Child(["-m", "photonlink.bench.cloud_service", *options], _READY) as service:
        client = _Client(service.ready[1])
        try:
            started = time.monotonic()
            client.call("PUT", "/v1/program", work.program.to_bytes(), query=work.options)
            configured = time.monotonic() - started
            parts = [work.x[first : first + rows] for first in range(0, len(work.x), rows)]
            modelled = float((expected.update + expected.acquisition).max()) * rows
            patience = _SLACK_SECONDS + delays.queue + delays.scheduling + modelled
            done = [_one_job(client, part, delays.poll, patience) for part in parts]
        finally:
            client.close()
    results = np.concatenate([values for _, values in done])
    jobs = [job for job, _ in done]
    stages = np.array([_stages(work, expected, job, index * rows) for index, job in enumerate(jobs)])
    for index, job in enumerate(jobs):
        _add_spans(trace, path, job, index * rows)
    return Pass(path, label, rows, results, stages, configured, delays.added)


class _Client:
    """HTTP with typed errors, over one connection."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=_ANSWER_SECONDS)

    def call(self, method: str, path: str, body: bytes | None = None, *, query: dict[str, Any] | None = None) -> bytes:
        url = path if query is None else f"{path}?{urllib.parse.urlencode(query)}"
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            self._connection.request(method, url, body, headers)
            response = self._connection.getresponse()
            data = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise ServiceError(f"the job service did not answer {method} {path}: {error!r}") from None
        if not 200 <= response.status < 300:
            raise ServiceError(f"the job service answered {response.status} to {method} {path}: {data[:500]!r}")
        return data

    def close(self) -> None:
        self._connection.close()


def _one_job(client: _Client, x: Floats, interval: float, patience: float) -> tuple[_Sent, Floats]:
    sent = _Sent(len(x), start_ns=time.monotonic_ns())
    body = json.dumps({"rows": x.tolist()}).encode()
    sent.encoded_ns = time.monotonic_ns()
    number = json.loads(client.call("POST", "/v1/jobs", body))["job"]
    data = _poll(client, f"/v1/jobs/{number}", sent, interval, patience)
    answer = json.loads(data)
    results = np.array(answer["results"])
    sent.decoded_ns = time.monotonic_ns()
    sent.accepted_ns, sent.started_ns = answer["accepted_ns"], answer["started_ns"]
    sent.finished_ns = answer["finished_ns"]
    return sent, results


def _poll(client: _Client, path: str, sent: _Sent, interval: float, patience: float) -> bytes:
    """The answer that holds the results."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        sent.asked_ns = time.monotonic_ns()
        data = client.call("GET", path)
        sent.received_ns = time.monotonic_ns()
        # The state stands at the front: a question does not cost the decoding of results, which is a stage of its own.
        if data.startswith(b'{"status":"done"'):
            return data
        if data.startswith(b'{"status":"failed"'):
            raise ServiceError(f"the job failed: {json.loads(data)['error']}")
        time.sleep(interval)
    raise LinkTimeout(f"the job at {path} did not end within {patience:g} s", elapsed=patience)


def _stages(work: Work, expected: Reference, job: _Sent, first: int) -> list[float]:
    """Seconds of a job's stages, in the order of STAGES."""
    part = slice(first, first + job.rows)
    update, acquisition = expected.update[part].sum(), expected.acquisition[part].sum()
    waited = update + acquisition if work.clock == "realtime" else 0.0
    fetched_ns = max(job.asked_ns, job.finished_ns)  # a question on its way when the job ends has not waited for it
    found = {
        "encode": job.encoded_ns - job.start_ns,
        "transport": job.accepted_ns - job.encoded_ns + job.received_ns - fetched_ns,
        "queue": job.started_ns - job.accepted_ns,
        "phase update": update * 1e9,
        "acquisition": acquisition * 1e9,
        "readout": job.finished_ns - job.started_ns - waited * 1e9,
        "poll": fetched_ns - job.finished_ns,
        "decode": job.decoded_ns - job.received_ns,
    }
    return [float(found[stage.name]) * 1e-9 for stage in STAGES]


def _add_spans(trace: Trace, path: str, job: _Sent, first: int) -> None:
    about = {"rows": job.rows, "first": first}
    client, service = f"{path}: client", f"{path}: job service"
    trace.add(client, "steps", "encode", job.start_ns, job.encoded_ns, about)
    trace.add(client, "steps", "submit", job.encoded_ns, job.accepted_ns, about)
    trace.add(client, "steps", "poll", job.accepted_ns, job.asked_ns, about)
    trace.add(client, "steps", "fetch", max(job.accepted_ns, job.asked_ns), job.received_ns, about)
    trace.add(client, "steps", "decode", job.received_ns, job.decoded_ns, about)
    trace.add(service, "queue", "queue", job.accepted_ns, job.started_ns, about)
    trace.add(service, "processor", "run", job.started_ns, job.finished_ns, about)
