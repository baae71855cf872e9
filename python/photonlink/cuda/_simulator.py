"""A program's simulator on a device: what is computed there, launch by launch, without a session around it."""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np

from photonlink._failures import Context, device_failure
from photonlink.cuda import _part
from photonlink.cuda._part import guarded
from photonlink.cuda._waiting import wait_for
from photonlink.errors import PhotonLinkError, ProgramError, SessionClosed
from photonlink.program import Program

__all__ = ["DeviceSimulator"]

_CLOSE_SECONDS = 5.0

# Memory that launches or captured graphs may still touch belongs to the process from then on.
_kept: list[Any] = []


class DeviceSimulator:
    """Computes one program on one device. Launches are ordered by their streams and wait for nothing on the host.

    Threads may share it. Launches on different streams take turns on the device: they share its memory.

    Args:
        program: Without noise. A samples readout has no outputs: what it returns are the states of its shots.
        device: Number of the device.
        precision: "float64" or "float32".
        seed: Of the sampling.
        shots: Kept samples per datapoint, 0 for exact results.
        memory_limit: Bytes of device memory; by default half of what the device has.
        target: For error messages.

    Raises:
        ProgramError: The program cannot be computed there, or not within the limit.
        TargetUnavailable: The device cannot be used.
        DeviceError: CUDA refused.
    """

    def __init__(
        self,
        program: Program,
        *,
        device: int,
        precision: str,
        target: str,
        seed: int = 0,
        shots: int = 0,
        memory_limit: int | None = None,
    ) -> None:
        _refuse_noise(program, target)
        properties = _part.device(device)
        readout = program.readout
        encoding = program.encoder.view()
        self.context = Context(target, program.features, lambda: _no_samples(program, self.sampler))
        self.target, self.device, self.precision = target, device, precision
        self.compute_capability = str(properties["compute_capability"])
        try:
            with guarded(target):
                self._native = _part.part().Simulator(
                    device=device,
                    modes=program.modes,
                    input=list(program.input_state),
                    interferometers=np.ascontiguousarray(program.interferometers),
                    phase_layers=np.asarray(program.phase_layers, np.uint32),
                    phase_modes=np.asarray(program.phase_modes, np.uint32),
                    kind=readout.kind,
                    space=readout.space,
                    grouping=readout.grouping_name,
                    groups=readout.groups,
                    interference=program.interference,
                    precision=precision,
                    encoding=encoding.address,
                    seed=seed,
                    shots=shots,
                    memory_limit=int(properties["memory_bytes"]) // 2 if memory_limit is None else memory_limit,
                )
        except ProgramError:
            raise
        except ValueError as error:
            raise ProgramError(str(error), target=target) from error
        self.output_size = int(self._native.output_size)
        self.tile_rows = int(self._native.tile_rows)
        self.sampler = str(self._native.sampler)
        self._lock = threading.Lock()
        self._executed = 0
        self._closed = False
        self._pid = os.getpid()

    # ---- launches

    def infer(self, batch: tuple[int, ...], kept_fractions: int, rows: int, stream: int, shot_states: int = 0) -> None:
        """Launch `rows` datapoints: addresses and strides as ``Arguments.batch`` has them, 0 for no kept fractions or
        no states of shots (uint32, rows x shots).
        """  # noqa: D205
        with self._lock, guarded(self.target):
            self._open().infer(*batch, kept_fractions, rows, stream, shot_states)

    def vjp(self, arrays: tuple[int, ...], rows: int, stream: int) -> None:
        """Launch values and derivatives of `rows` datapoints: features, bytes of one and stride, then cotangents,
        values, phase gradients and interferometer gradients, all without gaps between their rows.
        """  # noqa: D205
        with self._lock, guarded(self.target):
            self._open().vjp(*arrays, rows, stream)

    # ---- what became of them

    def executed(self) -> int:
        """Datapoints executed, those of replayed graphs included."""
        if not self._closed:
            with self._lock, guarded(self.target):
                self._executed = max(self._executed, int(self._native.executed()))
        return self._executed

    def take_left(self) -> Any:
        """What a kernel left of the first datapoint that failed, or None. Reads host memory only."""
        with self._lock, guarded(self.target):
            return self._native.take_failure()

    def take_failure(self) -> PhotonLinkError | None:
        """The same as an error."""
        left = self.take_left()
        return None if left is None else device_failure(left, self.context, "close the session")

    def synchronize(self, stream: int, timeout: float) -> None:
        """Wait on the host until `stream` has done its work.

        Raises:
            LinkTimeout: It has not within `timeout` seconds.
            DeviceError: CUDA reports an error of earlier work.
        """
        wait_for(self._open().synchronize, stream, timeout, self.target)

    def native(self) -> Any:
        """The native simulator, while it is open."""
        return self._open()

    def _open(self) -> Any:
        if self._closed:
            raise SessionClosed("the session is closed: reserve a new one", target=self.target)
        return self._native

    def close(self) -> None:
        """Wait, bounded, for launches in flight, and let go of the device's memory. May be repeated.

        Does nothing in a forked child: CUDA's objects are the parent's.
        """
        if self._closed or os.getpid() != self._pid:
            return
        self.executed()
        with self._lock, guarded(self.target):
            self._closed = True
            if not self._native.close(_CLOSE_SECONDS):
                _kept.append(self._native)


def _refuse_noise(program: Program, target: str) -> None:
    if program.noisy:
        raise ProgramError(
            f"the program has noise or detectors that {target!r} does not simulate: reserve target 'sim', or take "
            "them away with program.replace(noise=None, detectors='pnr', min_detected_photons=None)",
            target=target,
        )


def _no_samples(program: Program, sampler: str) -> str:
    if sampler != "inverse_cdf":
        return (
            f"a sample of it was given up after thousands of events outside the {program.readout.space} space; change "
            "the phases, use the fock space, or raise memory_limit so that the distribution of the space itself fits"
        )
    return f"no sample of it could be kept; its phases put no probability into the {program.readout.space} space"
