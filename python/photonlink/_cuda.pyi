"""
Calls from a GPU. Private: use photonlink.cuda.
"""

from __future__ import annotations

import collections.abc
import typing

import numpy
import numpy.typing

__all__: list[str] = [
    "CudaError",
    "DeviceLink",
    "EchoReport",
    "Failure",
    "PingPongReport",
    "Simulator",
    "Staging",
    "Submitted",
    "devices",
    "measure_echo",
    "measure_ping_pong",
    "status",
    "versions",
]

class CudaError(RuntimeError):
    pass

class Failure:
    """
    The first datapoint that failed.
    """
    @property
    def close_reason(self) -> int: ...
    @property
    def elapsed(self) -> float:
        """
        Seconds.
        """
    @property
    def id(self) -> int: ...
    @property
    def row(self) -> int: ...
    @property
    def status(self) -> int: ...
    @property
    def wire_status(self) -> int: ...

class Submitted:
    """
    A batch on its way.
    """
    @property
    def rows(self) -> int: ...

class DeviceLink:
    """
    A session's link for kernels.
    """
    def __init__(
        self,
        *,
        device: typing.SupportsInt | typing.SupportsIndex,
        slots: typing.SupportsInt | typing.SupportsIndex,
        slot_bytes: typing.SupportsInt | typing.SupportsIndex,
        result_bytes: typing.SupportsInt | typing.SupportsIndex,
        requests: typing.SupportsInt | typing.SupportsIndex,
        responses: typing.SupportsInt | typing.SupportsIndex,
        responses_writable: bool,
        key: typing.SupportsInt | typing.SupportsIndex,
        output_size: typing.SupportsInt | typing.SupportsIndex,
        observable_bytes: typing.SupportsInt | typing.SupportsIndex,
        encoding: typing.SupportsInt | typing.SupportsIndex,
        row_timeout: typing.SupportsFloat | typing.SupportsIndex,
        kernel_limit: typing.SupportsFloat | typing.SupportsIndex,
    ) -> None: ...
    def captured(self) -> bool: ...
    def close(self, timeout: typing.SupportsFloat | typing.SupportsIndex) -> bool: ...
    def collect(
        self,
        submitted: Submitted,
        timeout: typing.SupportsFloat | typing.SupportsIndex,
        stream: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...
    def encode(
        self,
        features: typing.SupportsInt | typing.SupportsIndex,
        feature_bytes: typing.SupportsInt | typing.SupportsIndex,
        feature_stride: typing.SupportsInt | typing.SupportsIndex,
        phases: typing.SupportsInt | typing.SupportsIndex,
        statuses: typing.SupportsInt | typing.SupportsIndex,
        rows: typing.SupportsInt | typing.SupportsIndex,
        stream: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...
    def infer(
        self,
        features: typing.SupportsInt | typing.SupportsIndex,
        feature_bytes: typing.SupportsInt | typing.SupportsIndex,
        feature_stride: typing.SupportsInt | typing.SupportsIndex,
        out: typing.SupportsInt | typing.SupportsIndex,
        out_stride: typing.SupportsInt | typing.SupportsIndex,
        statuses: typing.SupportsInt | typing.SupportsIndex,
        rows: typing.SupportsInt | typing.SupportsIndex,
        timeout: typing.SupportsFloat | typing.SupportsIndex,
        stream: typing.SupportsInt | typing.SupportsIndex,
        first_row: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> None:
        """
        One launch. A failure's row counts from `first_row`: batches may be split over several launches.
        """
    def submit(
        self,
        features: typing.SupportsInt | typing.SupportsIndex,
        feature_bytes: typing.SupportsInt | typing.SupportsIndex,
        feature_stride: typing.SupportsInt | typing.SupportsIndex,
        out: typing.SupportsInt | typing.SupportsIndex,
        out_stride: typing.SupportsInt | typing.SupportsIndex,
        statuses: typing.SupportsInt | typing.SupportsIndex,
        rows: typing.SupportsInt | typing.SupportsIndex,
        timeout: typing.SupportsFloat | typing.SupportsIndex,
        stream: typing.SupportsInt | typing.SupportsIndex,
    ) -> Submitted: ...
    def synchronize(
        self, stream: typing.SupportsInt | typing.SupportsIndex, timeout: typing.SupportsFloat | typing.SupportsIndex
    ) -> bool: ...
    def take_failure(self) -> Failure | None: ...
    @property
    def argument(self) -> bytes:
        """
        The device::Link struct, a kernel argument by value. Graphs that hold it must not outlive the link.
        """
    @property
    def device(self) -> int: ...
    @property
    def multiprocessors(self) -> int: ...
    @property
    def pointer(self) -> int:
        """
        Device address of a copy of the argument.
        """
    @property
    def slots(self) -> int: ...

class Simulator:
    """
    A simulated processor on a GPU.
    """
    @staticmethod
    def predict_bytes(
        *,
        modes: typing.SupportsInt | typing.SupportsIndex,
        input: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex],
        interferometers: typing.Annotated[numpy.typing.ArrayLike, numpy.complex128],
        phase_layers: typing.Annotated[numpy.typing.ArrayLike, numpy.uint32],
        phase_modes: typing.Annotated[numpy.typing.ArrayLike, numpy.uint32],
        kind: str,
        space: str,
        grouping: str,
        groups: typing.SupportsInt | typing.SupportsIndex,
        interference: bool,
        precision: str,
        shots: typing.SupportsInt | typing.SupportsIndex,
        rows: typing.SupportsInt | typing.SupportsIndex,
    ) -> int:
        """
        Bytes of device memory for tiles of so many rows.
        """
    def __init__(
        self,
        *,
        device: typing.SupportsInt | typing.SupportsIndex,
        modes: typing.SupportsInt | typing.SupportsIndex,
        input: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex],
        interferometers: typing.Annotated[numpy.typing.ArrayLike, numpy.complex128],
        phase_layers: typing.Annotated[numpy.typing.ArrayLike, numpy.uint32],
        phase_modes: typing.Annotated[numpy.typing.ArrayLike, numpy.uint32],
        kind: str,
        space: str,
        grouping: str,
        groups: typing.SupportsInt | typing.SupportsIndex,
        interference: bool,
        precision: str,
        encoding: typing.SupportsInt | typing.SupportsIndex,
        seed: typing.SupportsInt | typing.SupportsIndex,
        shots: typing.SupportsInt | typing.SupportsIndex,
        memory_limit: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...
    def close(self, timeout: typing.SupportsFloat | typing.SupportsIndex) -> bool: ...
    def executed(self) -> int:
        """
        Datapoints so far, those of replayed graphs included.
        """
    def infer(
        self,
        features: typing.SupportsInt | typing.SupportsIndex,
        feature_bytes: typing.SupportsInt | typing.SupportsIndex,
        feature_stride: typing.SupportsInt | typing.SupportsIndex,
        out: typing.SupportsInt | typing.SupportsIndex,
        out_stride: typing.SupportsInt | typing.SupportsIndex,
        statuses: typing.SupportsInt | typing.SupportsIndex,
        kept_fractions: typing.SupportsInt | typing.SupportsIndex,
        rows: typing.SupportsInt | typing.SupportsIndex,
        stream: typing.SupportsInt | typing.SupportsIndex,
        shot_states: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> None:
        """
        Any number of rows; strides in elements, 0 for no statuses (u32), kept fractions (float64) or basis states of shots (u32, rows x shots without gaps).
        """
    def set_interferometers(self, matrices: typing.Annotated[numpy.typing.ArrayLike, numpy.complex128]) -> None:
        """
        Waits for calls in flight; later calls and replays use them.
        """
    def synchronize(
        self, stream: typing.SupportsInt | typing.SupportsIndex, timeout: typing.SupportsFloat | typing.SupportsIndex
    ) -> bool: ...
    def take_failure(self) -> Failure | None: ...
    def vjp(
        self,
        features: typing.SupportsInt | typing.SupportsIndex,
        feature_bytes: typing.SupportsInt | typing.SupportsIndex,
        feature_stride: typing.SupportsInt | typing.SupportsIndex,
        cotangents: typing.SupportsInt | typing.SupportsIndex,
        values: typing.SupportsInt | typing.SupportsIndex,
        phase_gradients: typing.SupportsInt | typing.SupportsIndex,
        interferometer_gradients: typing.SupportsInt | typing.SupportsIndex,
        rows: typing.SupportsInt | typing.SupportsIndex,
        stream: typing.SupportsInt | typing.SupportsIndex,
    ) -> None:
        """
        Vector-Jacobian products: from cotangents (rows x outputs, of the precision) to derivatives with respect to phases (rows x phases, float64) and, summed over rows, to interferometers (layers + 1, modes, modes, complex128: dL = Re(sum of conj(G) dU)). Without gaps; 0 for what is not asked for, values included.
        """
    @property
    def basis_size(self) -> int: ...
    @property
    def device(self) -> int: ...
    @property
    def memory_bytes(self) -> int: ...
    @property
    def observable_bytes(self) -> int: ...
    @property
    def output_size(self) -> int: ...
    @property
    def sampler(self) -> str: ...
    @property
    def tile_rows(self) -> int: ...

class Staging:
    """
    Host arrays on their way: pinned memory, as much on the device, and a stream.
    """
    def __init__(
        self, *, device: typing.SupportsInt | typing.SupportsIndex, nbytes: typing.SupportsInt | typing.SupportsIndex
    ) -> None: ...
    def download(
        self, first: typing.SupportsInt | typing.SupportsIndex, count: typing.SupportsInt | typing.SupportsIndex
    ) -> None:
        """
        And back.
        """
    def upload(
        self, first: typing.SupportsInt | typing.SupportsIndex, count: typing.SupportsInt | typing.SupportsIndex
    ) -> None:
        """
        Copies bytes to the device, on stream.
        """
    @property
    def address(self) -> int: ...
    @property
    def host(self) -> numpy.typing.NDArray[numpy.uint8]:
        """
        The pinned memory, (nbytes,) uint8; keeps the object alive.
        """
    @property
    def nbytes(self) -> int: ...
    @property
    def stream(self) -> int: ...

class EchoReport:
    """
    Echo calls from kernels, measured.
    """
    @property
    def answered(self) -> int: ...
    @property
    def ended(self) -> int: ...
    @property
    def incomplete(self) -> int: ...
    @property
    def latencies_ns(self) -> numpy.typing.NDArray[numpy.float64]: ...
    @property
    def seconds(self) -> float: ...
    @property
    def wrong(self) -> int: ...

class PingPongReport:
    """
    A word bounced between device and host, measured.
    """
    @property
    def latencies_ns(self) -> numpy.typing.NDArray[numpy.float64]: ...
    @property
    def rounds(self) -> int: ...
    @property
    def seconds(self) -> float: ...

def devices() -> list[dict[str, typing.Any]]:
    """
    What each GPU is and can do; empty without GPU.
    """

def measure_echo(
    link: DeviceLink,
    callers: typing.SupportsInt | typing.SupportsIndex,
    calls: typing.SupportsInt | typing.SupportsIndex,
    timeout: typing.SupportsFloat | typing.SupportsIndex,
) -> EchoReport: ...
def measure_ping_pong(
    device: typing.SupportsInt | typing.SupportsIndex,
    rounds: typing.SupportsInt | typing.SupportsIndex,
    timeout: typing.SupportsFloat | typing.SupportsIndex,
) -> PingPongReport: ...
def status() -> tuple[str, str]:
    """
    ('ok' | 'no_driver' | 'driver_too_old' | 'no_device' | 'device_too_old' | 'error', a sentence with the fix).
    """

def versions() -> dict[str, int]:
    """
    CUDA versions in integer form: of the runtime built against, and the driver's newest (0 = no driver).
    """
