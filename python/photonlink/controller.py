"""Controllers in this process: the one that target "sim" shares, and private ones."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photonlink import _core
from photonlink._checks import instance, integer, one_of
from photonlink._memory import half_of_memory
from photonlink.errors import ServiceError, SessionClosed
from photonlink.latency import Latency, LatencyOutcome, outcomes
from photonlink.processors.base import Processor
from photonlink.processors.host import ProcessorHost

__all__ = ["STAGE_TIMES", "Controller", "installed"]

_log = logging.getLogger(__name__)

_FAULTS = ("busy", "timeout", "dead")
_MOST_STAGES = 10_000_000

#: One datapoint in :meth:`Controller.stages`; times in nanoseconds on the clock of ``time.monotonic_ns()``.
STAGE_TIMES = np.dtype(
    [(name, np.uint64) for name in ("session", "id", "accepted_ns", "begun_ns", "executed_ns", "published_ns")]
)


class Controller:
    """A controller of the native simulator, or of another processor, in this process. It serves one session at a time.

    ``reserve("sim", program)`` needs none: it uses the one that the process shares, and is refused while another
    session holds that. Give ``reserve`` a private controller where independent sessions are wanted, as in tests.

    Args:
        memory_limit: Bytes that a program may need; larger ones are refused before anything is allocated. By default
            half of the machine's memory.
        fault: Makes it misbehave, for tests: ``"busy"`` refuses every session; ``"timeout"`` stops answering, and
            ``"dead"`` kills the dispatcher thread, at datapoint `fault_at` of a session.
        fault_at: Datapoint at which the fault starts, counted from 0.
        processor: Owned by this controller until it is closed, instead of the native simulator.
        latency: CPUs, memory and priority of its threads; :attr:`latency` says what was granted.
        record_stages: Datapoints whose times :meth:`stages` tells, the first ones of the controller; 0 records nothing
            and reads no clock for it.

    Raises:
        ProgramError: Unknown fault, a wrong number of bytes or datapoints, or the processor is none, or belongs to
            another controller.
        ServiceError: `latency` insists on what the system refuses.

    Examples:
        >>> import numpy as np
        >>> import photonlink as phl
        >>> program = phl.Program.reservoir(4, 2, features=4)
        >>> with phl.Controller() as mine, phl.reserve("sim", program, controller=mine) as a:
        ...     with phl.reserve("sim", program) as b:
        ...         bool((a.infer(np.ones(4)) == b.infer(np.ones(4))).all())
        True
    """

    def __init__(
        self,
        *,
        memory_limit: int | None = None,
        fault: str | None = None,
        fault_at: int = 0,
        processor: Processor | None = None,
        latency: Latency | None = None,
        record_stages: int = 0,
    ) -> None:
        if fault is not None:
            one_of("fault", fault, _FAULTS)
        instance("latency", latency, (Latency, type(None)), "a photonlink.Latency, or None")
        limit = half_of_memory() if memory_limit is None else integer("memory_limit", memory_limit, 0, 2**63)
        first_fault = integer("fault_at", fault_at, 0, 2**63)
        stages = integer("record_stages", record_stages, 0, _MOST_STAGES)
        self._pid = os.getpid()
        self._host = None if processor is None else ProcessorHost(processor)
        with contextlib.ExitStack() as undo:  # a controller that does not come about leaves its processor to others
            if self._host is not None:
                undo.callback(self._host.stop)
            self._core = _core.Controller(
                limit,
                busy=fault == "busy",
                mute_from=first_fault if fault == "timeout" else None,
                die_at=first_fault if fault == "dead" else None,
                name="sim" if processor is None else processor.name,
                driver=None if self._host is None else self._host.desk,
                latency=None if latency is None else latency.options(),
                stages=stages,
            )
            undo.pop_all()
        #: What was asked of the system for low latency, and what was granted: a tuple of
        #: :class:`photonlink.latency.LatencyOutcome`, empty if nothing was asked.
        self.latency: tuple[LatencyOutcome, ...] = ()
        _open.add(self)
        try:
            self.latency = outcomes(self._core, latency)
        except ServiceError:
            self.close()
            raise

    @property
    def core(self) -> _core.Controller:
        """The native controller.

        Raises:
            SessionClosed: This process is a forked child: the controller's threads live in its parent.
        """
        if os.getpid() != self._pid:
            raise SessionClosed(
                "this controller belongs to the parent process and does not survive a fork: create one in this process"
            )
        return self._core

    def status(self) -> dict[str, Any]:
        """State, processor, digest of the program, cause of an error, age of the calibration (s), latency granted."""
        status = self.core.status()
        return {
            "state": status.state,
            "processor": status.processor,
            "simulated": status.simulated,
            "digest": status.digest,
            "cause": status.cause,
            "calibration_age_seconds": status.calibration_age_s,
            "latency": [outcome.as_json() for outcome in self.latency],
        }

    def stages(self) -> NDArray[np.void]:
        """When datapoints passed through this controller, in order of execution, if it was asked to record them.

        Returns:
            (N,) of :data:`STAGE_TIMES`: session, datapoint id, and when it was accepted (seen in its slot), begun (its
            batch went to the processor), executed (the batch came back) and published (the answer was about to be
            given, a realtime clock waited out). Whoever holds a result finds its datapoint here.

        Examples:
            >>> import numpy as np
            >>> import photonlink as phl
            >>> program = phl.Program.reservoir(4, 2, features=4)
            >>> with phl.Controller(record_stages=100) as mine, phl.reserve("sim", program, controller=mine) as session:
            ...     _ = session.infer(np.zeros((3, 4)))
            ...     times = mine.stages()
            >>> times["id"].tolist(), bool((times["published_ns"] >= times["accepted_ns"]).all())
            ([0, 1, 2], True)
        """
        _, table = self.core.stages()
        rows: NDArray[np.void] = table.view(STAGE_TIMES)[:, 0]
        return rows

    def close(self) -> None:
        """End the session, if any, and every thread of the controller. May be repeated; does nothing in a child.

        The wait for a processor that hangs is bounded: its thread is left behind then, with a warning in the log.
        """
        if os.getpid() != self._pid:
            return
        if not self._core.shutdown():
            _log.warning("controller closed, but not ended: %s", self._core.status().cause)
        if self._host is not None:
            self._host.stop()

    def __enter__(self) -> Controller:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Shared:
    """The controller behind target "sim": exists while sessions do, so that nothing is left when the last one ends."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a session that is collected inside acquire() gives its hold back
        self._controller: Controller | None = None
        self._users = 0

    def acquire(self) -> Controller:
        with self._lock:
            self._users += 1
            if self._controller is None:
                self._controller = Controller()
            return self._controller

    def release(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users:
                return
            controller, self._controller = self._controller, None
        if controller is not None:
            controller.close()


_open: weakref.WeakSet[Controller] = weakref.WeakSet()
_shared = _Shared()
_installed: list[Controller] = []


def _forget_parent() -> None:
    """In a forked child: the parent's controllers and locks are not ours."""
    global _shared
    _shared = _Shared()
    _installed.clear()


os.register_at_fork(after_in_child=_forget_parent)


def close_all() -> None:
    """Close every controller of this process; called at exit, after the sessions."""
    for controller in list(_open):
        controller.close()


@contextlib.contextmanager
def installed(controller: Controller) -> Iterator[Controller]:
    """Let every reservation of target "sim" use `controller`, for as long as the context lasts."""
    _installed.append(controller)
    try:
        yield controller
    finally:
        _installed.remove(controller)


class Lease:
    """A session's hold on a controller: one of its own, the one it was given, the installed one, or the shared one.

    Args:
        given: The controller to use.
        processor: What a controller of the session's own owns, which ends with the session.
        latency: What a controller of the session's own asks of the system, likewise.
    """

    def __init__(
        self, given: Controller | None, processor: Processor | None = None, latency: Latency | None = None
    ) -> None:
        own = None
        if processor is not None or latency is not None:
            own = Controller(processor=processor, latency=latency)
        chosen = own or given or (_installed[-1] if _installed else None)
        self._end: Callable[[], None] | None = None if own is None else own.close
        if chosen is None:
            chosen, self._end = _shared.acquire(), _shared.release
        self.controller = chosen

    def end(self) -> None:
        """Give it back; a controller of its own ends, and the shared one with its last session. May be repeated."""
        end, self._end = self._end, None
        if end is not None:
            end()
