"""Waiting for a stream on the host: bounded, and in pieces, so that Python handles signals meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable

from photonlink.cuda._part import guarded
from photonlink.errors import LinkTimeout

__all__ = ["wait_for"]

_SIGNAL_SECONDS = 0.1


def wait_for(
    synchronize: Callable[[int, float], bool],
    stream: int,
    timeout: float,
    target: str,
    given_up: Callable[[], bool] = lambda: False,
) -> bool:
    """Wait until `stream` has done its work.

    Args:
        synchronize: Waits for a stream for so many seconds; whether it was done by then.
        stream: Handle of the stream.
        timeout: Seconds.
        target: For error messages.
        given_up: Asked between two pieces of the wait: whether the caller has lost interest.

    Returns:
        False if the caller lost interest first.

    Raises:
        LinkTimeout: The stream did not get there within `timeout` seconds.
        DeviceError: CUDA reports an error of earlier work.
    """
    end = time.monotonic() + timeout
    left = timeout
    while left > 0:
        with guarded(target):
            if synchronize(stream, min(left, _SIGNAL_SECONDS)):
                return True
        if given_up():
            return False
        left = end - time.monotonic()  # signal handlers have run meanwhile
    raise LinkTimeout(
        f"the work on the stream did not end within {timeout:g} s: pass a longer timeout=",
        target=target,
        elapsed=timeout,
    )
