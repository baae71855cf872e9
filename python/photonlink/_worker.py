"""The thread that runs a session's asynchronous calls, one after the other, in order of submission."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from photonlink import _core
from photonlink.errors import SessionClosed

Result = TypeVar("Result")
Call = Callable[[_core.CancelFlag], Any]

_JOIN_SECONDS = 10.0


class InferFuture(Future[Any]):
    """Result of an asynchronous call; a ``concurrent.futures.Future`` that can be asked any number of times.

    Dropping it does not stop the call, as with every future. :meth:`cancel` does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flag = _core.CancelFlag()

    def cancel(self) -> bool:
        """Stop the call, even while it runs: the datapoints in flight are abandoned (their tokens still count).

        Returns:
            False if the call has ended already. After True, ``result()`` raises ``CancelledError``, unless the last
            answer came at that very moment.
        """
        if super().cancel():
            return True
        self.flag.set()
        return not self.done()


def _settle(future: Future[Any], function: Callable[..., Any], *arguments: Any) -> None:
    try:
        result = function(*arguments)
    except BaseException as error:  # whatever it is, it belongs to whoever asks the future
        future.set_exception(error)
    else:
        future.set_result(result)


class Worker:
    """Starts its thread at the first call; :meth:`stop` ends it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._stopped = False
        self._thread: threading.Thread | None = None
        self._queue: queue.SimpleQueue[tuple[InferFuture, Call] | None] = queue.SimpleQueue()

    def submit(self, call: Call) -> InferFuture:
        """Run `call` after those submitted before it."""
        future = InferFuture()
        with self._lock:
            if self._stopped:
                raise SessionClosed("the session is closed: reserve a new one")
            if self._thread is None:
                # A daemon, since the interpreter joins other threads before it lets sessions close at exit.
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._queue.put((future, call))
        return future

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            future, call = job
            if not future.set_running_or_notify_cancel():
                continue
            if self._stopped:
                future.set_exception(SessionClosed("the session was closed before the call began: reserve a new one"))
            else:
                _settle(future, call, future.flag)
            del job, future, call  # an idle thread must not keep the last result alive

    def stop(self) -> None:
        """End the thread; calls not yet begun fail with ``SessionClosed``. The one that runs must be ended first."""
        with self._lock:
            self._stopped = True
            thread = self._thread
        if thread is not None:
            self._queue.put(None)
            if thread is not threading.current_thread():  # a callback of a future may close the session
                thread.join(_JOIN_SECONDS)


def interruptible(function: Callable[[], Result], *, wait: bool, abort: Callable[[], None]) -> Result:
    """Call `function`; if it may `wait` for long, keep this thread free for signals, and `abort` it on an exception."""
    if not wait:
        return function()
    done: Future[Result] = Future()

    thread = threading.Thread(target=_settle, args=(done, function), name="photonlink-reserve", daemon=True)
    thread.start()
    try:
        return done.result()
    except BaseException:
        if not done.done():
            abort()
        raise
    finally:
        thread.join(_JOIN_SECONDS)
