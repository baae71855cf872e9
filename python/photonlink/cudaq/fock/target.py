"""Target ``photonlink-fock``: CUDA-Q's photonic kernels on a photonic processor.

Photonic kernels are not compiled. CUDA-Q hands them to a handler, which calls their function and records what it does;
then the handler launches an empty compiled kernel, so that the launch, with its shots, reaches the endpoint.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from photonlink import _options
from photonlink.cudaq.arguments import Argument, checked, choice
from photonlink.cudaq.fock import routes
from photonlink.cudaq.fock.kernels import call
from photonlink.cudaq.fock.recording import Recording, current
from photonlink.cudaq.hooks import Seed, seed
from photonlink.errors import ProgramError
from photonlink.presets import preset
from photonlink.targets import require

__all__ = ["NAME", "Endpoint", "Handler", "build"]

NAME = "photonlink-fock"


def build(arguments: dict[str, Any]) -> Any:
    """The target, a ``cudaq._experimental.CustomTarget``, for the given arguments; see ``_ARGUMENTS``."""
    from cudaq import handlers
    from cudaq._experimental import CompileTarget, CustomTarget

    values = checked(NAME, _ARGUMENTS, arguments)
    require(values["qsc"], shots=1)
    session = {name: values[name] for name in ("clock", "preset", "timeout", "token") if values[name] is not None}
    endpoint = Endpoint(routes.Settings(values["qsc"], values["strict"], values["memory_limit"], session), seed)
    handlers.TARGET_HANDLERS[NAME] = Handler(endpoint)
    return CustomTarget(endpoint, CompileTarget())


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value


_ARGUMENTS = {
    "qsc": Argument("where to run, a target of photonlink.reserve", _text, "sim"),
    "strict": Argument(
        "True to refuse what photons would not do, e.g. a too small level; False for orca-photonics' semantics",
        choice(True, False),
        False,
    ),
    "clock": Argument("'virtual', 'realtime' or 'none'", choice("virtual", "realtime", "none"), None),
    "preset": Argument("name of a timing preset", lambda value: preset(_text(value)).name, None),
    "timeout": Argument("seconds per launch", lambda value: _options.seconds("timeout", value) or None, None),
    "memory_limit": Argument(
        "bytes that a state vector may take; by default half of the machine's memory",
        lambda value: _options.integer("memory_limit", value, 1, 2**63 - 1),
        None,
    ),
    "token": Argument("bearer token of a controller service", _text, None),
}


class Endpoint:
    """What samples the kernel that the handler has just recorded."""

    is_simulator = True
    is_remote = False
    is_emulated = False
    supports_jit = False  # the launched kernel is empty

    def __init__(self, settings: routes.Settings, seed: Seed) -> None:
        self._settings = settings
        self._seeds = _Seeds(seed)
        self._recorded = threading.local()

    def expect(self, kernel: Recording | None) -> None:
        """The kernel that the next launch of this thread means; None to forget it."""
        self._recorded.kernel = kernel

    def sample(self, _module: Any, _args: Any, *, shots_count: int, **_options: Any) -> Any:
        """Serves ``cudaq.sample``; counts are in order of measurement, whether that was asked for or not."""
        import cudaq

        kernel = getattr(self._recorded, "kernel", None)
        if kernel is None:
            raise ProgramError(
                f"target {NAME!r} runs photonic kernels only, of qudits: use target 'photonlink' for kernels of qubits"
            )
        counts, annotations = routes.sample(kernel, self._settings, shots_count, self._seeds.next())
        return cudaq.SampleResult(counts, annotations=annotations)

    def release(self) -> None:
        """Nothing to do: no session outlives a launch."""


class _Seeds:
    """One seed per launch: the same ones again after the same ``cudaq.set_random_seed``, and from the OS without it."""

    def __init__(self, seed: Seed) -> None:
        self._seed = seed
        self._changes = -1
        self._sequence: Any = None

    def next(self) -> int:
        if self._changes != self._seed.changes:
            self._changes = self._seed.changes
            entropy = self._seed.value if self._changes else None
            self._sequence = np.random.SeedSequence(entropy)
        return int(self._sequence.spawn(1)[0].generate_state(1, np.uint64)[0])


class Handler:
    """How CUDA-Q calls kernels on this target; the methods are those of its ``TargetHandler``."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def skip_compilation(self) -> bool:
        """Photonic kernels are Python functions."""
        return True

    def call_processed(self, function: Callable[..., Any] | None, args: Any) -> bool:
        """Records a call of a kernel, and launches it unless another kernel called it.

        Raises:
            ProgramError: It cannot be recorded, or was not called by ``cudaq.sample``.
        """
        if function is None:
            raise ProgramError(f"target {NAME!r} takes kernels that were made of Python functions by @cudaq.kernel")
        if current() is not None:
            call(function, args)
            return True
        self._endpoint.expect(call(function, args))
        try:
            self._empty()
        except RuntimeError as error:
            if "not supported when manually setting a runtime endpoint" not in str(error):
                raise
            raise ProgramError(
                f"photonic kernels run on target {NAME!r} through cudaq.sample only; "
                "photonlink.cudaq.fock has state(kernel), distribution(kernel) and program(kernel) besides"
            ) from None
        finally:
            self._endpoint.expect(None)
        return True

    @cached_property
    def _empty(self) -> Any:
        import cudaq

        return cudaq.make_kernel()
