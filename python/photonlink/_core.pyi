"""
Native core of photonlink: link, optics and controller. Private: use the photonlink package.
"""

from __future__ import annotations

import collections.abc
import typing

import numpy
import numpy.typing
import typing_extensions

__all__: list[str] = [
    "AmplitudeSimulator",
    "BridgeGateway",
    "CallLimits",
    "CallResult",
    "CallStatus",
    "CancelFlag",
    "ClockMode",
    "Controller",
    "ControllerStatus",
    "DEVICE_CALL_ABI",
    "DevicePort",
    "Differentiator",
    "DlpackArray",
    "DriverDesk",
    "Encoding",
    "EncodingView",
    "FileLedger",
    "LatencyOptions",
    "LatencyOutcome",
    "LedgerEntry",
    "LocalSession",
    "NoiseSpec",
    "Order",
    "ProgramSpec",
    "SessionGrant",
    "SessionOptions",
    "ShmService",
    "ShmSession",
    "Simulator",
    "TimingModel",
    "TrainableCircuit",
    "UdpEcho",
    "UdpGateway",
    "UdpSession",
    "Usage",
    "bare_ping_pong",
    "basis_size",
    "basis_states",
    "check_spec",
    "click_patterns",
    "end_reason",
    "kept_click_patterns",
    "kept_size",
    "kept_states",
    "kept_states_at",
    "multiply_add_peak",
    "noise_method",
    "open_device",
    "output_size",
    "phase_degree",
    "predict_amplitude_bytes",
    "predict_bytes",
    "predict_gradient_bytes",
    "probability_of_enough",
    "simd_profile",
    "simd_profiles",
    "states_at",
    "udp_ping_pong",
]

class EncodingView:
    """
    A map from features to phases, in place.
    """
    @property
    def address(self) -> int:
        """
        Address of the photonlink::EncodingView, valid while this object lives.
        """

class Encoding:
    def __init__(
        self,
        features: typing.SupportsInt | typing.SupportsIndex,
        row_begin: typing.Annotated[numpy.typing.ArrayLike, numpy.uint32],
        term_feature: typing.Annotated[numpy.typing.ArrayLike, numpy.uint32],
        term_weight: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        offset: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        wrap: bool,
        dac_bits: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> None: ...
    @typing.overload
    def encode(self, x: numpy.typing.NDArray[numpy.float32]) -> numpy.typing.NDArray[numpy.float64]:
        """
        Features (rows, features) to phases (rows, phases).
        """
    @typing.overload
    def encode(self, x: numpy.typing.NDArray[numpy.float64]) -> numpy.typing.NDArray[numpy.float64]: ...
    def view(self) -> EncodingView: ...
    @property
    def features(self) -> int: ...
    @property
    def phases(self) -> int: ...

class DlpackArray:
    """
    An array of another library, held while this object lives.
    """
    def __init__(self, capsule: typing_extensions.CapsuleType) -> None:
        """
        Takes what the capsule holds; it can be used once.
        """
    @property
    def device_id(self) -> int: ...
    @property
    def device_type(self) -> int: ...
    @property
    def dtype(self) -> str:
        """
        numpy's name of the type, where numpy has it.
        """
    @property
    def pointer(self) -> int:
        """
        Address of the first element.
        """
    @property
    def read_only(self) -> bool: ...
    @property
    def shape(self) -> tuple: ...
    @property
    def strides(self) -> tuple:
        """
        In elements.
        """

class NoiseSpec:
    def __init__(
        self,
        brightness: typing.SupportsFloat | typing.SupportsIndex,
        transmittance: typing.SupportsFloat | typing.SupportsIndex,
        indistinguishability: typing.SupportsFloat | typing.SupportsIndex,
        g2: typing.SupportsFloat | typing.SupportsIndex,
        g2_distinguishable: bool,
        phase_imprecision: typing.SupportsFloat | typing.SupportsIndex,
        phase_errors: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        threshold_detectors: bool,
        min_detected: typing.SupportsInt | typing.SupportsIndex | None,
    ) -> None: ...
    @property
    def brightness(self) -> float: ...
    @property
    def g2(self) -> float: ...
    @property
    def g2_distinguishable(self) -> bool: ...
    @property
    def indistinguishability(self) -> float: ...
    @property
    def min_detected(self) -> int | None: ...
    @property
    def phase_errors(self) -> numpy.typing.NDArray[numpy.float64]: ...
    @property
    def phase_imprecision(self) -> float: ...
    @property
    def threshold_detectors(self) -> bool: ...
    @property
    def transmittance(self) -> float: ...

class ProgramSpec:
    noise: NoiseSpec
    def __init__(
        self,
        modes: typing.SupportsInt | typing.SupportsIndex,
        input: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex],
        interferometers: typing.Annotated[numpy.typing.ArrayLike, numpy.complex128],
        phase_layers: typing.Annotated[numpy.typing.ArrayLike, numpy.uint32],
        phase_modes: typing.Annotated[numpy.typing.ArrayLike, numpy.uint32],
        readout_kind: str,
        space: str,
        grouping: str = "none",
        groups: typing.SupportsInt | typing.SupportsIndex = 0,
        interference: bool = True,
        digest: str = "",
    ) -> None: ...
    @property
    def digest(self) -> str: ...
    @property
    def grouping(self) -> str: ...
    @property
    def groups(self) -> int: ...
    @property
    def input(self) -> list[int]: ...
    @property
    def interference(self) -> bool: ...
    @property
    def interferometers(self) -> numpy.typing.NDArray[numpy.complex128]: ...
    @property
    def modes(self) -> int: ...
    @property
    def phase_layers(self) -> numpy.typing.NDArray[numpy.uint32]: ...
    @property
    def phase_modes(self) -> numpy.typing.NDArray[numpy.uint32]: ...
    @property
    def photons(self) -> int: ...
    @property
    def readout_kind(self) -> str: ...
    @property
    def space(self) -> str: ...

