"""A job service in the style of a cloud: submit, queue, poll, JSON; in front of the processor that the link reaches.

The program is uploaded and configured once, before any job: a service that loads it with every job is slower. Jobs wait
in one queue, are held for the configured delays, and run one after the other in order of arrival.
"""

# No postponed annotations: FastAPI reads them where they are evaluated.
import argparse
import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
import uvicorn
from fastapi import FastAPI, HTTPException, Query, Request
from pydantic import BaseModel, Field

import photonlink as phl
from photonlink.errors import PhotonLinkError

__all__ = ["JobService", "make_app"]

READY = "PHOTONLINK_JOBS_READY http="
_MOST_JOBS = 4096
_MOST_BYTES = 16 * 2**20


class Terms(BaseModel):
    """What the processor is reserved with."""

    shots: int = Field(ge=1, lt=2**32)
    seed: int = Field(ge=0, lt=2**64)
    clock: Literal["virtual", "realtime"]
    preset: str = Field(max_length=64)


class Rows(BaseModel):
    """Datapoints of one job, features in radians."""

    rows: list[list[float]] = Field(min_length=1, max_length=4096)


@dataclass
class Job:
    """One submission; times in nanoseconds of ``time.monotonic_ns()``, which all processes of a machine share."""

    rows: list[list[float]]
    accepted_ns: int
    state: str = "queued"
    started_ns: int = 0
    finished_ns: int = 0
    results: list[list[float]] = field(default_factory=list)
    error: str = ""

    def as_json(self) -> dict[str, Any]:
        """What a poll answers."""
        answer: dict[str, Any] = {"status": self.state, "accepted_ns": self.accepted_ns}
        if self.state == "failed":
            answer["error"] = self.error
        if self.state == "done":
            answer |= {"started_ns": self.started_ns, "finished_ns": self.finished_ns, "results": self.results}
        return answer


class JobService:
    """The queue, its delays, and the session behind it.

    Args:
        queue_delay: Seconds that a job waits as if others stood before it.
        scheduling_delay: Seconds between the head of the queue and the processor.
    """

    def __init__(self, queue_delay: float, scheduling_delay: float) -> None:
        self._delays = (queue_delay, scheduling_delay)
        self._open = contextlib.ExitStack()
        self._session: phl.Session | None = None
        self._queue: asyncio.Queue[Job] = asyncio.Queue(_MOST_JOBS)
        self.jobs: dict[int, Job] = {}

    def configure(self, program: phl.Program, terms: Terms) -> None:
        """Reserve a processor for this program, in place of the last one."""
        self._open.close()
        controller = self._open.enter_context(phl.Controller())
        self._session = self._open.enter_context(
            phl.reserve("sim", program, controller=controller, **terms.model_dump())
        )

    def submit(self, rows: list[list[float]]) -> int:
        """Queue a job; its number."""
        if self._session is None:
            raise HTTPException(409, "no program: PUT one to /v1/program first")
        job = Job(rows, time.monotonic_ns())
        try:
            self._queue.put_nowait(job)
        except asyncio.QueueFull:
            raise HTTPException(503, f"{_MOST_JOBS} jobs wait already") from None
        number = len(self.jobs) + 1
        self.jobs[number] = job
        return number

    async def work(self) -> None:
        """Run jobs, one after the other, until cancelled."""
        while True:
            job = await self._queue.get()
            for delay in self._delays:
                if delay > 0:  # asyncio.sleep(0) would be a turn of the loop that no delay was configured for
                    await asyncio.sleep(delay)
            job.state, job.started_ns = "running", time.monotonic_ns()
            try:
                job.results = await asyncio.to_thread(self._run, job.rows)
                job.state, job.finished_ns = "done", time.monotonic_ns()
            except PhotonLinkError as error:
                job.state, job.error = "failed", f"{type(error).__name__}: {error}"

    def _run(self, rows: list[list[float]]) -> list[list[float]]:
        assert self._session is not None
        results: list[list[float]] = self._session.infer(np.array(rows)).tolist()
        return results

    def close(self) -> None:
        """Release the processor."""
        self._open.close()


def make_app(service: JobService) -> FastAPI:
    """HTTP in front of a job service."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        worker = asyncio.create_task(service.work())
        yield
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
        service.close()

    app = FastAPI(title="job service", openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan)

    @app.put("/v1/program", status_code=204)
    async def configure(request: Request, terms: Annotated[Terms, Query()]) -> None:
        body = await request.body()
        if len(body) > _MOST_BYTES:
            raise HTTPException(413, f"a program of more than {_MOST_BYTES} bytes")
        try:
            await asyncio.to_thread(lambda: service.configure(phl.Program.from_bytes(body), terms))
        except PhotonLinkError as error:
            raise HTTPException(422, f"{type(error).__name__}: {error}") from None

    @app.post("/v1/jobs", status_code=202)
    async def submit(rows: Rows) -> dict[str, int]:
        return {"job": service.submit(rows.rows)}

    @app.get("/v1/jobs/{number}")
    async def poll(number: int) -> dict[str, Any]:
        if number not in service.jobs:
            raise HTTPException(404, f"no job {number}")
        return service.jobs[number].as_json()

    return app


class _Server(uvicorn.Server):
    """Says where it is when it can be used."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()
            sys.stdout.write(f"{READY}{host}:{port}\n")
            sys.stdout.flush()


def main() -> None:
    """Serve on a free port of the loopback until SIGTERM."""
    parser = argparse.ArgumentParser(description="job service for photonlink bench cloud")
    parser.add_argument("--queue-delay", type=float, default=0.0)
    parser.add_argument("--scheduling-delay", type=float, default=0.0)
    arguments = parser.parse_args()
    service = JobService(arguments.queue_delay, arguments.scheduling_delay)
    # With the protocol named, asyncio sends small answers at once (TCP_NODELAY): held back, each would cost 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(make_app(service), http="h11", loop="asyncio", log_level="warning", access_log=False)
    _Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
