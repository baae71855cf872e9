"""Functions that a ``@cudaq.kernel`` calls while it runs, answered by a photonic processor or by whom you like.

CUDA-Q's compiler lowers such a call to a frame in CUDA-Q realtime wire format; the library that comes with this package
sends it to the session, client or callback that is attached to the device that the function names. The results are
ordinary values of the kernel: they steer its ``if``, and are angles of its rotations. Kernels run on the simulators
of CUDA-Q that execute compiled code (``qpp-cpu``, ``stim``, ``density-matrix-cpu``), under ``cudaq.run``,
``run_async``, ``sample`` and ``observe``.

=========================================  ====================================================================
``photonic_infer(features, observables)``  one datapoint: fills the list of observables
``photonic_expectation(k)``                observable k of this thread's latest datapoint; costs no round trip
``photonic_sample(features)``              one datapoint of a session with ``shots=1``: position of its state
``photonic_photons(mode)``                 photons that the latest sample showed in a mode
``photonic_samples(features, photons)``    one datapoint with ``shots=``: photons of each shot in each mode
``photonlink_echo(value)``                 the value, from the controller
=========================================  ====================================================================

Examples:
    >>> import photonlink as phl
    >>> from photonlink.cudaq import device
    >>> add = device.function("addThem(i64 a, i64 b) -> i64", device=3)  # of any CUDA-Q realtime service
    >>> add
    <addThem(i64 a, i64 b) -> i64 on device 3>

A kernel must lie in a file, since CUDA-Q reads its source. ``cudaq.run`` returns floats with six digits; a callback
takes them out whole. When a call fails, CUDA-Q logs a line of its own about something else: the error is right.

.. code-block:: python

    @device.bind
    @cudaq.kernel
    def classify(features: list[float]) -> bool:
        observables = [0.0, 0.0, 0.0, 0.0]
        device.photonic_infer(features, observables)
        qubit = cudaq.qubit()
        ry(3.14 * observables[0], qubit)
        return mz(qubit)

    with phl.reserve("sim", program) as session, device.attach(session):
        cudaq.run(classify, [0.1, 0.2, 0.3, 0.4], shots_count=100)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from photonlink.cudaq.device import _compiler, _failures, _library
from photonlink.cudaq.device._attaching import Attachment, attach
from photonlink.cudaq.device._binding import bind
from photonlink.cudaq.device._callbacks import CALLBACK_DEVICE, callback
from photonlink.cudaq.device._declaration import DeviceFunction, NativeFunction
from photonlink.realtime import Signature

__all__ = [
    "CALLBACK_DEVICE",
    "Attachment",
    "DeviceFunction",
    "NativeFunction",
    "attach",
    "bind",
    "callback",
    "function",
    "library_path",
    "native",
    "photonic_expectation",
    "photonic_infer",
    "photonic_photons",
    "photonic_sample",
    "photonic_samples",
    "photonlink_echo",
]


def function(signature: str | Signature | Callable[..., Any], device: int = 0) -> DeviceFunction:
    """Declare a function that a device answers, such as one of a CUDA-Q realtime service.

    Args:
        signature: Text such as ``"get_corrections(i64 decoder, out bool[] corrections, bool reset)"``, or a Python
            function with annotations, whose body does not matter. See :class:`photonlink.realtime.Signature`.
        device: Id of the device.

    Raises:
        ProgramError: It is no signature, or CUDA-Q cannot make such a call.
    """
    return DeviceFunction(Signature.of(signature), device)


def native(signature: str | Signature | Callable[..., Any], library: str | Path | None = None) -> NativeFunction:
    """Declare a C function that kernels call directly, in nanoseconds.

    Args:
        signature: As for :func:`function`; its name is the symbol's. A list comes to C as two arguments, pointer and
            ``int64_t`` length, and may be written to; booleans and integers of less than 32 bits come as ``int``.
        library: File that defines the symbol; not needed if this process has loaded it.

    Raises:
        ProgramError: The library or the symbol is not there, or CUDA-Q cannot make such a call.

    Examples:
        >>> from photonlink.cudaq import device
        >>> device.native("labs(i64 value) -> i64")
        <native labs(i64 value) -> i64>
    """
    if library is not None:
        _library.load_symbols(Path(library))
    return NativeFunction(Signature.of(signature))


def library_path() -> Path:
    """The shared library that defines the three symbols, for programs that nvq++ builds."""
    return _library.path()


_library.load()
_failures.install(_compiler.runtime)
photonic_infer = function("photonic_infer(f64[] features, out f64[] observables)")
photonic_expectation = function("photonic_expectation(i64 index) -> f64")
photonic_sample = function("photonic_sample(f64[] features) -> i64")
photonic_samples = function("photonic_samples(f64[] features, out i8[] photons)")
photonic_photons = function("photonic_photons(i64 mode) -> i64")
photonlink_echo = function("photonlink_echo(i64 value) -> i64")
