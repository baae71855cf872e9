"""One forward pass of a model whose quantum layers are executed over the link."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from photonlink._worker import InferFuture
from photonlink.errors import LinkTimeout
from photonlink.merlin._link_layer import LinkLayer
from photonlink.merlin._models import Part, replaced, shown
from photonlink.merlin._sessions import Lender
from photonlink.session import Session

__all__ = ["Call", "Terms"]


@dataclass(frozen=True)
class Terms:
    """What a call was made with.

    Attributes:
        lender: Where sessions come from.
        numbers: Numbers the executions of the processor.
        shots: Kept samples per datapoint, None for exact results.
        seconds: That the call may take, 0 for the deadlines of the sessions.
    """

    lender: Lender
    numbers: Iterator[int]
    shots: int | None
    seconds: float


class Call:
    """A forward pass: its way through the quantum layers, and how far it is.

    One thread runs it; others may ask for its status, or cancel it.

    Attributes:
        job_ids: ``target/program/number`` of each execution of a quantum layer.
    """

    def __init__(self, module: nn.Module, parts: Sequence[Part], terms: Terms) -> None:
        self.job_ids: list[str] = []
        self._terms = terms
        self._deadline = time.monotonic() + terms.seconds if terms.seconds else None
        self._planned = len(parts)
        self._done = 0
        self._state = "IDLE"
        self._message: str | None = None
        self._lock = threading.Lock()
        self._cancelled = False
        self._running: InferFuture | None = None
        self._cancellable = False
        self._model = replaced(module, {part.layer: _Leaf(part, self) for part in parts})

    def run(self, x: Any, *, cancellable: bool) -> Any:
        """What the model returns. A call that can be cancelled needs another thread for each of its executions."""
        self._cancellable = cancellable
        self._state = "RUNNING"
        try:
            with torch.no_grad():
                y = self._model(x)
        except BaseException as error:
            self._state = "CANCELED" if isinstance(error, CancelledError) else "ERROR"
            self._message = str(error)
            raise
        self._state = "COMPLETE"
        return y

    def execute(self, part: Part, x: torch.Tensor, shots: int | None) -> torch.Tensor:
        """Outputs of the program of one quantum layer."""
        program, terms = part.conversion.program, self._terms
        shots = terms.shots if shots is None else shots
        self._left(part.path)  # a call that is over reserves nothing
        with terms.lender.lend(program, part.path, shots, part.precision, self._deadline) as session:
            self.job_ids.append(f"{session.info.target}/{program.digest[:8]}/{next(terms.numbers)}")
            y = self._infer(session, x, self._left(part.path))
        self._done += 1
        return y

    def _infer(self, session: Session, x: torch.Tensor, seconds: float | None) -> torch.Tensor:
        if not self._cancellable:
            return session.infer(x, timeout=seconds)
        with self._lock:
            if self._cancelled:
                raise CancelledError("the call was cancelled")
            self._running = future = session.infer_async(x, timeout=seconds)
        try:
            return future.result(seconds)
        except TimeoutError as error:
            if future.done():
                raise
            future.cancel()  # it waits behind other calls, from whose end on its own deadline would count
            raise LinkTimeout("the call's time was over before the session came to it", elapsed=seconds) from error
        finally:
            self._running = None

    def _left(self, path: str) -> float | None:
        """Seconds until the deadline, if the call has one."""
        if self._cancelled:
            raise CancelledError("the call was cancelled")
        if self._deadline is None:
            return None
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise LinkTimeout(f"the call's {self._terms.seconds:g} s were over when it came to {shown(path)}")
        return left

    def cancel(self) -> None:
        """End the execution that is running, and begin no other."""
        with self._lock:
            self._cancelled = True
            if self._running is not None:
                self._running.cancel()

    def status(self) -> dict[str, Any]:
        """As of MerLin's futures; a chunk is the execution of one quantum layer, for the whole batch."""
        done, active = self._done, int(self._running is not None)
        total = max(self._planned, done + active)
        return {
            "state": self._state,
            "progress": 1.0 if self._state == "COMPLETE" else done / total,
            "message": self._message,
            "chunks_total": total,
            "chunks_done": done,
            "active_chunks": active,
        }


class _Leaf(LinkLayer):
    def __init__(self, part: Part, call: Call) -> None:
        super().__init__(part.layer, part.conversion, part.path)
        self._part, self._call = part, call

    def _observe(self, x: torch.Tensor, shots: int | None) -> torch.Tensor:
        return self._call.execute(self._part, x, shots)
