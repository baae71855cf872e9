"""Traces: what happened when, as a file that chrome://tracing and https://ui.perfetto.dev open.

The format is the JSON object form of the Trace Event Format ("Trace Event Format", Google, document of the Catapult
project): complete events (``ph`` "X") with ``ts`` and ``dur`` in microseconds, and metadata events (``ph`` "M") that
name processes and threads.

Examples:
    >>> trace = Trace()
    >>> trace.add("caller", "main", "infer", 1_000_000, 1_004_500, {"id": 0})
    >>> [(event["ph"], event["name"]) for event in trace.as_json()["traceEvents"]]
    [('M', 'process_name'), ('M', 'thread_name'), ('X', 'infer')]
    >>> trace.as_json()["traceEvents"][2]["dur"]
    4.5
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Span", "Trace"]


@dataclass(frozen=True)
class Span:
    """Something that lasted.

    Attributes:
        process: Row group of the trace: who did it.
        thread: Row within the group.
        name: What it was.
        start_ns: On the clock of the trace, nanoseconds.
        end_ns: Likewise.
        args: What a click on it shows; JSON values.
    """

    process: str
    thread: str
    name: str
    start_ns: int
    end_ns: int
    args: Mapping[str, Any] = field(default_factory=dict)


class Trace:
    """Spans of one run; the earliest one begins at time zero of the file."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        #: What the file says about itself under ``otherData``.
        self.about: dict[str, Any] = {}

    def add(
        self,
        process: str,
        thread: str,
        name: str,
        start_ns: int,
        end_ns: int,
        args: Mapping[str, Any] | None = None,
    ) -> None:
        """Add one span; see :class:`Span`."""
        self.spans.append(Span(process, thread, name, int(start_ns), int(end_ns), args or {}))

    def as_json(self) -> dict[str, Any]:
        """The trace in the JSON object form of the Trace Event Format."""
        processes: dict[str, int] = {}
        threads: dict[tuple[str, str], int] = {}
        zero = min((span.start_ns for span in self.spans), default=0)
        events: list[dict[str, Any]] = []
        for span in self.spans:
            key = (span.process, span.thread)
            if span.process not in processes:
                processes[span.process] = len(processes) + 1
                events.append(_named("process_name", processes[span.process], 0, span.process))
            pid = processes[span.process]
            if key not in threads:
                threads[key] = len(threads) + 1
                events.append(_named("thread_name", pid, threads[key], span.thread))
            events.append(
                {
                    "name": span.name,
                    "cat": span.process,
                    "ph": "X",
                    "ts": (span.start_ns - zero) / 1e3,
                    "dur": (span.end_ns - span.start_ns) / 1e3,
                    "pid": pid,
                    "tid": threads[key],
                    "args": dict(span.args),
                }
            )
        return {"traceEvents": events, "displayTimeUnit": "ms", "otherData": dict(self.about)}

    def write(self, path: Path) -> None:
        """Write the file."""
        path.write_text(json.dumps(self.as_json()), encoding="utf-8")


def _named(what: str, pid: int, tid: int, name: str) -> dict[str, Any]:
    return {"name": what, "ph": "M", "pid": pid, "tid": tid, "args": {"name": name}}
