"""A session's end on one device: its port, registered with the device, and the kernels that use it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photonlink import _checks, _core
from photonlink._failures import Context, device_failure
from photonlink.cuda._arguments import Arguments
from photonlink.cuda._part import guarded, part
from photonlink.cuda._waiting import wait_for
from photonlink.errors import PhotonLinkError, ProgramError, SessionClosed

__all__ = ["KERNEL_LIMIT_SECONDS", "DeviceLink", "EchoReport", "Pace"]

#: Longest time that one launch of a library kernel may keep multiprocessors busy, in seconds.
KERNEL_LIMIT_SECONDS = 1.0

# How much of the limit a launch is planned to take: a processor may be slower than its model.
_PLANNED_SHARE = 0.5

# Memory that kernels or captured graphs may still touch belongs to the process from then on.
_kept: list[Any] = []


@dataclass(frozen=True)
class Pace:
    """How fast a session's processor answers.

    Attributes:
        modelled_seconds: What one datapoint takes because the clock waits for it.
        computing_seconds: What it may take a simulator besides, on the high side.
        row_timeout: What it may take before it counts as lost.
    """

    modelled_seconds: float
    computing_seconds: float
    row_timeout: float

    def rows_per_launch(self, kernel_limit: float) -> int:
        """Datapoints that one launch is given, so that it stays below its limit; 0 if the clock forbids even one."""
        planned = kernel_limit * _PLANNED_SHARE
        if self.modelled_seconds > planned:
            return 0
        # A single datapoint is tried even if it may be too slow: the figure is on the high side.
        return max(1, int(planned / (self.modelled_seconds + self.computing_seconds)))


@dataclass(frozen=True)
class EchoReport:
    """Echoes that a device sent.

    Attributes:
        latencies: float64 (answered,), seconds from asking for a slot to having checked the answer.
        answered: Echoes that came back.
        wrong: Those of them that did not carry what had been sent.
        incomplete: Callers that did not get through in time.
        seconds: From the first call to the last answer.
    """

    latencies: NDArray[np.float64]
    answered: int
    wrong: int
    incomplete: int
    seconds: float


class DeviceLink:
    """What kernels of your own need to call the session's processor; from ``session.device_link()``.

    Valid while the session is open. Kernels that call afterwards get ``CallStatus::Closed``.

    Attributes:
        device: Number of the device.
        slots: Datapoints that its kernels can have in flight.
        multiprocessors: Of the device.
        kernel_limit: Longest time that one launch of a library kernel may take, in seconds.
    """

    def __init__(
        self, port: _core.DevicePort, *, device: int, pace: Pace, kernel_limit: float, context: Context
    ) -> None:
        self._port = port
        self._context = context
        self._lock = threading.Lock()
        self._closed = False
        self.kernel_limit = kernel_limit
        self.rows_per_launch = pace.rows_per_launch(kernel_limit)
        self._modelled_seconds = pace.modelled_seconds
        try:
            with guarded(context.target):
                self._native = part().DeviceLink(
                    device=device,
                    slots=port.slots,
                    slot_bytes=port.slot_bytes,
                    result_bytes=port.result_bytes,
                    requests=port.requests,
                    responses=port.responses,
                    responses_writable=port.responses_writable,
                    key=port.key,
                    output_size=port.output_size,
                    observable_bytes=port.observable_bytes,
                    encoding=port.encoding,
                    row_timeout=min(pace.row_timeout, kernel_limit),
                    kernel_limit=kernel_limit,
                )
        except BaseException:
            port.close()
            raise
        self.device: int = self._native.device
        self.slots: int = self._native.slots
        self.multiprocessors: int = self._native.multiprocessors

    # ---- for kernels of your own

    @property
    def argument(self) -> NDArray[Any]:
        """The ``photonlink::device::Link`` struct as one opaque element, shape (1,): what CuPy passes by value.

        With ctypes, ``argument.ctypes.data`` is its address in host memory.
        """
        data: bytes = self._native.argument
        return np.frombuffer(data, np.dtype((np.void, len(data))))

    @property
    def pointer(self) -> int:
        """Address of the same struct in device memory, for kernels that take a ``const Link*``."""
        return int(self._native.pointer)

    def check(self) -> None:
        """Raise the first failure that a kernel left since the last look; costs one read of host memory.

        Raises:
            PhotonLinkError: What the same failure raises in a call from the host.
        """
        failure = self.take_failure()
        if failure is not None:
            raise failure

    def take_failure(self) -> PhotonLinkError | None:
        """The failure that :meth:`check` would raise."""
        with self._lock, guarded(self._context.target):
            left = self._native.take_failure()
        if left is None:
            return None
        late = f"a launch may take {self.kernel_limit:g} s at most: send fewer datapoints per call, or use submit() and"
        return device_failure(left, self._context, f"{late} collect()")

    # ---- measuring

    def echo(self, callers: int, calls: int, timeout: float | None = None) -> EchoReport:
        """Measure the link from the device: 32-byte echoes, each checked for its own number and contents.

        Args:
            callers: Threads of the device, one per warp, that call at the same time.
            calls: Echoes that each of them makes, one at a time.
            timeout: Seconds for all of them, at most ``kernel_limit``, which is the default.

        Returns:
            The latencies and what went wrong. Nothing is executed, and no token counts.

        Raises:
            ProgramError: Numbers out of range.
            DeviceError: CUDA refused or failed.
        """
        _checks.integer("callers", callers, 1, 1 << 20)
        _checks.integer("calls", calls, 1, 1 << 26)
        _checks.seconds("timeout", timeout)
        with guarded(self._context.target):
            limit = self.kernel_limit if timeout is None else min(timeout, self.kernel_limit)
            report = part().measure_echo(self._open(), callers, calls, limit)
        return EchoReport(
            latencies=np.asarray(report.latencies_ns) * 1e-9,
            answered=report.answered,
            wrong=report.wrong,
            incomplete=report.incomplete,
            seconds=report.seconds,
        )

    # ---- launches

    def infer(self, call: Arguments, timeout: float, stream: int) -> None:
        """Launch the call; several launches one after the other if one would take too long."""
        if self.rows_per_launch == 0:
            raise ProgramError(
                f"one datapoint is expected to take more than half of the {self.kernel_limit:g} s that a launch may "
                "take: use submit() and collect(), or open session.device_link(kernel_limit=...) before the first call"
            )
        with guarded(self._context.target):
            for first in range(0, call.rows, self.rows_per_launch):
                count = min(self.rows_per_launch, call.rows - first)
                self._open().infer(*call.batch(first), count, timeout, stream, first)

    def submit(self, call: Arguments, timeout: float, stream: int) -> Any:
        """Launch the first half of a call that leaves the device free meanwhile."""
        rows = call.rows
        if rows * self._modelled_seconds > self.kernel_limit:
            raise ProgramError(
                f"{rows} datapoints take {rows * self._modelled_seconds:.3g} s by the session's clock, and collect() "
                f"waits {self.kernel_limit:g} s at most: submit fewer, or open session.device_link(kernel_limit=...) "
                "before the first call"
            )
        try:
            with guarded(self._context.target):
                return self._open().submit(*call.batch(), rows, timeout, stream)
        except ValueError as error:
            raise ProgramError(f"{error}: collect() them first, or reserve(slots=...) more") from error

    def collect(self, submitted: Any, timeout: float, stream: int) -> None:
        """Launch the second half."""
        with guarded(self._context.target):
            self._open().collect(submitted, timeout, stream)

    def _open(self) -> Any:
        if self._closed:
            raise SessionClosed("the session is closed: reserve a new one", target=self._context.target)
        return self._native

    # ---- waiting and the end

    @property
    def captured(self) -> bool:
        """Whether a call was recorded into a CUDA graph."""
        return bool(self._native.captured())

    def synchronize(self, stream: int, timeout: float) -> None:
        """Wait on the host until `stream` has done its work.

        Raises:
            LinkTimeout: It has not within `timeout` seconds.
            DeviceError: CUDA reports an error of earlier work.
        """
        wait_for(self._open().synchronize, stream, timeout, self._context.target)

    def close(self, grace: float, limit: float) -> None:
        """Let launches in flight end for up to `grace` seconds, then make them end, and let go of the device."""
        if self._closed:
            return
        self._closed = True
        released = self._native.close(grace)
        self._port.close()
        if not released and not self._native.close(limit):
            _kept.append((self._native, self._port))

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"<photonlink.cuda.DeviceLink on device {self.device}, {self.slots} slots, {state}>"
