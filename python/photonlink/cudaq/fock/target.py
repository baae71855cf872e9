"""Target ``photonlink-fock``: CUDA-Q's photonic kernels on a photonic processor.

Photonic kernels are not compiled. CUDA-Q hands them to a handler, which calls their function and records what it does;
then the handler launches an empty compiled kernel, so that the launch, with its shots, reaches the endpoint.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from photonlink import _checks
from photonlink.controller import Controller
from photonlink.cudaq.arguments import Argument, choice
from photonlink.cudaq.fock.kernels import call
from photonlink.cudaq.fock.recording import Recording, current
from photonlink.cudaq.fock.routes import Settings, sample
from photonlink.cudaq.hooks import Seed, seed
from photonlink.cudaq.options import ARGUMENTS as QUBIT_ARGUMENTS
from photonlink.cudaq.options import checked_with_chip
from photonlink.errors import ProgramError
from photonlink.targets import overridden, require

__all__ = ["ARGUMENTS", "NAME", "Endpoint", "Handler", "build"]

NAME = "photonlink-fock"
_OF_QUBITS = f"target {NAME!r} runs photonic kernels only, of qudits: use target 'photonlink' for kernels of qubits"


def build(arguments: dict[str, Any]) -> Any:
    """A ``cudaq._experimental.CustomTarget``.

    Args:
        arguments: Of ``cudaq.set_target``; :data:`ARGUMENTS` lists them.

    Raises:
        ProgramError: An argument is unknown, or of a wrong type or value; the message lists the valid ones.
        TargetUnavailable: The controller that ``qsc`` names cannot be used here.
    """
    from cudaq import handlers
    from cudaq._experimental import CompileTarget, CustomTarget

    values = checked_with_chip(NAME, ARGUMENTS, arguments)
    used = overridden(values["qsc"])[0]
    require(used, shots=1)
    if values["seed"] is not None:
        seed.set(values["seed"])
    controller = Controller() if used == "sim" else None  # private: the shared one may be in use
    session = {name: values[name] for name in ("clock", "preset", "precision", "timeout")} | {"controller": controller}
    settings = Settings(values["qsc"], values["strict"], values["memory_limit"], values["noise"], session)
    endpoint = Endpoint(settings, seed)
    handlers.TARGET_HANDLERS[NAME] = Handler(endpoint)
    return CustomTarget(endpoint, CompileTarget())


ARGUMENTS: Mapping[str, Argument] = {
    "strict": Argument(
        "True to refuse what photons would not do, e.g. a too small level; False for orca-photonics' semantics",
        choice(True, False),
        False,
    ),
    **{name: QUBIT_ARGUMENTS[name] for name in ("qsc", "noise", "precision", "seed", "preset", "clock")},
    "timeout": Argument("seconds per launch", lambda value: _checks.seconds("timeout", value) or None, None),
    "memory_limit": Argument(
        "bytes that a state vector may take; by default half of the machine's memory",
        lambda value: _checks.integer("memory_limit", value, 1, 2**63 - 1),
        None,
    ),
}


class Endpoint:
    """What samples the kernel that the handler has just recorded."""

    is_simulator = True
    is_remote = False
    is_emulated = False
    supports_jit = False  # the launched kernel is empty

    def __init__(self, settings: Settings, seed: Seed) -> None:
        self._settings = settings
        self._seeds = _Seeds(seed)
        self._recorded = threading.local()
        self._one_session = threading.Lock()

    def expect(self, kernel: Recording | None) -> None:
        """The kernel that the next launch of this thread means; None to forget it."""
        self._recorded.kernel = kernel

    def sample(self, _module: Any, _args: Any, *, shots_count: int, **_options: Any) -> Any:
        """Serves ``cudaq.sample``; counts are in order of measurement, whether that was asked for or not."""
        import cudaq

        kernel = getattr(self._recorded, "kernel", None)
        if kernel is None:
            raise ProgramError(_OF_QUBITS)
        with self._one_session:
            counts, annotations = sample(kernel, self._settings, shots_count, self._seeds.next())
        return cudaq.SampleResult(counts, annotations=annotations)

    def release(self) -> None:
        """Close the private controller; no session outlives a launch."""
        controller = self._settings.session.get("controller")
        if controller is not None:
            controller.close()


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


def _recorded(function: Callable[..., Any], args: Any) -> Recording:
    from cudaq.kernel_types import KernelTypeError

    try:
        return call(function, args)
    except KernelTypeError as error:  # what CUDA-Q's types of qubits raise when they are called as Python
        raise ProgramError(f"{_OF_QUBITS} ({error})") from None


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
        self._endpoint.expect(_recorded(function, args))
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
