"""Calls of a session on "sim:cuda": arrays in device memory are used where they are, host arrays go there and back."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from photonlink import _checks, _core
from photonlink._failures import Ended, device_failure, error_for
from photonlink.cuda import _streams, _views
from photonlink.cuda._arguments import arguments
from photonlink.cuda._simulator import DeviceSimulator
from photonlink.cuda._staging import Staging
from photonlink.errors import LinkTimeout, PhotonLinkError, ProgramError

__all__ = ["SimulatorCalls"]

# How long the end of a session waits for launches in flight.
_GRACE_SECONDS = 2.0
_SYNCHRONIZE_SECONDS = 60.0

_LATE = "pass a longer timeout=, or close the session"


class SimulatorCalls:
    """What a session does on its device; see ``Session`` for the calls."""

    def __init__(self, simulator: DeviceSimulator) -> None:
        self._simulator = simulator
        self._unseen: PhotonLinkError | None = None  # of a call from the device, found while looking for another
        self._staging: Staging | None = None
        self._host_lock = threading.Lock()

    # ---- arrays in device memory

    def infer(self, x: Any, out: Any, timeout: float | None, stream: Any, statuses: Any) -> Any:
        """See ``Session.infer``."""
        if timeout is not None:
            raise ProgramError(
                "timeout belongs to calls that wait, and a launch on the simulator's own device does not: leave it "
                "away, or pass it to synchronize()"
            )
        simulator = self._simulator
        place = _views.locate(x, "x")
        if place.device != simulator.device:
            raise ProgramError(
                f"x lies on device {place.device}, and the session is on device {simulator.device}: move it there, or "
                "reserve with its device as the current one"
            )
        self.check()
        handle = _streams.stream_for(stream, place.framework, place.device, place.interface)
        writer = _streams.writer_of(place.interface, handle)
        if writer is not None:
            simulator.synchronize(writer, _SYNCHRONIZE_SECONDS)
        call = arguments(
            x,
            out,
            statuses,
            place,
            handle,
            width=len(simulator.context.features),
            size=simulator.output_size,
            precision=simulator.precision,
        )
        if call.rows:
            simulator.infer(call.batch(), 0, call.rows, handle)
        return call.result

    def submit(self, *_: Any) -> NoReturn:
        """There is nothing to wait for in between."""
        raise ProgramError(
            "submit() leaves a device free while a processor elsewhere works, and here the processor is the device: "
            "call infer(), which does not wait either",
            target=self._simulator.target,
        )

    def link(self, *_: Any) -> NoReturn:
        """A kernel that waits for a simulator on its own device may keep it from ever running."""
        raise refused_link(self._simulator.target)

    # ---- arrays in host memory

    def run(
        self,
        x: NDArray[Any],
        y: NDArray[Any],
        kept: NDArray[np.float64],
        states: NDArray[np.uint32],
        seconds: Callable[[int], float],
        given_up: Callable[[], bool],
    ) -> bool:
        """Compute rows of host arrays, in one or more launches, and wait for them.

        Args:
            x: (B, F) features, finite, float32 or float64.
            y: (B, O) results.
            kept: (B,) receives the kept fractions.
            states: (B, shots) receives the basis state of every shot; (B, 0) if nobody asks.
            seconds: How long a launch of so many rows may take.
            given_up: Whether the caller has lost interest.

        Returns:
            False if the caller lost interest; earlier rows are there then.

        Raises:
            LinkTimeout: A launch did not end in time.
            PhotonLinkError: A datapoint failed, of this call, or of one from the device before it.
        """
        self.check()
        with self._host_lock:
            step = Staging.rows_at_once(x, y, states)
            for first in range(0, len(x), step):
                rows = slice(first, first + step)
                piece = x[rows], y[rows], kept[rows], states[rows]
                if not self._staged(*piece, first, len(x), seconds, given_up):
                    return False
        return True

    def _staged(
        self,
        x: NDArray[Any],
        y: NDArray[Any],
        kept: NDArray[np.float64],
        states: NDArray[np.uint32],
        first: int,
        rows: int,
        seconds: Callable[[int], float],
        given_up: Callable[[], bool],
    ) -> bool:
        staging, self._staging = self._staging, None  # not ours any more if the device is still at work on it
        if staging is None:
            staging = Staging(self._simulator)
        staging.send(x, y, states)
        began = time.monotonic()
        try:
            if not staging.wait(seconds(len(x)), given_up):
                return False
        except LinkTimeout:
            elapsed = time.monotonic() - began
            raise self._host_failure(_core.CallStatus.TIMEOUT, first, rows, None, elapsed) from None
        statuses = staging.receive(y, kept, states)
        self._staging = staging
        if statuses.any():
            raise self._failed_row(statuses, first, rows)
        return True

    def _failed_row(self, statuses: NDArray[np.uint32], first: int, rows: int) -> PhotonLinkError:
        """The error for the first row of a piece that failed."""
        row = int(np.flatnonzero(statuses)[0])
        left = self._simulator.take_left()
        if left is not None and (left.row, left.status) != (row, int(statuses[row])):
            self._unseen, left = device_failure(left, self._simulator.context, _LATE), None
        return self._host_failure(_core.CallStatus(int(statuses[row])), first + row, rows, left, 0.0)

    def _host_failure(
        self, status: _core.CallStatus, row: int, rows: int, left: Any, elapsed: float
    ) -> PhotonLinkError:
        """The error for a row of a call from the host, with what a kernel left of it, if that is known."""
        ended = Ended(
            status=status,
            row=row,
            request_id=0 if left is None else left.id & 0xFFFFFFFF,
            wire_status=0 if left is None else left.wire_status,
            close_reason=0,
            elapsed=elapsed,
            feature=None,
            column=None,
            where=f"datapoint {row} of {rows} (the rows before it were delivered)",
            late=_LATE,
        )
        return error_for(ended, self._simulator.context)

    # ---- failures, waiting, the end

    def check(self) -> None:
        """See ``Session.check``."""
        failure = self._take_failure()
        if failure is not None:
            raise failure

    def _take_failure(self) -> PhotonLinkError | None:
        failure, self._unseen = self._unseen, None
        return failure or self._simulator.take_failure()

    def synchronize(self, stream: Any, timeout: float | None) -> None:
        """See ``Session.synchronize``."""
        _checks.seconds("timeout", timeout)
        device = self._simulator.device
        for handle in _streams.current_streams(device) if stream is None else [_streams.handle_of(stream)]:
            self._simulator.synchronize(handle, _SYNCHRONIZE_SECONDS if timeout is None else timeout)
        self.check()

    def close(self) -> PhotonLinkError | None:
        """Let launches in flight end, and let go of the device. The failure that nobody has seen, if there is one."""
        failure: PhotonLinkError | None = None
        try:
            for handle in _streams.current_streams(self._simulator.device):
                with contextlib.suppress(LinkTimeout):
                    self._simulator.synchronize(handle, _GRACE_SECONDS)
            failure = self._take_failure()
        except PhotonLinkError as error:  # of CUDA itself
            failure = error
        with self._host_lock:
            self._staging = None
        self._simulator.close()
        return failure


def refused_link(target: str) -> ProgramError:
    """Why kernels cannot call a simulator on their own device."""
    return ProgramError(
        f"{target!r} has no link: a kernel that waits for an answer can keep the simulator, which runs on the same "
        "device, from ever computing it. Call infer() from the host, where launches are ordered by their stream, or "
        "reserve target 'sim' for a device_link()",
        target=target,
    )
