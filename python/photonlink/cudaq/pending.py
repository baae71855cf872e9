"""Launches that CUDA-Q does not make, or makes badly, behind an endpoint.

Its asynchronous ones crash: one thread runs the synchronous ones in turn. Its estimates erase the gates before the
endpoint sees them: a sample of no shots tells what the optics of the kernel would be.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

__all__ = ["Launcher", "Pending"]


class Pending:
    """What ``cudaq.sample_async`` and ``cudaq.observe_async`` wrap or return; ``get()`` may be called repeatedly."""

    def __init__(self, future: Future[Any]) -> None:
        self._future = future

    def get(self) -> Any:
        """Wait for the result; raises what the launch raised."""
        return self._future.result()

    def __str__(self) -> str:
        return str(self._future)


class Launcher:
    """Launches kernels on a thread that starts with the first one. May be called from any thread.

    Attributes:
        runtime: CUDA-Q's native module.
    """

    def __init__(self) -> None:
        self.runtime: Any = None
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def sample(
        self, name: str, module: Any, cache: Any, shots: int, noise: Any, explicit: bool, _qpu: int, *arguments: Any
    ) -> Pending:
        """As CUDA-Q's ``sample_async_impl``."""
        if noise is not None:
            self.runtime.set_noise(noise)  # which refuses it

        return self._submit(lambda: self._sample(name, module, cache, shots, explicit, arguments))

    def observe(
        self, name: str, module: Any, cache: Any, operator: Any, qpu: int, shots: int, *arguments: Any
    ) -> Pending:
        """As CUDA-Q's ``observe_async_impl``."""

        def launch() -> Any:
            context = self.runtime.ExecutionContext("observe", max(shots, 0), qpu)
            context.setSpinOperator(operator)
            context.kernelName = name
            policy = self.runtime.ObservePolicy(context, name, operator)
            return self.runtime.launch_observe(policy, context, lambda: self._run(name, module, cache, arguments))

        return self._submit(launch)

    def estimate(self, original: Callable[..., Any], name: str, module: Any, choice: Any, *arguments: Any) -> Any:
        """As CUDA-Q's ``estimate_impl``, which is `original`."""
        cache = self.runtime.CompiledModuleCache()
        described = self._sample(name, self.runtime.cloneModule(module), cache, 0, False, arguments)
        counted = original(name, module, choice, *arguments)
        return self.runtime.EstimateResult(counted.resources, annotations=described.annotations)

    def stop(self) -> None:
        """End the thread, after all launches so far."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()  # without the lock: a launch may itself launch

    def _sample(
        self, name: str, module: Any, cache: Any, shots: int, explicit: bool, arguments: tuple[Any, ...]
    ) -> Any:
        context = self.runtime.ExecutionContext("sample", shots)
        context.kernelName = name
        context.explicitMeasurements = explicit
        policy = self.runtime.SamplePolicy(context, name, explicit)
        return self.runtime.launch_sample(policy, context, lambda: self._run(name, module, cache, arguments))

    def _run(self, name: str, module: Any, cache: Any, arguments: tuple[Any, ...]) -> Any:
        return self.runtime.marshal_and_launch_module(name, module, *arguments, cache=cache)

    def _submit(self, launch: Callable[[], Any]) -> Pending:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(1, thread_name_prefix="photonlink-cudaq")
            return Pending(self._pool.submit(launch))
