"""A stand-in for the simulator on a device: the project's simulator on the CPU, on addresses of host memory.

What is tested with it is everything around the kernels: which addresses, strides and streams they are given, when and
in which order, and what becomes of their results and failures. Kernels are tested in tests/cpp and tests/gpu.
"""

from __future__ import annotations

import ctypes
from typing import Any, ClassVar

import numpy as np
from device_arrays import Failure, stand_in

from photonlink import _core

REFUSED, BAD_FEATURE = int(_core.CallStatus.REFUSED), int(_core.CallStatus.BAD_FEATURE)
PROCESSOR_FAILED = 103  # photonlink::wire::Status


class _View(ctypes.Structure):
    """``photonlink::EncodingView``."""

    _fields_: ClassVar = [
        ("features", ctypes.c_uint32),
        ("phases", ctypes.c_uint32),
        ("row_begin", ctypes.POINTER(ctypes.c_uint32)),
        ("term_feature", ctypes.POINTER(ctypes.c_uint32)),
        ("term_weight", ctypes.POINTER(ctypes.c_double)),
        ("offset", ctypes.POINTER(ctypes.c_double)),
        ("wrap", ctypes.c_bool),
        ("dac_bits", ctypes.c_uint32),
    ]


def encoding_at(address: int) -> _core.Encoding:
    """The map that an EncodingView at `address` describes."""
    view = _View.from_address(address)

    def array(pointer: Any, count: int, dtype: Any) -> np.ndarray:
        return np.array(pointer[:count], dtype)

    begins = array(view.row_begin, view.phases + 1, np.uint32)
    terms = int(begins[-1])
    return _core.Encoding(
        view.features,
        begins,
        array(view.term_feature, terms, np.uint32),
        array(view.term_weight, terms, np.float64),
        array(view.offset, view.phases, np.float64),
        view.wrap,
        view.dac_bits,
    )


def at(address: int, shape: tuple[int, ...], dtype: Any, stride: int | None = None) -> np.ndarray:
    """The array at `address`, whose rows lie `stride` elements apart."""
    dtype = np.dtype(dtype)
    if 0 in shape:
        return np.empty(shape, dtype)
    width = shape[-1]
    step = width if stride is None else stride
    length = (shape[0] - 1) * step + width if len(shape) == 2 else width
    flat = np.frombuffer((ctypes.c_uint8 * (length * dtype.itemsize)).from_address(address), dtype)
    strides = (step * dtype.itemsize, dtype.itemsize) if len(shape) == 2 else (dtype.itemsize,)
    return np.lib.stride_tricks.as_strided(flat, shape, strides)


def ids(first: int, rows: int) -> np.ndarray:
    """Ids of `rows` datapoints of a session that has executed `first` before them."""
    return np.arange(first, first + rows, dtype=np.uint64)


