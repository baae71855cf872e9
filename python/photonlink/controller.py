"""Controllers in this process: the one that target "sim" shares, and private ones."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import weakref
from collections.abc import Iterator
from typing import Any

from photonlink import _core
from photonlink._memory import half_of_memory
from photonlink.errors import ProgramError, SessionClosed
from photonlink.processors.base import Processor
from photonlink.processors.host import ProcessorHost

__all__ = ["Controller", "installed"]

_log = logging.getLogger(__name__)

_FAULTS = ("busy", "timeout", "dead")


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

    Raises:
        ProgramError: Unknown fault, or the processor is none, or belongs to another controller.

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
    ) -> None:
        if fault is not None and fault not in _FAULTS:
            raise ProgramError(f"unknown fault {fault!r}: expected one of {', '.join(_FAULTS)}")
        self._pid = os.getpid()
        self._host = None if processor is None else ProcessorHost(processor)
        self._core = _core.Controller(
            half_of_memory() if memory_limit is None else memory_limit,
            busy=fault == "busy",
            mute_from=fault_at if fault == "timeout" else None,
            die_at=fault_at if fault == "dead" else None,
            name="sim" if processor is None else processor.name,
            driver=None if self._host is None else self._host.desk,
        )
        _open.add(self)

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
        """State, processor, digest of the configured program, cause of an error, age of the calibration in seconds."""
        status = self.core.status()
        return {
            "state": status.state,
            "processor": status.processor,
            "simulated": status.simulated,
            "digest": status.digest,
            "cause": status.cause,
            "calibration_age_seconds": status.calibration_age_s,
        }

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
    """A session's hold on a controller: its own of a processor, or the given, the installed, or the shared one."""

    def __init__(self, given: Controller | None, processor: Processor | None = None) -> None:
        self._own = None if processor is None else Controller(processor=processor)
        chosen = self._own or given or (_installed[-1] if _installed else None)
        self._pool = _shared if chosen is None else None
        self.controller = chosen or _shared.acquire()

    def end(self) -> None:
        """Give it back; a controller of its own ends, and the shared one with its last session. May be repeated."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.release()
        if self._own is not None:
            self._own.close()
