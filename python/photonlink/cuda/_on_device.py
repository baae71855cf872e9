"""What a Session works with on target "sim:cuda", where others have a link and a controller."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from photonlink import _core, _options
from photonlink.cuda._shots import count_states, standard_errors
from photonlink.cuda._simulator import DeviceSimulator
from photonlink.cuda._simulator_calls import SimulatorCalls, refused_link
from photonlink.errors import ProgramError, SessionClosed
from photonlink.latency import LatencyOutcome
from photonlink.program import Program

__all__ = ["Limits", "OnDevice"]

PROCESSOR = "cuda-slos"

# What a launch may take beyond what one slow CPU core would.
_SLACK_SECONDS = 30.0


@dataclass(frozen=True)
class Limits:
    """How long a call may take, in seconds, None for the usual; and who may end it."""

    timeout: float | None
    cancelled: Callable[[], bool]


@dataclass(frozen=True)
class Done:
    """A call that ended well; those that did not raise."""

    status: _core.CallStatus = _core.CallStatus.OK


@dataclass(frozen=True)
class _Status:
    """What a controller says of itself."""

    sampler: str
    processor: str = PROCESSOR
    simulated: bool = True
    threads: int = 0  # of the CPU
    calibration_age_s: float | None = None
    datapoint_timeout_s: float = 0.0  # beyond what its program takes
    cause: str = ""


class OnDevice:
    """What a Session needs of a native session and of its controller, with a simulator on a device behind it."""

    def __init__(
        self,
        simulator: DeviceSimulator,
        program: Program,
        shots: int,
        datapoint_seconds: float,
        end: Callable[[], None],
    ) -> None:
        self.simulator = simulator
        self.calls = SimulatorCalls(simulator)
        self.output_size = simulator.output_size
        self.slots = simulator.tile_rows
        self._program = program
        self._shots = shots
        self._datapoint_seconds = datapoint_seconds  # modelled
        self.end = end
        self._stopped = threading.Event()
        self._began = time.monotonic()
        self._wall_seconds: float | None = None
        self.latency: tuple[LatencyOutcome, ...] = ()  # nothing is asked of the system

    # As a lease on a controller.

    @property
    def controller(self) -> OnDevice:
        return self

    @property
    def core(self) -> OnDevice:
        return self

    def status(self) -> _Status:
        return _Status(self.simulator.sampler)

    # As a session.

    @property
    def native(self) -> NoReturn:
        """What CUDA-Q's kernels would be given."""
        raise refused_link(self.simulator.target)

    def infer(self, x: NDArray[Any], y: NDArray[Any], limits: Limits) -> Done:
        self._run(x, y, limits)
        return Done()

    def report(self, x: NDArray[Any], y: NDArray[Any], limits: Limits) -> tuple[Any, ...]:
        """As a native report: how it ended, and the columns of an InferInfo."""
        states = np.empty((len(x), self._shots), np.uint32)
        kept = self._run(x, y, limits, states)
        phases = self._program.encode(np.asarray(x, np.float64))
        changed = np.full(len(x), phases.shape[1], np.uint32)  # the host does not know what came before the first
        changed[1:] = np.count_nonzero(phases[1:] != phases[:-1], axis=1)
        counts = count_states(states)
        sparse = counts.begins, counts.index, counts.count
        if not self._shots:
            return Done(), kept, np.empty((len(x), 0)), np.zeros(len(x)), changed, *sparse
        frequencies = np.rint(np.multiply(y, self._shots, dtype=np.float64)) / self._shots
        errors = standard_errors(self._program, frequencies, counts, self._shots)
        quantum_ns = np.full(len(x), self._datapoint_seconds * 1e9)
        return Done(), kept, errors, quantum_ns, changed, *sparse

    def _run(
        self, x: NDArray[Any], y: NDArray[Any], limits: Limits, states: NDArray[np.uint32] | None = None
    ) -> NDArray[np.float64]:
        """Kept fractions (B,) of a call whose results are in `y`, and its shots in `states` (B, shots)."""
        self._require_finite(x)
        kept = np.empty(len(x))
        if states is None:
            states = np.empty((len(x), 0), np.uint32)
        began = time.monotonic()

        def seconds(rows: int) -> float:
            if limits.timeout is None:
                return _SLACK_SECONDS + rows * _options.computing_seconds(self._program, self._shots)
            return limits.timeout - (time.monotonic() - began)

        def given_up() -> bool:
            return self._stopped.is_set() or limits.cancelled()

        if not self.calls.run(x, y, kept, states, seconds, given_up):
            if limits.cancelled():
                raise CancelledError
            raise SessionClosed(
                "the session was closed during the call: reserve a new one", target=self.simulator.target
            )
        return kept

    def _require_finite(self, x: NDArray[Any]) -> None:
        if not np.isfinite(x).all():
            row, column = (int(place[0]) for place in np.nonzero(~np.isfinite(x)))
            raise ProgramError(
                f"feature {self._program.features[column]!r} (column {column}) of row {row} is not finite; nothing was "
                "sent",
                target=self.simulator.target,
                row=row,
                status="bad_feature",
            )

    def echo(self, *_: Any) -> NoReturn:
        target = self.simulator.target
        raise ProgramError(f"{target!r} has no link whose latency could be measured: reserve 'sim'", target=target)

    def open_device_port(self, _slots: int) -> NoReturn:
        raise refused_link(self.simulator.target)

    def stop(self) -> None:
        """Calls that wait on the host end now."""
        self._stopped.set()

    def usage(self) -> OnDevice:
        return self

    @property
    def tokens(self) -> int:
        """Datapoints executed."""
        return self.simulator.executed()

    @property
    def wall_seconds(self) -> float:
        """Since the reservation, or the whole length of a session that has ended."""
        return time.monotonic() - self._began if self._wall_seconds is None else self._wall_seconds

    def close(self) -> OnDevice:
        self.simulator.close()
        self._wall_seconds = self.wall_seconds
        return self
