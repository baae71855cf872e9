"""The thread that serves a processor in Python: takes orders from the core's desk, and brings back answers."""

from __future__ import annotations

import functools
import logging
import math
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photonlink import _core
from photonlink.errors import LinkClosed, ProcessorError, ProgramError
from photonlink.processors.base import Events, Processor, Task

__all__ = ["ProcessorHost"]

_log = logging.getLogger(__name__)

_JOIN_SECONDS = 2.0


class ProcessorHost:
    """A processor with its thread, for as long as one controller lives.

    Raises:
        ProgramError: This is no processor, an attribute has a wrong value, or another controller holds it.
    """

    def __init__(self, processor: Processor) -> None:
        _check(processor)
        self.desk = _core.DriverDesk(processor.name, processor.simulated, processor.exact, float(processor.timeout))
        # A daemon, since a driver that hangs must not keep the interpreter from ending. It knows nothing of this
        # object, so that a controller that is dropped ends it.
        self._thread = threading.Thread(
            target=_serve, args=(self.desk, processor), name=f"photonlink-{processor.name}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End the thread; one that does not come back from the driver is left behind, with a warning."""
        self.desk.close()
        if self._thread is not threading.current_thread():
            self._thread.join(_JOIN_SECONDS)
            if self._thread.is_alive():
                _log.warning("%s does not come back and was left behind", self._thread.name)


def _check(processor: Processor) -> None:
    if not isinstance(processor, Processor):
        raise ProgramError(f"processor is a {type(processor).__name__}, expected a photonlink.processors.Processor")
    if not isinstance(processor.name, str) or not processor.name:
        raise ProgramError(f"name of a processor is {processor.name!r}, expected a word")
    timeout = processor.timeout
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < math.inf:
        raise ProgramError(f"timeout of {processor.name} is {timeout!r}, expected a positive number of seconds")
    if processor._wait_while_wanted is not None:
        raise ProgramError(f"{processor.name} belongs to a controller already: close that first, or make another one")
    processor._wait_while_wanted = _always_wanted


def _always_wanted(_: float) -> bool:
    return True


def _serve(desk: _core.DriverDesk, processor: Processor) -> None:
    try:
        while (order := desk.take()) is not None:
            processor._wait_while_wanted = functools.partial(desk.wait_while_wanted, order.number)
            _execute(desk, processor, order)
            processor._wait_while_wanted = _always_wanted
        processor.close()
    except Exception:
        _log.exception("%s could not be closed", processor.name)
    finally:
        processor._wait_while_wanted = None


def _execute(desk: _core.DriverDesk, processor: Processor, order: _core.Order) -> None:
    """One order, and its answer whatever happens."""
    try:
        if order.program is not None:
            processor.configure(Task.of(order.program, order.shots, order.seed))
            desk.loaded(order.number)
        elif processor.exact:
            desk.probabilities(order.number, np.asarray(processor.probabilities(order.phases), np.float64))
        else:
            events = processor.detect(order.phases, order.events, order.datapoint)
            desk.events(order.number, *_arrays(events))
    except BaseException as error:  # a driver may raise anything, and somebody waits
        kind = "datapoint"
        if isinstance(error, ProgramError) and order.program is not None:
            kind = "program"
        elif isinstance(error, LinkClosed):
            kind = "fatal"
        _log.debug("%s failed", processor.name, exc_info=True)
        desk.failed(order.number, kind, _text(error))


def _text(error: BaseException) -> str:
    text = str(error)
    if isinstance(error, ProgramError | ProcessorError | LinkClosed) and text:
        return text  # written for whoever reads it
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _arrays(events: Events) -> tuple[NDArray[np.uint8], NDArray[np.uint32]]:
    if isinstance(events, Mapping):
        states: Any = [tuple(state) for state in events]
        counts: Any = list(events.values())
    else:
        states, counts = events
    return _whole(states, np.uint8, "occupation numbers"), _whole(counts, np.uint32, "counts")


def _whole(values: Any, dtype: type, what: str) -> NDArray[Any]:
    """`values` as an array of `dtype`, unless something would be lost."""
    given = np.asarray(values)
    if given.size == 0:
        return np.zeros(given.shape, dtype)
    most = np.iinfo(dtype).max
    if given.dtype.kind not in "iu" or given.min() < 0 or given.max() > most:
        raise ProcessorError(f"the processor returned {what} of type {given.dtype}, expected integers from 0 to {most}")
    return given.astype(dtype)
