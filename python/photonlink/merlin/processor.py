"""A processor for MerLin models: what ``merlin.MerlinProcessor`` does, over the link.

Examples:
    >>> import torch
    >>> from merlin import QuantumLayer
    >>> from photonlink.merlin import Processor
    >>> model = torch.nn.Sequential(torch.nn.Linear(8, 3), QuantumLayer.simple(3)).eval()
    >>> with Processor("sim") as processor:
    ...     exact = processor.forward(model, torch.rand(5, 8))
    ...     futures = [processor.forward_async(model, torch.rand(2, 8), nsample=500) for _ in range(3)]
    ...     [tuple(future.wait().shape) for future in futures], futures[0].status()["state"]
    ([(2, 6), (2, 6), (2, 6)], 'COMPLETE')
    >>> exact.shape
    torch.Size([5, 6])
"""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any

import torch
from torch import nn
from torch.futures import Future

from photonlink import _checks
from photonlink.errors import ProgramError, SessionClosed
from photonlink.merlin._call import Call, Terms
from photonlink.merlin._models import Conversions, parts
from photonlink.merlin._sessions import GivenSession, Lender, SessionPool
from photonlink.session import Session

__all__ = ["Processor", "ProcessorFuture"]


class ProcessorFuture(Future):  # type: ignore[misc]  # torch has no types here
    """A ``torch.futures.Future`` of a call, with what MerLin's futures have besides."""

    def __init__(self, call: Call) -> None:
        super().__init__()
        self._call = call
        self._ending = threading.RLock()  # a callback may cancel

    @property
    def job_ids(self) -> list[str]:
        """``target/program/number`` of each execution of a quantum layer so far."""
        return self._call.job_ids

    def status(self) -> dict[str, Any]:
        """How far the call is.

        Returns:
            state: "IDLE", "RUNNING", "COMPLETE", "CANCELED" or "ERROR". progress: 0 to 1. message: Of an error.
            chunks_total, chunks_done, active_chunks: Executions of quantum layers, the whole batch at once.
        """
        return self._call.status()

    def cancel_remote(self) -> None:
        """End this call, and no other: ``wait()`` raises ``CancelledError``. Its datapoints in flight still count."""
        self._call.cancel()
        self._end(error=CancelledError("the call was cancelled"))

    def settle(self, x: Any) -> None:
        """Run the call; for the thread that does it."""
        try:
            result = self._call.run(x, cancellable=True)
        except BaseException as error:  # whatever it is, it belongs to whoever waits
            self._end(error=error)
        else:
            self._end(result)

    def _end(self, result: Any = None, error: BaseException | None = None) -> None:
        with self._ending:
            if self.done():
                return
            if error is None:
                self.set_result(result)
            else:
                self.set_exception(error)


