"""Sessions: reserve a photonic processor, send features, read observables.

Examples:
    >>> import numpy as np
    >>> import photonlink as phl
    >>> program = phl.Program.reservoir(modes=6, photons=2, features=6, seed=7)
    >>> with phl.reserve("sim", program, shots=100, seed=1) as session:
    ...     y, info = session.infer(np.zeros((3, 6)), return_info=True)
    ...     future = session.infer_async(np.ones(6))
    ...     y.shape, info.standard_errors.shape, future.result().shape
    ((3, 15), (3, 15), (15,))
    >>> session.usage.tokens, session.usage.kept_samples, session.usage.quantum_seconds > 0
    (4, 400, True)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from photonlink import _arrays, _checks, _core, _options
from photonlink._device_calls import DeviceCalls
from photonlink._failures import Context, failure
from photonlink._lifetime import Lifetime
from photonlink._reports import describe, expand_samples
from photonlink._worker import InferFuture, Worker
from photonlink.controller import Lease
from photonlink.errors import PhotonLinkError, ProgramError
from photonlink.fit import Fit
from photonlink.info import SessionInfo, Usage
from photonlink.program import Program

if TYPE_CHECKING:
    from photonlink.cuda._client import Terms

__all__ = ["Session"]

# What a datapoint may take beyond its modelled time before it counts as lost: simulators are not real-time systems.
_SLACK_SECONDS = 30.0


class Session(Lifetime, DeviceCalls):
    """One exclusive reservation of a configured processor. Made by :func:`photonlink.reserve`; threads may share it.

    Examples:
        >>> import numpy as np
        >>> import photonlink as phl
        >>> program = phl.Program.reservoir(modes=4, photons=1, features=4)
        >>> session = phl.reserve("sim", program)
        >>> session.infer(np.zeros(4)).shape
        (4,)
        >>> session.close().tokens
        1
    """

    def __init__(
        self,
        core: _core.LocalSession,
        lease: Lease,
        program: Program,
        options: _core.SessionOptions,
        *,
        target: str,
        asked: str | None,
        fit: Fit,
        timeout: float | None,
    ) -> None:
        super().__init__()
        self._core_session = core
        self._lease = lease
        self._program = program
        self._options = options
        self._timeout = timeout
        status = lease.controller.core.status()
        self._modelled_seconds = _options.modelled_seconds(options, fit)
        slack = _SLACK_SECONDS + status.datapoint_timeout_s
        self._row_timeout = slack + (core.slots + 1) * self._modelled_seconds
        self._limits = self._limits_for(timeout)
        self._dtype = np.dtype(options.precision)
        self._context = Context(target, program.features, lambda: lease.controller.core.status().cause)
        self._info = SessionInfo(
            target=target,
            target_overridden_from=asked,
            processor=status.processor,
            simulated=status.simulated,
            clock=options.clock.name,
            preset=fit.preset.name,
            chip=fit.label,
            digest=program.digest,
            link="in-process",
            precision=options.precision,
            kernel_profile=_core.simd_profile(),
            slots=core.slots,
            calibration_age_seconds=status.calibration_age_s,
            threads=status.threads,
            sampler=status.sampler if options.shots > 0 else None,
            noise_method=_noise_method(program, options.shots > 0, status),
            latency=lease.controller.latency,
        )
        self._worker = Worker("photonlink-async")
        self._begin()

    # ---- inference

    def infer(
        self,
        x: Any,
        out: Any = None,
        timeout: float | None = None,
        return_info: bool = False,
        *,
        stream: Any = None,
        statuses: Any = None,
    ) -> Any:
        """Send datapoints and wait for their results; from device memory: launch that on a stream, without waiting.

        Args:
            x: (B, F) or (F,) float64 or float32: a numpy array, a torch or CuPy array, or anything with
                ``__dlpack__``, ``__cuda_array_interface__`` or a buffer. Rows must be contiguous. Nothing is copied.
            out: Array of shape (B, O) or (O,) and the session's precision that receives the results. After an error,
                rows that were not delivered may still be written to until the session is closed.
            timeout: Seconds for the whole call, instead of the session's default. From device memory: for one launch,
                at most its limit (:data:`photonlink.cuda.KERNEL_LIMIT_SECONDS`).
            return_info: Also return counts, kept fractions, standard errors and times; from host memory only.
            stream: For arrays in device memory: the CUDA stream of the call, as an integer or any library's stream
                object; by default the current stream of torch or CuPy.
            statuses: For arrays in device memory: uint32 or int32 (B,) array there that receives how each row ended,
                a ``photonlink::CallStatus``; 0 is success.

        Returns:
            ``y``, or ``(y, info)``: (B, O) or (O,) in the caller's kind of array (numpy for plain buffers), or `out`.
            For a samples readout: uint8 (B, shots, modes) or (shots, modes), photons per mode, sorted by basis state;
            the order within a datapoint carries no information. `info` is an :class:`photonlink.InferInfo`.

        Raises:
            ProgramError: An array has a wrong type, dtype, shape, strides or device, or a feature is not finite.
            TargetUnavailable: x lies in device memory, and no device can be used; ``reason`` says why.
            DeviceError: CUDA refused a launch.
            LinkTimeout: No answer in time; ``row`` rows were delivered.
            SessionClosed: The session was closed, expired, spent its budget, or was inherited by a forked child.
            LinkClosed: The controller died.
            ProcessorError: The processor failed.
            ProtocolError: The controller broke the wire format.

        A call from device memory has not happened yet when it returns. If it fails then, its rows are NaN, and the
        error is raised by the next call on the device, :meth:`check`, :meth:`synchronize` or :meth:`close`.
        """
        self._require_open()
        if type(x) is not np.ndarray and _arrays.on_device(x):
            samples = self._program.readout.kind == "samples"
            return self._infer_on_device(x, out, timeout, stream, statuses, return_info=return_info, samples=samples)
        if stream is not None or statuses is not None:
            raise ProgramError("stream and statuses belong to arrays in device memory, and x is in host memory")
        rows, single = _arrays.features(x, len(self._program.features))
        return self._run(
            x, rows, single, out, self._limits if timeout is None else self._limits_for(timeout), return_info
        )

    def infer_async(
        self, x: Any, out: Any = None, timeout: float | None = None, return_info: bool = False
    ) -> InferFuture:
        """Send datapoints without waiting. Calls run in order of submission, their datapoints in flight together.

        Arguments and results are those of :meth:`infer`; x is copied. The deadline counts from the start of the call.

        Returns:
            A ``concurrent.futures.Future``. Its ``cancel()`` ends a running call too; closing the session ends all.

        Raises:
            ProgramError: x has a wrong type, dtype, shape or strides. All else is raised by ``result()``.
            SessionClosed: The session is closed or was inherited by a forked child.
        """
        self._require_open()
        if _arrays.on_device(x):
            self._require_device()
            raise ProgramError("infer() does not wait for arrays in device memory: call it, or submit(), instead")
        view, single = _arrays.features(x, len(self._program.features))
        rows = np.array(view)

        def call(flag: _core.CancelFlag) -> Any:
            limits = self._limits_for(self._timeout if timeout is None else timeout, flag)
            return self._run(x, rows, single, out, limits, return_info)

        return self._worker.submit(call)

    def echo_latency(self, rounds: int, timeout: float | None = None) -> NDArray[np.float64]:
        """Measure the link: round trips of a 32-byte echo, one at a time, timed in native code.

        Args:
            rounds: Number of round trips.
            timeout: Seconds for all of them, instead of the session's default.

        Returns:
            float64 (rounds,), seconds. Nothing is executed, and no token counts.

        Raises:
            As :meth:`infer`.
        """
        self._require_open()
        count = _checks.integer("rounds", rounds, 1, 2**32)
        limits = self._limits if timeout is None else self._limits_for(timeout)
        result, latencies_ns = self._core_session.echo(count, limits)
        if result.status != _core.CallStatus.OK:
            raise failure(result, count, self._context)
        return cast(NDArray[np.float64], latencies_ns * 1e-9)

    def _run(
        self, x: Any, rows: _arrays.Array, single: bool, out: Any, limits: _core.CallLimits, return_info: bool
    ) -> Any:
        if return_info is not False:
            _checks.boolean("return_info", return_info)
        samples = self._program.readout.kind == "samples"
        y = self._results(rows, single, out, samples)
        if not samples and not return_info:
            result = self._core_session.infer(rows, y, limits)
            if result.status != _core.CallStatus.OK:
                raise failure(result, len(rows), self._context)
            return self._returned(y, single, out, x)
        result, *columns = cast("list[Any]", self._core_session.report(rows, y, limits))
        if result.status != _core.CallStatus.OK:
            raise failure(result, len(rows), self._context)
        info = describe(columns, self._info, exact=self._options.shots == 0, samples=samples)
        if samples:
            y = expand_samples(self._program, info, self._options.shots)
        values = self._returned(y, single, out, x)
        return (values, info) if return_info else values

    def _results(self, rows: _arrays.Array, single: bool, out: Any, samples: bool) -> _arrays.Array:
        """Where the observables go, as (B, O)."""
        size = self._core_session.output_size
        if out is None:
            return np.empty((len(rows), size), self._dtype)
        if samples:
            raise ProgramError("a samples readout cannot write into out: leave it away")
        return _arrays.output(out, (size,) if single else (len(rows), size), self._dtype, rows)

    @staticmethod
    def _returned(y: _arrays.Array, single: bool, out: Any, x: Any) -> Any:
        return out if out is not None else _arrays.like(y[0] if single else y, x)

    def _limits_for(self, timeout: float | None, flag: _core.CancelFlag | None = None) -> _core.CallLimits:
        _checks.seconds("timeout", timeout)
        row_timeout = self._row_timeout if timeout is None else None
        return _core.CallLimits(timeout=timeout, row_timeout=row_timeout, in_flight=0, cancel=flag)

    def _device_terms(self) -> Terms:
        from photonlink.cuda._client import Pace, Terms

        core = self._core_session  # whoever opens ports must not keep the session alive
        return Terms(
            context=self._context,
            output_size=self._core_session.output_size,
            precision=self._options.precision,
            pace=Pace(
                modelled_seconds=self._modelled_seconds,
                computing_seconds=_options.computing_seconds(self._program, self._options.shots),
                row_timeout=self._row_timeout if self._timeout is None else self._timeout,
            ),
            timeout=self._timeout,
            open_port=lambda slots: core.open_device_port(core.slots if slots is None else slots),
        )

    # ---- what it is and what it used

    @property
    def info(self) -> SessionInfo:
        """What the session runs on."""
        return self._info

    @property
    def program(self) -> Program:
        """The configured program."""
        return self._program

    @property
    def shots(self) -> int | None:
        """Kept samples per datapoint, None if results are exact."""
        return self._options.shots or None

    @property
    def slots(self) -> int:
        """Requests that can be in flight; see :func:`photonlink.reserve`."""
        return self._info.slots

    @property
    def usage(self) -> Usage:
        """Tokens, shots, kept samples, modelled quantum time and wall time so far; final after :meth:`close`.

        Raises:
            SessionClosed: This process is a forked child.
        """
        self._require_own_process()
        return self._final or self._usage(self._core_session.usage())

    def _usage(self, used: _core.Usage) -> Usage:
        timed = self._options.shots > 0 and self._info.clock != "none"
        return Usage(
            tokens=used.tokens,
            shots=used.shots,
            kept_samples=used.kept_samples,
            quantum_seconds=max(used.quantum_ns, 0) / 1e9 if timed else None,
            configuration_seconds=used.configuration_ns / 1e9 if timed else None,
            wall_seconds=used.wall_ns / 1e9,
        )

    # ---- the end

    def _stop(self) -> PhotonLinkError | None:
        self._core_session.stop()
        return self._close_device()

    def _release(self) -> Usage:
        self._worker.stop()
        used = self._usage(self._core_session.close())
        self._lease.end()
        return used

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return f"<photonlink.Session on {self._info.target!r}, {state}, program {self._info.digest[:8]}>"


def _noise_method(program: Program, sampled: bool, status: _core.ControllerStatus) -> str:
    if status.datapoint_timeout_s > 0 and program.noisy:  # not the native simulator
        return "by the processor"
    if status.sampler == "sampled_sources":
        return "sampled sources"
    return _core.noise_method(program.spec, sampled)
