"""What has to be changed in CUDA-Q 0.16 while one of our targets is selected.

* Its asynchronous launches crash the process behind an endpoint: those that an endpoint can serve run on one worker
  thread of ours, the others raise.
* Its seed cannot be read: it is noted when it is set.
* Results of ``observe`` have exact values per term only if they come from its own simulators: see
  :func:`photonlink.cudaq.results.with_terms`.
* Every launch logs a warning that endpoints have no noise model: launches show errors only, unless CUDAQ_LOG_LEVEL asks
  for more.

One thing is changed for all targets: importing Perceval turns all messages of CUDA-Q on, since both share one logging
library. The level that CUDA-Q started with is put back when it asks for its target, which it does before all else.

All changes are to the module that CUDA-Q's Python code calls into, so that every way of calling it is covered.
"""

from __future__ import annotations

import ctypes
import functools
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from photonlink.cudaq import pending, results
from photonlink.errors import ProgramError

__all__ = ["Seed", "install", "seed", "settle"]

_WARNING, _ERROR = 3, 4  # of spdlog

_UNSUPPORTED = {
    "run_async_impl": "cudaq.run_async",
    "get_state_async_impl": "cudaq.get_state_async",
    "run_impl": "cudaq.run",
    "get_state_impl": "cudaq.get_state",
    "get_state_library_mode": "cudaq.get_state",
    "get_unitary_impl": "cudaq.get_unitary",
    "draw_impl": "cudaq.draw",
    "observe_parallel_impl": "cudaq.observe(..., execution=...)",
    "launch_dem": "cudaq.dem_from_kernel",
}


class Seed:
    """The seed of CUDA-Q; ``changes`` counts how often it was set, to the same value too."""

    def __init__(self) -> None:
        self.value = secrets.randbits(64)  # until one is set, every process draws other numbers
        self.changes = 0

    def set(self, value: int) -> None:
        """Note that CUDA-Q was given `value`."""
        self.value = value % 2**64
        self.changes += 1


seed = Seed()
launcher = pending.Launcher()


def install(cudaq: Any, selected: Callable[[], str | None]) -> None:
    """Apply the changes; ``selected`` names the target of ours that is selected, if one is."""
    from cudaq.mlir._mlir_libs._quakeDialects import cudaq_runtime as runtime

    _log.find()
    _restore_level(cudaq, runtime)
    _remember_seed(cudaq, runtime)
    for name, call in _UNSUPPORTED.items():
        _refuse(runtime, name, call, selected)
    _divert(runtime, "set_noise", _refuse_noise, selected)
    _divert(runtime, "get_noise", lambda: None, selected)
    for name in ("SamplePolicy", "ObservePolicy", "launch_sample", "launch_observe"):
        _make_quiet(runtime, name, selected)
    launch_observe = runtime.launch_observe
    _divert(runtime, "launch_observe", lambda *given: results.with_terms(launch_observe(*given)), selected)
    launcher.runtime = runtime
    _divert(runtime, "sample_async_impl", launcher.sample, selected)
    _divert(runtime, "observe_async_impl", launcher.observe, selected)
    _divert(runtime, "estimate_impl", functools.partial(launcher.estimate, runtime.estimate_impl), selected)


def settle() -> None:
    """Before another target is selected: pending launches end, and CUDA-Q's log level is what it started with."""
    launcher.stop()
    _log.restore()


def _remember_seed(cudaq: Any, runtime: Any) -> None:
    original = runtime.set_random_seed

    @functools.wraps(original)
    def set_random_seed(value: int) -> None:
        original(value)
        seed.set(value)

    runtime.set_random_seed = set_random_seed
    cudaq.set_random_seed = set_random_seed


def _restore_level(cudaq: Any, runtime: Any) -> None:
    original = runtime.get_target

    @functools.wraps(original)
    def get_target(*arguments: Any) -> Any:
        _log.restore()
        return original(*arguments)

    runtime.get_target = get_target
    cudaq.get_target = get_target


def _refuse(runtime: Any, name: str, call: str, selected: Callable[[], str | None]) -> None:
    def refuse(*_arguments: Any, **_options: Any) -> Any:
        raise ProgramError(
            f"{call} does not work on target {selected()!r}, which has neither state vectors nor kernels that run "
            "shot by shot: use cudaq.sample or cudaq.observe, or another target such as 'qpp-cpu'",
            target=selected(),
        )

    _divert(runtime, name, refuse, selected)


def _refuse_noise(_model: Any) -> NoReturn:
    raise ProgramError(
        "the noise models of CUDA-Q are models of qubits, and this target simulates photons: "
        "cudaq.set_target('photonlink', noise=photonlink.Noise(...))"
    )


def _divert(runtime: Any, name: str, ours: Callable[..., Any], selected: Callable[[], str | None]) -> None:
    original = getattr(runtime, name)

    @functools.wraps(original)
    def call(*arguments: Any, **options: Any) -> Any:
        return (original if selected() is None else ours)(*arguments, **options)

    setattr(runtime, name, call)


def _make_quiet(runtime: Any, name: str, selected: Callable[[], str | None]) -> None:
    original = getattr(runtime, name)

    def call(*arguments: Any, **options: Any) -> Any:
        with _log.quiet():
            return original(*arguments, **options)

    _divert(runtime, name, call, selected)


# ---- CUDA-Q's log


class _Log:
    """The level of the log that CUDA-Q and Perceval's library share, without a way to it from Python."""

    def __init__(self) -> None:
        self._library: ctypes.CDLL | None = None
        self._level = _WARNING
        self._lock = threading.Lock()
        self._launches = 0  # that want quiet: asynchronous ones overlap with others

    def find(self) -> None:
        """Look for it among the loaded libraries; if it is not there, only messages are the worse for it."""
        try:
            library = ctypes.CDLL("libcudaq-logger.so", mode=os.RTLD_NOLOAD | os.RTLD_NOW)
            library._ZN5cudaq6detail11setLogLevelENS0_8LogLevelE.argtypes = [ctypes.c_int]
            library._ZN5cudaq6detail11setLogLevelENS0_8LogLevelE.restype = None
            library._ZN5cudaq6detail11getLogLevelEv.restype = ctypes.c_int
        except (OSError, AttributeError):
            return
        self._library = library
        self._level = library._ZN5cudaq6detail11getLogLevelEv()

    def restore(self) -> None:
        """The level that it started with, or that of launches in progress."""
        quiet = self._launches and self._level == _WARNING
        if self._library:
            self._library._ZN5cudaq6detail11setLogLevelENS0_8LogLevelE(_ERROR if quiet else self._level)

    @contextmanager
    def quiet(self) -> Iterator[None]:
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        with self._lock:
            self._launches += change
            self.restore()


_log = _Log()