class Processor:
    """Runs models whose quantum layers are executed over the link; usable where MerLin's own processor is.

    The forward pass is the module's own, whatever it looks like, with its quantum layers replaced for that call; the
    module is not changed. Weights are read at every call. Sessions are reserved when first needed and kept for later
    calls, one for each program and number of samples; a program that is reserved for the k-th time draws its samples
    with `seed` + k - 1. On a controller service, which serves one session at a time, models of several programs take
    turns. Threads may share a processor.

    Args:
        where: A target, or a session: then only layers of its program can be called, with its shots.
        shots: Kept samples per datapoint of calls that do not say; None for exact results, which no hardware has.
        timeout: Seconds that a call may take if it does not say; None for the deadlines of the sessions.
        concurrency: Calls of :meth:`forward_async` that run side by side.
        options: Of :func:`photonlink.reserve`: seed, clock, preset, ...

    Raises:
        ProgramError: An argument has a wrong value, or options were given with a session.
    """

    def __init__(
        self,
        where: str | Session = "sim",
        *,
        shots: int | None = None,
        timeout: float | None = None,
        concurrency: int = 4,
        **options: Any,
    ) -> None:
        _checks.seconds("timeout", timeout)
        self.backend_name = where.info.target if isinstance(where, Session) else where
        self.default_timeout = timeout
        self._shots, self._lender = _lender(where, shots, options)
        self._conversions = Conversions()
        self._numbers = itertools.count()
        self._executor = ThreadPoolExecutor(
            _checks.integer("concurrency", concurrency, 1, 64), thread_name_prefix="photonlink-processor"
        )
        self._futures: set[ProcessorFuture] = set()
        self._lock = threading.Lock()
        self._closed = False

    def forward(
        self,
        module: nn.Module,
        input: torch.Tensor,  # noqa: A002 - MerLin's name
        *,
        nsample: int | None = None,
        timeout: float | None = None,
    ) -> torch.Tensor:
        """What ``module(input)`` returns, without gradients, its quantum layers being executed over the link.

        Args:
            module: A quantum layer, or a module with such layers, in eval mode.
            input: Of the module. Tensors in device memory need the CUDA part: nothing is moved to the CPU silently.
            nsample: Kept samples per datapoint; 0 for exact results. By default the processor's ``shots``.
            timeout: Seconds for the whole call, instead of the processor's.

        Returns:
            What the module returns.

        Raises:
            ProgramError: A layer cannot run over the link (the message names it), the module is in training mode, or an
                argument has a wrong value.
            LinkTimeout: The call took longer than `timeout`.
            SessionClosed: The processor is closed.
            PhotonLinkError: As :func:`photonlink.reserve` and ``Session.infer``.
        """
        return self._call(module, nsample, timeout).run(input, cancellable=False)

    def forward_async(
        self,
        module: nn.Module,
        input: torch.Tensor,  # noqa: A002 - MerLin's name
        *,
        nsample: int | None = None,
        timeout: float | None = None,
    ) -> ProcessorFuture:
        """Begin :meth:`forward` and return at once; several calls run side by side, with the weights of this moment.

        Samples depend on the order in which calls reach a session: repeatable ones need ``concurrency=1``, or
        :meth:`forward`. Arguments are those of :meth:`forward`.

        Returns:
            A ``torch.futures.Future`` with ``job_ids``, ``status()`` and ``cancel_remote()``. Its ``wait()`` raises
            what :meth:`forward` would.

        Raises:
            ProgramError: A layer cannot run over the link, the module is in training mode, an argument has a wrong
                value, or the input lies in device memory, where :meth:`forward` does not wait anyway.
            SessionClosed: The processor is closed.
        """
        if getattr(input, "is_cuda", False):
            raise ProgramError("forward() does not wait for tensors in device memory: call it instead")
        future = ProcessorFuture(self._call(module, nsample, timeout))
        future.add_done_callback(self._futures.discard)
        with self._lock:
            self._require_open()
            self._futures.add(future)
            self._executor.submit(future.settle, input)
        return future

    def _call(self, module: nn.Module, nsample: int | None, timeout: float | None) -> Call:
        self._require_open()
        shots = self._shots if nsample is None else _checked_shots("nsample", nsample)
        seconds = _checks.seconds("timeout", self.default_timeout if timeout is None else timeout)
        found = parts(module, self._conversions.of)
        if module.training:
            raise ProgramError(f"{type(module).__name__} runs over the link, for inference only: call eval() first")
        return Call(module, found, Terms(self._lender, self._numbers, shots, seconds))

    def _require_open(self) -> None:
        if self._closed:
            raise SessionClosed("the processor is closed: make a new one")

    def cancel_all(self) -> None:
        """Cancel every call of :meth:`forward_async` that has not ended."""
        for future in list(self._futures):
            future.cancel_remote()

    def close(self) -> None:
        """Cancel what runs and end the sessions that were reserved. May be repeated."""
        with self._lock:
            self._closed = True
        self.cancel_all()
        self._executor.shutdown()
        self._lender.close()

    def __enter__(self) -> Processor:
        self._require_open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _lender(where: str | Session, shots: int | None, options: dict[str, Any]) -> tuple[int | None, Lender]:
    """Shots of calls that do not say, and where sessions come from."""
    if isinstance(where, str):
        return _checked_shots("shots", shots), SessionPool(where, options)
    if not isinstance(where, Session):
        raise ProgramError(f"where is {where!r}, expected a target or a session")
    if shots is not None or options:
        raise ProgramError(f"{', '.join(['shots', *options])} are for sessions to reserve, and where is a reserved one")
    return where.shots, GivenSession(where)


def _checked_shots(name: str, shots: int | None) -> int | None:
    return None if shots is None else _checks.integer(name, shots, 0, 2**32 - 1) or None
