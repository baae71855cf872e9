"""A stand-in for Quandela's cloud: the HTTP protocol of Perceval's ``RPCHandler``, with Perceval as the platform.

It checks tokens, queues jobs, runs them locally, and can be told to answer badly: ``faults[what]`` lists what happens
to the next requests of that kind ("details", "create", "status", "result", "cancel"): an HTTP status, "silence" (no
answer for a while), "drop" (the connection is closed), bytes that are sent as they are, or a status and such bytes.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import perceval as pcvl
from perceval.algorithm import Sampler
from perceval.serialization import deserialize, serialize

TOKEN = "token-of-the-cloud-double-0123456789"


class CloudDouble:
    """Serves on a port of this machine until the context ends.

    Attributes:
        jobs: Payload of every job that was created, by id.
        cancelled: Ids of jobs that were cancelled.
        requests: Kind of every request that carried the token.
        waits: Times that a job's status is "waiting" before it runs; None: for ever.
    """

    def __init__(self, *, constraints: dict[str, Any] | None = None, kind: str = "simulator", **specs: Any) -> None:
        self.specs = {"available_commands": ["sample_count"], "constraints": constraints or {}, **specs}
        self.kind = kind
        self.noise = pcvl.NoiseModel()
        self.faults: dict[str, list[Any]] = defaultdict(list)
        self.jobs: dict[str, dict[str, Any]] = {}
        self.looks: dict[str, int] = defaultdict(int)
        self.cancelled: list[str] = []
        self.requests: list[str] = []
        self.waits: int | None = 0
        self.end = "completed"
        self.surplus = 0
        self.results: Any = None  # instead of what the platform finds
        self.created = threading.Event()
        self.over = threading.Event()
        double = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                double.serve(self, None)

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                double.serve(self, self.rfile.read(length))

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False  # closing the server waits for them
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="cloud-double")
        self._thread.start()

    def __enter__(self) -> CloudDouble:
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    # ---- requests

    def serve(self, request: BaseHTTPRequestHandler, body: bytes | None) -> None:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._answer(request, 401, {"error": "Unauthorized"})
        kind, argument = self._route(request.path)
        self.requests.append(kind)
        fault = self.faults[kind].pop(0) if self.faults[kind] else None
        if fault == "silence":
            self.over.wait(30.0)
        if fault in ("silence", "drop"):
            request.close_connection = True
            return None
        if isinstance(fault, int):
            return self._answer(request, fault, {"error": "told to"})
        if isinstance(fault, bytes):
            fault = 200, fault
        if isinstance(fault, tuple):
            return self._send(request, *fault)
        code, answer = getattr(self, f"_{kind}")(argument, body)
        return self._answer(request, code, answer)

    @staticmethod
    def _route(path: str) -> tuple[str, str]:
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "platforms"] and parts[3:] == ["processor"]:
            return "details", parts[2]
        if parts == ["api", "job"]:
            return "create", ""
        if parts[:2] == ["api", "job"] and len(parts) == 4 and parts[2] in ("status", "result", "cancel"):
            return parts[2], parts[3]
        return "unknown", path

    def _answer(self, request: BaseHTTPRequestHandler, code: int, answer: Any) -> None:
        self._send(request, code, json.dumps(answer).encode())

    @staticmethod
    def _send(request: BaseHTTPRequestHandler, code: int, content: bytes) -> None:
        request.send_response(code)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    # ---- what the cloud does

    def _unknown(self, *_: Any) -> tuple[int, Any]:
        return 404, {"error": "Not found"}

    def _details(self, name: str, _: Any) -> tuple[int, Any]:
        if name not in ("qpu%3Adouble", "sim%3Adouble"):
            return 404, {"error": "no such platform"}
        specs = serialize({**self.specs, "architecture": None} if "architecture" not in self.specs else self.specs)
        return 200, {"status": "available", "type": self.kind, "specs": specs, "perfs": {"HOM (%)": 90}}

    def _create(self, _: str, body: bytes | None) -> tuple[int, Any]:
        request = json.loads(body or b"")
        assert request["platform_name"].endswith(":double")
        number = f"job-{len(self.jobs)}"
        self.jobs[number] = request["payload"]
        self.created.set()
        return 200, {"job_id": number}

    def _status(self, number: str, _: Any) -> tuple[int, Any]:
        if number not in self.jobs:
            return 404, {"error": "no such job"}
        self.looks[number] += 1
        state = self.end
        if number in self.cancelled:
            state = "canceled"
        elif self.waits is None or self.looks[number] <= self.waits:
            state = "waiting"
        times = {"creation_datetime": 1.0, "start_time": 2.0, "duration": 3}
        return 200, {"status": state, "status_message": "as told", "progress": 0.5, "progress_message": "", **times}

    def _result(self, number: str, _: Any) -> tuple[int, Any]:
        return 200, {"results": json.dumps(serialize(self._run(self.jobs[number])))}

    def _cancel(self, number: str, _: Any) -> tuple[int, Any]:
        self.cancelled.append(number)
        return 200, {}

    def _run(self, job: dict[str, Any]) -> dict[str, Any]:
        if self.results is not None:
            return {"results": self.results}
        return platform_results(job, noise=self.noise, surplus=self.surplus)


def platform_results(
    payload: dict[str, Any], *, noise: pcvl.NoiseModel | None = None, surplus: int = 0
) -> dict[str, Any]:
    """What a platform finds for a job: Perceval on this machine. Each job takes its context back, as in the cloud."""
    processor = pcvl.Processor("SLOS", deserialize(payload["experiment"]), noise=noise)
    sampler = Sampler(processor, max_shots_per_call=payload["max_shots"])
    run = getattr(sampler, payload["command"])
    found: dict[str, Any] = run(payload["max_samples"] + surplus) if "max_samples" in payload else run()
    context = payload.get("job_context")
    return {**found, "job_context": context} if context else found