def simulating(state: str = "ok") -> Any:
    """A module with the functions of the native CUDA part. ``simulators`` and ``stagings`` list what was made.

    While ``capturing`` is true, launches are recorded in ``graph`` instead, which ``replay()`` runs.
    """
    module: Any = stand_in(state)
    module.simulators, module.stagings, module.graph = [], [], []
    module.capturing = False
    plain = module.devices()
    module.devices = lambda: [device | {"memory_bytes": 2 * 2**30} for device in plain]

    def launch(work: Any) -> None:
        if module.capturing:
            module.graph.append(work)
        else:
            work()

    def replay() -> None:
        for work in module.graph:
            work()

    module.replay = replay

    class Simulator:
        def __init__(self, *, device: int, encoding: int, precision: str, memory_limit: int, **config: Any) -> None:
            if config["modes"] == 13:
                raise ValueError("13 modes are too many for the stand-in")
            self.config = config | {"device": device, "precision": precision, "memory_limit": memory_limit}
            self.device, self._precision, self._limit = device, precision, memory_limit
            self._encoding = encoding_at(encoding)
            self.seed, self.shots = config.pop("seed"), config.pop("shots")
            self._spec = _core.ProgramSpec(
                config["modes"],
                config["input"],
                config["interferometers"],
                config["phase_layers"],
                config["phase_modes"],
                config["kind"],
                config["space"],
                config["grouping"],
                config["groups"],
                config["interference"],
            )
            self._core = _core.Simulator(self._spec, self._precision, self._limit, sampled=self.shots > 0)
            self._differentiator: Any = None
            self.output_size, self.basis_size = self._core.output_size, self._core.basis_size
            self.memory_bytes, self.tile_rows = self._core.memory_bytes, 32
            self.sampler = self._core.sampler
            self.observable_bytes = np.dtype(precision).itemsize
            self._next_id = 0
            self.streams: list[int] = []
            self.waits: list[tuple[int, float]] = []
            self.left: Failure | None = None
            self.busy = self.fails = self.closed = False
            self.closes = [True]
            module.simulators.append(self)

        def _note(self, stream: int) -> None:
            assert not self.closed
            if self.fails:
                raise module.CudaError("could not launch a kernel: cudaErrorUnknown")
            self.streams.append(stream)

        def infer(
            self,
            features: int,
            feature_bytes: int,
            feature_stride: int,
            out: int,
            out_stride: int,
            statuses: int,
            kept_fractions: int,
            rows: int,
            stream: int,
            shot_states: int = 0,
        ) -> None:
            self._note(stream)
            x = at(features, (rows, self._encoding.features), f"f{feature_bytes}", feature_stride)
            y = at(out, (rows, self.output_size), self._precision, out_stride)
            states = at(statuses, (rows,), np.uint32) if statuses else np.empty(rows, np.uint32)
            kept = at(kept_fractions, (rows,), np.float64) if kept_fractions else np.empty(rows)
            shots = at(shot_states, (rows, self.shots), np.uint32) if shot_states else None
            launch(lambda: self._compute(x, y, states, kept, shots))

        def _compute(
            self, x: np.ndarray, y: np.ndarray, states: np.ndarray, kept: np.ndarray, shots: np.ndarray | None
        ) -> None:
            for row in range(len(x)):
                number, self._next_id = self._next_id, self._next_id + 1
                states[row], wire = 0, 0
                if not np.isfinite(x[row]).all():
                    states[row] = BAD_FEATURE
                else:
                    phases = self._encoding.encode(np.ascontiguousarray(x[row : row + 1]))
                    ids = np.array([number], np.uint64)
                    try:
                        value, report = self._core.run_report(phases, ids, self.seed, self.shots)
                        y[row], kept[row] = value[0], report["kept_fraction"][0]
                        if shots is not None:  # a device leaves them in the order in which they were drawn
                            shots[row] = np.repeat(*report["counts"][0])[::-1]
                    except RuntimeError:  # nothing can be kept
                        states[row], wire = REFUSED, PROCESSOR_FAILED
                if states[row]:
                    y[row] = np.nan
                    self.left = self.left or Failure(int(states[row]), row=row, id=number, wire_status=wire)

        def vjp(
            self,
            features: int,
            feature_bytes: int,
            feature_stride: int,
            cotangents: int,
            values: int,
            phase_gradients: int,
            interferometer_gradients: int,
            rows: int,
            stream: int,
        ) -> None:
            self._note(stream)
            if self._differentiator is None:
                self._differentiator = _core.Differentiator(self._spec, self._precision, self._limit, 1)
            x = at(features, (rows, self._encoding.features), f"f{feature_bytes}", feature_stride)
            weights = at(cotangents, (rows, self.output_size), self._precision)
            value, by_phase, by_matrix = self._differentiator.pull_back(
                self._encoding.encode(np.ascontiguousarray(x)), np.array(weights)
            )
            if values:
                at(values, value.shape, self._precision)[...] = value
            at(phase_gradients, by_phase.shape, np.float64)[...] = by_phase
            if interferometer_gradients:
                flat = by_matrix.reshape(1, -1).view(np.float64)
                at(interferometer_gradients, flat.shape, np.float64)[...] = flat

        def executed(self) -> int:
            return self._next_id

        def take_failure(self) -> Failure | None:
            left, self.left = self.left, None
            return left

        def synchronize(self, stream: int, timeout: float) -> bool:
            self.waits.append((stream, timeout))
            return not self.busy

        def close(self, timeout: float) -> bool:
            assert timeout > 0
            self.closed = True
            return self.closes.pop(0) if self.closes else True

    class Staging:
        """Pinned memory, and memory of the device: apart, so that a forgotten copy shows."""

        def __init__(self, *, device: int, nbytes: int) -> None:
            self.device, self.nbytes, self.stream = device, nbytes, 7000 + len(module.stagings)
            self.host, self._device = np.full(nbytes, 0xAB, np.uint8), np.full(nbytes, 0xCD, np.uint8)
            module.stagings.append(self)

        @property
        def address(self) -> int:
            return self._device.ctypes.data

        def upload(self, first: int, count: int) -> None:
            assert first + count <= self.nbytes
            self._device[first : first + count] = self.host[first : first + count]

        def download(self, first: int, count: int) -> None:
            assert first + count <= self.nbytes
            self.host[first : first + count] = self._device[first : first + count]

    module.Simulator, module.Staging = Simulator, Staging
    return module