class Simulator:
    def __init__(
        self,
        spec: ProgramSpec,
        precision: str,
        memory_limit: typing.SupportsInt | typing.SupportsIndex,
        sampled: bool = False,
        threads: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> None: ...
    def run(
        self,
        phases: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        ids: typing.Annotated[numpy.typing.ArrayLike, numpy.uint64] | None = None,
        seed: typing.SupportsInt | typing.SupportsIndex = 0,
        shots: typing.SupportsInt | typing.SupportsIndex = 0,
        out: numpy.ndarray | None = None,
    ) -> numpy.ndarray:
        """
        Observables (rows, output_size) of phases (rows, phases) in radians, written into `out` if it is given.
        """
    def run_report(
        self,
        phases: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        ids: typing.Annotated[numpy.typing.ArrayLike, numpy.uint64] | None = None,
        seed: typing.SupportsInt | typing.SupportsIndex = 0,
        shots: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> tuple:
        """
        Observables, and a dict of kept_fraction, standard_errors and counts per row.
        """
    @property
    def basis_size(self) -> int: ...
    @property
    def kernel_profile(self) -> str: ...
    @property
    def memory_bytes(self) -> int: ...
    @property
    def output_size(self) -> int: ...
    @property
    def preferred_batch(self) -> int: ...
    @property
    def sampler(self) -> str: ...
    @property
    def threads(self) -> int: ...

class AmplitudeSimulator:
    def __init__(
        self,
        spec: ProgramSpec,
        precision: str,
        memory_limit: typing.SupportsInt | typing.SupportsIndex,
        threads: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> None: ...
    def run(self, phases: typing.Annotated[numpy.typing.ArrayLike, numpy.float64]) -> numpy.ndarray:
        """
        Complex amplitudes (rows, basis_size) of phases (rows, phases) in radians.
        """
    @property
    def basis_size(self) -> int: ...
    @property
    def lanes(self) -> int: ...
    @property
    def memory_bytes(self) -> int: ...
    @property
    def threads(self) -> int: ...

class Differentiator:
    def __init__(
        self,
        spec: ProgramSpec,
        precision: str,
        memory_limit: typing.SupportsInt | typing.SupportsIndex,
        threads: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...
    def pull_back(
        self,
        phases: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        cotangents: numpy.ndarray,
        want_values: bool = True,
        want_interferometers: bool = True,
    ) -> tuple:
        """
        Values (rows, output_size), derivatives (rows, phases), and of the interferometers; None where not asked.
        """
    def set_interferometers(self, matrices: typing.Annotated[numpy.typing.ArrayLike, numpy.complex128]) -> None: ...
    def value(self, phases: typing.Annotated[numpy.typing.ArrayLike, numpy.float64]) -> numpy.ndarray:
        """
        Values (rows, output_size).
        """
    @property
    def kept_levels(self) -> int: ...
    @property
    def kernel_profile(self) -> str: ...
    @property
    def lanes(self) -> int: ...
    @property
    def levels(self) -> int: ...
    @property
    def memory_bytes(self) -> int: ...
    @property
    def output_size(self) -> int: ...
    @property
    def threads(self) -> int: ...

class TrainableCircuit:
    def __init__(
        self, modes: typing.SupportsInt | typing.SupportsIndex, parameters: typing.SupportsInt | typing.SupportsIndex
    ) -> None: ...
    def append_fixed(
        self,
        modes: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex],
        matrix: typing.Annotated[numpy.typing.ArrayLike, numpy.complex128],
    ) -> None: ...
    def append_interferometer(self) -> None: ...
    def append_phase(
        self,
        mode: typing.SupportsInt | typing.SupportsIndex,
        offset: typing.SupportsFloat | typing.SupportsIndex,
        terms: collections.abc.Sequence[
            tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsFloat | typing.SupportsIndex]
        ],
    ) -> None: ...
    def compose(
        self, values: typing.Annotated[numpy.typing.ArrayLike, numpy.float64]
    ) -> numpy.typing.NDArray[numpy.complex128]:
        """
        Interferometers (interferometers, modes, modes) for values (parameters,) in radians.
        """
    def pull_back(
        self,
        values: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        cotangents: typing.Annotated[numpy.typing.ArrayLike, numpy.complex128],
    ) -> numpy.typing.NDArray[numpy.float64]:
        """
        Derivatives (parameters,) from those of the interferometers.
        """
    @property
    def interferometers(self) -> int: ...
    @property
    def modes(self) -> int: ...
    @property
    def parameters(self) -> int: ...

class UdpEcho:
    """
    A thread that sends datagrams back as they come.
    """
    def __init__(self, datagram_bytes: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    def close(self) -> None: ...
    @property
    def port(self) -> int: ...

class DevicePort:
    """
    A session's port for calls from a GPU.
    """
    def close(self) -> None: ...
    @property
    def close_reason(self) -> int: ...
    @property
    def encoding(self) -> int:
        """
        Address of the EncodingView, valid while this object lives.
        """
    @property
    def key(self) -> int: ...
    @property
    def observable_bytes(self) -> int: ...
    @property
    def output_size(self) -> int: ...
    @property
    def requests(self) -> int: ...
    @property
    def responses(self) -> int: ...
    @property
    def responses_writable(self) -> bool: ...
    @property
    def result_bytes(self) -> int: ...
    @property
    def slot_bytes(self) -> int: ...
    @property
    def slots(self) -> int: ...

class Order:
    """
    One thing that a driver is to do.
    """
    @property
    def datapoint(self) -> int: ...
    @property
    def events(self) -> int: ...
    @property
    def number(self) -> int: ...
    @property
    def phases(self) -> numpy.typing.NDArray[numpy.float64]: ...
    @property
    def program(self) -> ProgramSpec: ...
    @property
    def seed(self) -> int: ...
    @property
    def shots(self) -> int: ...

class DriverDesk:
    """
    Where a driver finds its orders.
    """
    def __init__(
        self, name: str, simulated: bool, exact: bool, timeout_s: typing.SupportsFloat | typing.SupportsIndex
    ) -> None: ...
    def close(self) -> None: ...
    def events(
        self,
        number: typing.SupportsInt | typing.SupportsIndex,
        states: typing.Annotated[numpy.typing.ArrayLike, numpy.uint8],
        counts: typing.Annotated[numpy.typing.ArrayLike, numpy.uint32],
    ) -> None: ...
    def failed(self, number: typing.SupportsInt | typing.SupportsIndex, kind: str, error: str) -> None: ...
    def loaded(self, number: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    def probabilities(
        self,
        number: typing.SupportsInt | typing.SupportsIndex,
        values: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    ) -> None: ...
    def take(self) -> Order | None: ...
    def wait_while_wanted(
        self, number: typing.SupportsInt | typing.SupportsIndex, seconds: typing.SupportsFloat | typing.SupportsIndex
    ) -> bool: ...

class ClockMode:
    """
    Members:

      virtual

      realtime

      none
    """

    __members__: typing.ClassVar[dict[str, ClockMode]]
    none: typing.ClassVar[ClockMode]
    realtime: typing.ClassVar[ClockMode]
    virtual: typing.ClassVar[ClockMode]
    @typing.overload
    def __eq__(self, other: ClockMode) -> bool: ...
    @typing.overload
    def __eq__(self, other: typing.Any) -> bool: ...
    def __getstate__(self) -> int: ...
    def __hash__(self) -> int: ...
    def __index__(self) -> int: ...
    def __init__(self, value: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    def __int__(self) -> int: ...
    @typing.overload
    def __ne__(self, other: ClockMode) -> bool: ...
    @typing.overload
    def __ne__(self, other: typing.Any) -> bool: ...
    def __repr__(self) -> str: ...
    def __setstate__(self, state: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    def __str__(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def value(self) -> int: ...

class CallStatus:
    """
    Members:

      OK

      TIMEOUT

      CLOSED

      PEER_LOST

      REFUSED

      PROTOCOL_ERROR

      CANCELLED

      INTERRUPTED

      BAD_FEATURE

      BAD_PHASE

      FULL

      WRONG_TYPE
    """

    BAD_FEATURE: typing.ClassVar[CallStatus]
    BAD_PHASE: typing.ClassVar[CallStatus]
    CANCELLED: typing.ClassVar[CallStatus]
    CLOSED: typing.ClassVar[CallStatus]
    FULL: typing.ClassVar[CallStatus]
    INTERRUPTED: typing.ClassVar[CallStatus]
    OK: typing.ClassVar[CallStatus]
    PEER_LOST: typing.ClassVar[CallStatus]
    PROTOCOL_ERROR: typing.ClassVar[CallStatus]
    REFUSED: typing.ClassVar[CallStatus]
    TIMEOUT: typing.ClassVar[CallStatus]
    WRONG_TYPE: typing.ClassVar[CallStatus]
    __members__: typing.ClassVar[dict[str, CallStatus]]
    @typing.overload
    def __eq__(self, other: CallStatus) -> bool: ...
    @typing.overload
    def __eq__(self, other: typing.Any) -> bool: ...
    def __getstate__(self) -> int: ...
    def __hash__(self) -> int: ...
    def __index__(self) -> int: ...
    def __init__(self, value: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    def __int__(self) -> int: ...
    @typing.overload
    def __ne__(self, other: CallStatus) -> bool: ...
    @typing.overload
    def __ne__(self, other: typing.Any) -> bool: ...
    def __repr__(self) -> str: ...
    def __setstate__(self, state: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    def __str__(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def value(self) -> int: ...

class CallResult:
    """
    How one call ended.
    """
    @property
    def close_reason(self) -> int: ...
    @property
    def column(self) -> int: ...
    @property
    def elapsed(self) -> float: ...
    @property
    def request_id(self) -> int: ...
    @property
    def row(self) -> int: ...
    @property
    def status(self) -> CallStatus: ...
    @property
    def wire_status(self) -> int: ...

class TimingModel:
    """
    Hardware figures of the clock; see photonlink.presets.
    """

    flat: bool
    name: str
    def __init__(self) -> None: ...
    @property
    def clock_hz(self) -> float: ...
    @clock_hz.setter
    def clock_hz(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None: ...
    @property
    def configuration_s(self) -> float: ...
    @configuration_s.setter
    def configuration_s(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None: ...
    @property
    def full_update_s(self) -> float: ...
    @full_update_s.setter
    def full_update_s(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None: ...
    @property
    def kept_rate_hz(self) -> float: ...
    @kept_rate_hz.setter
    def kept_rate_hz(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None: ...
    @property
    def phase_update_s(self) -> float: ...
    @phase_update_s.setter
    def phase_update_s(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None: ...
    @property
    def photons(self) -> int: ...
    @photons.setter
    def photons(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    @property
    def quick_phase_limit(self) -> int: ...
    @quick_phase_limit.setter
    def quick_phase_limit(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    @property
    def transmittance(self) -> float: ...
    @transmittance.setter
    def transmittance(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None: ...

class SessionOptions:
    clock: ClockMode
    precision: str
    timing: TimingModel
    def __init__(self) -> None: ...
    @property
    def idle_timeout_s(self) -> float: ...
    @idle_timeout_s.setter
    def idle_timeout_s(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None: ...
    @property
    def max_duration_s(self) -> float: ...
    @max_duration_s.setter
    def max_duration_s(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None: ...
    @property
    def seed(self) -> int: ...
    @seed.setter
    def seed(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    @property
    def shots(self) -> int: ...
    @shots.setter
    def shots(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    @property
    def threads(self) -> int: ...
    @threads.setter
    def threads(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    @property
    def token_budget(self) -> int | None: ...
    @token_budget.setter
    def token_budget(self, arg0: typing.SupportsInt | typing.SupportsIndex | None) -> None: ...

class Usage:
    @property
    def configuration_ns(self) -> int: ...
    @property
    def end(self) -> str: ...
    @property
    def kept_samples(self) -> int: ...
    @property
    def quantum_ns(self) -> int: ...
    @property
    def shots(self) -> int: ...
    @property
    def tokens(self) -> int: ...
    @property
    def wall_ns(self) -> int: ...

class ControllerStatus:
    @property
    def calibration_age_s(self) -> float: ...
    @property
    def cause(self) -> str: ...
    @property
    def datapoint_timeout_s(self) -> float: ...
    @property
    def digest(self) -> str: ...
    @property
    def last_end(self) -> str | None: ...
    @property
    def maintenance(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def processor(self) -> str: ...
    @property
    def retry_after_s(self) -> float | None: ...
    @property
    def sampler(self) -> str: ...
    @property
    def session(self) -> int: ...
    @property
    def simulated(self) -> bool: ...
    @property
    def state(self) -> str: ...
    @property
    def threads(self) -> int: ...
    @property
    def uptime_s(self) -> float: ...

class SessionGrant:
    """
    One exclusive reservation.
    """
    @property
    def basis_size(self) -> int: ...
    @property
    def output_size(self) -> int: ...
    @property
    def session(self) -> int: ...

class LedgerEntry:
    """
    What the ledger knows of one session.
    """
    @property
    def configuration_ns(self) -> int: ...
    @property
    def digest(self) -> str: ...
    @property
    def end(self) -> str: ...
    @property
    def ended(self) -> bool: ...
    @property
    def kept_samples(self) -> int: ...
    @property
    def quantum_ns(self) -> int: ...
    @property
    def session(self) -> int: ...
    @property
    def shots(self) -> int: ...
    @property
    def started_unix_ns(self) -> int: ...
    @property
    def tokens(self) -> int: ...
    @property
    def wall_ns(self) -> int: ...

class FileLedger:
    """
    Counts in a mapped file that survive their process.
    """
    def __init__(self, path: str, records: typing.SupportsInt | typing.SupportsIndex = 64) -> None: ...
    def entries(self) -> list[LedgerEntry]: ...
    def forget(self, session: typing.SupportsInt | typing.SupportsIndex) -> None: ...

class LatencyOptions:
    """
    What a controller's threads ask of the system.
    """
    def __init__(
        self,
        *,
        dispatcher_cpus: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex],
        transport_cpus: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex],
        lock_memory: bool,
        realtime_priority: typing.SupportsInt | typing.SupportsIndex,
        local_memory: bool,
    ) -> None: ...

class LatencyOutcome:
    """
    One thing that was asked for, and what came of it.
    """
    @property
    def asked(self) -> str: ...
    @property
    def detail(self) -> str: ...
    @property
    def granted(self) -> bool: ...
    @property
    def measure(self) -> str: ...

class CancelFlag:
    """
    Ends calls from another thread.
    """
    def __init__(self) -> None: ...
    def is_set(self) -> bool: ...
    def set(self) -> None: ...

class CallLimits:
    """
    Deadlines of calls, in seconds.
    """
    def __init__(
        self,
        timeout: typing.SupportsFloat | typing.SupportsIndex | None = None,
        row_timeout: typing.SupportsFloat | typing.SupportsIndex | None = None,
        in_flight: typing.SupportsInt | typing.SupportsIndex = 0,
        cancel: CancelFlag | None = None,
    ) -> None: ...

class Controller:
    """
    Controller of the native simulator, or of a driver's processor.
    """
    def __init__(
        self,
        memory_limit: typing.SupportsInt | typing.SupportsIndex,
        *,
        busy: bool = False,
        mute_from: typing.SupportsInt | typing.SupportsIndex | None = None,
        die_at: typing.SupportsInt | typing.SupportsIndex | None = None,
        drain_s: typing.SupportsFloat | typing.SupportsIndex = 0.25,
        name: str = "sim",
        ledger: FileLedger | None = None,
        first_session: typing.SupportsInt | typing.SupportsIndex = 1,
        driver: DriverDesk | None = None,
        latency: LatencyOptions | None = None,
        stages: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> None: ...
    def calibrate(self) -> None: ...
    def finish_maintenance(self) -> None: ...
    def latency(self) -> list[LatencyOutcome]:
        """
        What was asked of the system for low latency, and what was granted.
        """
    def release(self, session: typing.SupportsInt | typing.SupportsIndex, stopped: bool = False) -> Usage: ...
    def renew(self, session: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    def request_maintenance(self) -> bool: ...
    def reserve(self, program: ProgramSpec, options: SessionOptions) -> SessionGrant: ...
    def reset(self) -> None: ...
    def shutdown(self) -> bool: ...
    def stages(self) -> tuple[int, numpy.typing.NDArray[numpy.uint64]]:
        """
        Datapoints answered so far, and the first of them as uint64 (N, 6): session, id, and the times in nanoseconds at which each was accepted, begun, executed and published.
        """
    def status(self) -> ControllerStatus: ...
    def usage(self, session: typing.SupportsInt | typing.SupportsIndex) -> Usage: ...

class LocalSession:
    """
    One session, in this process.
    """
    def __init__(
        self,
        controller: Controller,
        program: ProgramSpec,
        encoding: Encoding,
        options: SessionOptions,
        slots: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...
    def close(self) -> Usage: ...
    def echo(
        self, rounds: typing.SupportsInt | typing.SupportsIndex, limits: CallLimits
    ) -> tuple[CallResult, numpy.typing.NDArray[numpy.uint64]]: ...
    def infer(self, x: numpy.ndarray, out: numpy.ndarray, limits: CallLimits) -> CallResult:
        """
        One datapoint per row of x (B, F) float32 or float64 into out (B, O) of the session's precision; rows contiguous.
        """
    def open_device_port(self, slots: typing.SupportsInt | typing.SupportsIndex) -> DevicePort: ...
    def report(
        self, x: numpy.ndarray, out: numpy.ndarray, limits: CallLimits
    ) -> tuple[
        CallResult,
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.int64],
        numpy.typing.NDArray[numpy.uint32],
        numpy.typing.NDArray[numpy.uint64],
        numpy.typing.NDArray[numpy.uint32],
        numpy.typing.NDArray[numpy.uint32],
    ]: ...
    def slots_in_use(self) -> int: ...
    def stop(self) -> None: ...
    def usage(self) -> Usage: ...
    @property
    def basis_size(self) -> int: ...
    @property
    def output_size(self) -> int: ...
    @property
    def slots(self) -> int: ...

class ShmService:
    """
    Offers a session to other processes of this machine.
    """
    @staticmethod
    def of_grant(
        controller: Controller,
        grant: SessionGrant,
        options: SessionOptions,
        encoding: Encoding,
        address: str,
        slots: typing.SupportsInt | typing.SupportsIndex,
    ) -> ShmService: ...
    def __init__(
        self, session: LocalSession, address: str, slots: typing.SupportsInt | typing.SupportsIndex | None = None
    ) -> None: ...
    def close(self) -> None: ...
    @property
    def accepted(self) -> int: ...

class UdpGateway:
    """
    Offers a controller's session to clients over UDP.
    """
    def __init__(
        self, controller: Controller, host: str, port: typing.SupportsInt | typing.SupportsIndex, tags: bool = False
    ) -> None: ...
    def close(self) -> None: ...
    def open(
        self,
        grant: SessionGrant,
        options: SessionOptions,
        encoding: Encoding,
        slots: typing.SupportsInt | typing.SupportsIndex,
    ) -> bytes:
        """
        Serves this session from now on; returns what clients must know: 8 bytes, or 16 where frames carry tags.
        """
    @property
    def accepted(self) -> int: ...
    @property
    def counts(self) -> dict:
        """
        Datagrams received, dropped, refused and repeated.
        """
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def slot_bytes(self) -> int:
        """
        Of the session that was opened last.
        """

class ShmSession:
    """
    Client of a session in another process.
    """
    def __init__(
        self,
        address: str,
        encoding: Encoding,
        *,
        output_size: typing.SupportsInt | typing.SupportsIndex,
        max_counts: typing.SupportsInt | typing.SupportsIndex,
        precision: str,
        connect_timeout: typing.SupportsFloat | typing.SupportsIndex = 5.0,
        stall_limit: typing.SupportsFloat | typing.SupportsIndex = 10.0,
    ) -> None: ...
    def echo(
        self, rounds: typing.SupportsInt | typing.SupportsIndex, limits: CallLimits
    ) -> tuple[CallResult, numpy.typing.NDArray[numpy.uint64]]: ...
    def infer(self, x: numpy.ndarray, out: numpy.ndarray, limits: CallLimits) -> CallResult: ...
    def open_device_port(self, slots: typing.SupportsInt | typing.SupportsIndex = 0) -> DevicePort:
        """
        The controller decides how many slots it has.
        """
    def report(
        self, x: numpy.ndarray, out: numpy.ndarray, limits: CallLimits
    ) -> tuple[
        CallResult,
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.int64],
        numpy.typing.NDArray[numpy.uint32],
        numpy.typing.NDArray[numpy.uint64],
        numpy.typing.NDArray[numpy.uint32],
        numpy.typing.NDArray[numpy.uint32],
    ]: ...
    def slots_in_use(self) -> int: ...
    def stop(self) -> None: ...
    @property
    def slots(self) -> int: ...

class UdpSession:
    """
    Client of a session behind a UDP gateway.
    """
    def __init__(
        self,
        host: str,
        port: typing.SupportsInt | typing.SupportsIndex,
        secret: bytes,
        encoding: Encoding,
        *,
        slots: typing.SupportsInt | typing.SupportsIndex,
        output_size: typing.SupportsInt | typing.SupportsIndex,
        max_counts: typing.SupportsInt | typing.SupportsIndex,
        precision: str,
        connect_timeout: typing.SupportsFloat | typing.SupportsIndex = 5.0,
        stall_limit: typing.SupportsFloat | typing.SupportsIndex = 10.0,
    ) -> None: ...
    def echo(
        self, rounds: typing.SupportsInt | typing.SupportsIndex, limits: CallLimits
    ) -> tuple[CallResult, numpy.typing.NDArray[numpy.uint64]]: ...
    def infer(self, x: numpy.ndarray, out: numpy.ndarray, limits: CallLimits) -> CallResult: ...
    def open_device_port(self, slots: typing.SupportsInt | typing.SupportsIndex) -> DevicePort: ...
    def report(
        self, x: numpy.ndarray, out: numpy.ndarray, limits: CallLimits
    ) -> tuple[
        CallResult,
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.int64],
        numpy.typing.NDArray[numpy.uint32],
        numpy.typing.NDArray[numpy.uint64],
        numpy.typing.NDArray[numpy.uint32],
        numpy.typing.NDArray[numpy.uint32],
    ]: ...
    def slots_in_use(self) -> int: ...
    def stop(self) -> None: ...
    @property
    def slots(self) -> int: ...

class BridgeGateway:
    """
    Offers a controller's session through a transport provider of CUDA-Q realtime.
    """
    def __init__(
        self,
        controller: Controller,
        library: str,
        arguments: collections.abc.Sequence[str],
        slots: typing.SupportsInt | typing.SupportsIndex | None = None,
    ) -> None: ...
    def close(self) -> None: ...
    def open(self, grant: SessionGrant, options: SessionOptions, encoding: Encoding) -> bytes:
        """
        Serves this session from now on; returns the 8 bytes that requests must begin with.
        """
    @property
    def accepted(self) -> int: ...
    @property
    def counts(self) -> dict:
        """
        Frames received, dropped, refused and repeated.
        """
    @property
    def endpoint(self) -> str: ...
    @property
    def problem(self) -> str: ...
    @property
    def slot_bytes(self) -> int: ...
    @property
    def slots(self) -> int: ...
    @property
    def state(self) -> str: ...
    @property
    def version(self) -> int: ...

def bare_ping_pong(rounds: typing.SupportsInt | typing.SupportsIndex) -> numpy.typing.NDArray[numpy.uint32]:
    """
    Round trips of a bare cache-line ping-pong between two threads, uint32 (rounds,), nanoseconds.
    """

def basis_size(
    modes: typing.SupportsInt | typing.SupportsIndex, photons: typing.SupportsInt | typing.SupportsIndex, space: str
) -> int: ...
def basis_states(
    modes: typing.SupportsInt | typing.SupportsIndex, photons: typing.SupportsInt | typing.SupportsIndex, space: str
) -> numpy.typing.NDArray[numpy.uint8]:
    """
    The basis in order, (states, modes) uint8.
    """

def check_spec(spec: ProgramSpec) -> None:
    """
    Raises ProgramError unless the spec can be simulated.
    """

def click_patterns(
    modes: typing.SupportsInt | typing.SupportsIndex, photons: typing.SupportsInt | typing.SupportsIndex, space: str
) -> numpy.typing.NDArray[numpy.uint8]:
    """
    Threshold patterns in order, (patterns, modes) uint8.
    """

def end_reason(arg0: typing.SupportsInt | typing.SupportsIndex) -> str:
    """
    Name of the reason that a port was closed with.
    """

def kept_click_patterns(spec: ProgramSpec) -> numpy.typing.NDArray[numpy.uint8]:
    """
    Click patterns of kept events in order, (patterns, modes) uint8.
    """

def kept_size(spec: ProgramSpec) -> int:
    """
    Number of detected states of kept events.
    """

def kept_states(spec: ProgramSpec) -> numpy.typing.NDArray[numpy.uint8]:
    """
    Detected states of kept events in order, (states, modes) uint8.
    """

def kept_states_at(
    spec: ProgramSpec, positions: typing.Annotated[numpy.typing.ArrayLike, numpy.uint32]
) -> numpy.typing.NDArray[numpy.uint8]:
    """
    States at these positions of kept_states(), (positions, modes) uint8.
    """

def multiply_add_peak(precision: str) -> float:
    """
    Flops per second of one core that does nothing but multiply-adds, in the SIMD profile in use.
    """

def noise_method(spec: ProgramSpec, sampled: bool) -> str:
    """
    How noise is simulated, in words.
    """

@typing.overload
def open_device(
    open_function: typing.SupportsInt | typing.SupportsIndex,
    device: typing.SupportsInt | typing.SupportsIndex,
    session: LocalSession,
    program: ProgramSpec,
    shots: typing.SupportsInt | typing.SupportsIndex,
    timeout: typing.SupportsFloat | typing.SupportsIndex,
) -> int:
    """
    Opens a device of libphotonlink_device_call with a link to the session; a photonlink_device_status.
    """

@typing.overload
def open_device(
    open_function: typing.SupportsInt | typing.SupportsIndex,
    device: typing.SupportsInt | typing.SupportsIndex,
    session: ShmSession,
    program: ProgramSpec,
    shots: typing.SupportsInt | typing.SupportsIndex,
    timeout: typing.SupportsFloat | typing.SupportsIndex,
) -> int:
    """
    Opens a device of libphotonlink_device_call with a link to the session; a photonlink_device_status.
    """

@typing.overload
def open_device(
    open_function: typing.SupportsInt | typing.SupportsIndex,
    device: typing.SupportsInt | typing.SupportsIndex,
    session: UdpSession,
    program: ProgramSpec,
    shots: typing.SupportsInt | typing.SupportsIndex,
    timeout: typing.SupportsFloat | typing.SupportsIndex,
) -> int:
    """
    Opens a device of libphotonlink_device_call with a link to the session; a photonlink_device_status.
    """

def output_size(spec: ProgramSpec) -> int:
    """
    Values per datapoint.
    """

def phase_degree(spec: ProgramSpec) -> int:
    """
    Degree of the trigonometric polynomials that observables are in each phase.
    """

def predict_amplitude_bytes(spec: ProgramSpec, precision: str) -> int:
    """
    Least memory of an amplitude simulator, in bytes, without results.
    """

def predict_bytes(spec: ProgramSpec, precision: str, sampled: bool = False) -> int:
    """
    Least memory of a simulator, in bytes.
    """

def predict_gradient_bytes(
    spec: ProgramSpec, precision: str, threads: typing.SupportsInt | typing.SupportsIndex = 1
) -> int:
    """
    Least memory of a differentiator, in bytes.
    """

def probability_of_enough(spec: ProgramSpec) -> float:
    """
    Probability that an attempt delivers enough photons to be kept, whatever the circuit.
    """

def simd_profile() -> str:
    """
    The SIMD profile that simulators take now: the fastest, or the one that PHOTONLINK_SIMD names.
    """

def simd_profiles() -> list[str]:
    """
    SIMD profiles that this machine can run, fastest first.
    """

def states_at(
    modes: typing.SupportsInt | typing.SupportsIndex,
    photons: typing.SupportsInt | typing.SupportsIndex,
    space: str,
    positions: typing.Annotated[numpy.typing.ArrayLike, numpy.uint32],
) -> numpy.typing.NDArray[numpy.uint8]:
    """
    States at positions of the basis, (positions, modes) uint8, without listing the others.
    """

def udp_ping_pong(
    host: str,
    port: typing.SupportsInt | typing.SupportsIndex,
    request: bytes,
    rounds: typing.SupportsInt | typing.SupportsIndex,
) -> tuple:
    """
    Round trips of one frame, sent with a socket and nothing else, uint32 (rounds,), nanoseconds; and the last answer.
    """

DEVICE_CALL_ABI: int = 1
