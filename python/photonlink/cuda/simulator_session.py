"""Sessions on target "sim:cuda": the photonic processor is simulated on the GPU that the caller's arrays lie on.

There is no link and no controller in between: a call on arrays in device memory is one more launch on the caller's
stream. Nothing waits on the host, nothing leaves the device, and calls may be captured into CUDA graphs. See
docs/sim_cuda.md.
"""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from typing import Any, cast

from photonlink import _checks, _core
from photonlink.cuda import _streams
from photonlink.cuda._on_device import Limits, OnDevice
from photonlink.cuda._simulator import DeviceSimulator
from photonlink.errors import ProgramError, SessionBusy
from photonlink.fit import Fit
from photonlink.info import Usage
from photonlink.program import Program
from photonlink.session import Session

__all__ = ["SimulatorSession", "reserve"]

TARGET = "sim:cuda"
LINK = "none (stream-ordered launches)"


class SimulatorSession(Session):
    """A session whose processor is a simulator on a GPU; a :class:`photonlink.Session` in all that it can do.

    Calls on arrays in device memory are launched on the caller's stream and wait for nothing. Host arrays are uploaded,
    computed and downloaded; those calls wait, with a deadline. The clock adds up, for every datapoint, what the preset
    says one datapoint of this program takes: nobody on the host sees which phases changed from one to the next.

    ``device_link()``, ``submit()`` and ``echo_latency()`` are refused: there is no link.
    """

    def __init__(self, on_device: OnDevice, program: Program, options: _core.SessionOptions, **how: Any) -> None:
        self._fit: Fit = how["fit"]
        super().__init__(cast(Any, on_device), cast(Any, on_device), program, options, **how)
        self._device = cast(Any, on_device.calls)
        capability = on_device.simulator.compute_capability
        self._info = replace(self._info, link=LINK, kernel_profile=f"compute capability {capability}")

    def _limits_for(self, timeout: float | None, flag: _core.CancelFlag | None = None) -> Any:
        _checks.seconds("timeout", timeout)
        return Limits(timeout, (lambda: False) if flag is None else flag.is_set)

    def _usage(self, used: Any) -> Usage:
        shots = self._options.shots
        timed = shots > 0 and self._info.clock != "none"
        return Usage(
            tokens=used.tokens,
            shots=used.tokens * shots,
            kept_samples=used.tokens * shots,
            quantum_seconds=used.tokens * self._fit.datapoint_seconds(shots) if timed else None,
            configuration_seconds=self._fit.preset.configuration_s.value if timed else None,
            wall_seconds=used.wall_seconds,
        )


class _Reserved:
    """Which devices have a session; one each, as every processor."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._devices: set[int] = set()

    def take(self, device: int) -> None:
        with self._lock:
            if device in self._devices:
                raise SessionBusy(
                    f"device {device} is held by another session on {TARGET!r}; retry when it is released",
                    target=TARGET,
                )
            self._devices.add(device)

    def give_back(self, device: int) -> None:
        with self._lock:
            self._devices.discard(device)


_reserved = _Reserved()


def _forget_parent() -> None:
    """In a forked child: the parent's sessions are not ours."""
    global _reserved
    _reserved = _Reserved()


os.register_at_fork(after_in_child=_forget_parent)


def reserve(
    program: Program,
    fit: Fit,
    options: _core.SessionOptions,
    *,
    asked: str | None,
    timeout: float | None,
    memory_limit: int | None,
) -> SimulatorSession:
    """Reserve the current device of torch or CuPy, or else the first one.

    Raises:
        ProgramError: The program, or an option, makes no sense there.
        SessionBusy: Another session of this process holds the device.
        TargetUnavailable: The device cannot be used; ``reason`` says why.
        DeviceError: CUDA refused.
    """
    _refuse(options)
    device = _streams.current_device()
    _reserved.take(device)
    try:
        simulator = DeviceSimulator(
            program,
            device=device,
            precision=options.precision,
            target=TARGET,
            seed=options.seed,
            shots=options.shots,
            memory_limit=memory_limit,
        )
        on_device = OnDevice(
            simulator,
            program,
            options.shots,
            fit.datapoint_seconds(options.shots) if options.shots else 0.0,
            lambda: _reserved.give_back(device),
        )
        return SimulatorSession(on_device, program, options, target=TARGET, asked=asked, fit=fit, timeout=timeout)
    except BaseException:
        _reserved.give_back(device)
        raise


def _refuse(options: _core.SessionOptions) -> None:
    """What needs somebody between caller and processor."""
    if options.clock == _core.ClockMode.realtime:
        raise ProgramError(f"clock='realtime' waits for each datapoint, and launches on {TARGET!r} wait for nothing")
    limits = {
        "token_budget": options.token_budget is not None,
        "idle_timeout": options.idle_timeout_s > 0,
        "max_duration": options.max_duration_s > 0,
    }
    for name, given in limits.items():
        if given:
            raise ProgramError(
                f"{name} needs a controller that stands between caller and processor, and {TARGET!r} has none (a CUDA "
                "graph could be replayed past it): leave it away, or reserve 'sim'",
                target=TARGET,
            )
