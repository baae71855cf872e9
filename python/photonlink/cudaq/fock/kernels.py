"""Photonic kernels as functions that can be recorded, outside of any launch: as programs, distributions and states."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photonlink.cudaq.fock import optics, routes
from photonlink.cudaq.fock.language import WORDS
from photonlink.cudaq.fock.recording import Recording, current, recording
from photonlink.cudaq.fock.statevector import state_vector
from photonlink.errors import ProgramError
from photonlink.program import Program
from photonlink.readout import Readout

__all__ = ["call", "distribution", "program", "record", "state"]


def call(function: Callable[..., Any], args: tuple[Any, ...]) -> Recording:
    """Runs a kernel's function: into the recording of the kernel that calls it, if one does, or into a new one.

    As CUDA-Q does for its photonic target, this puts the words of the language into the module of the kernel, where
    plain functions that the kernel calls find them, too.
    """
    function.__globals__.update(WORDS)
    caller = current()
    if caller is None:
        return recording(function, args)
    function(*args)
    return caller


def record(kernel: Any, *args: Any) -> Recording:
    """What a photonic kernel does for the given arguments.

    Args:
        kernel: A function, or what ``@cudaq.kernel`` made of one.
        args: Its arguments.

    Raises:
        ProgramError: It is no such kernel, allocates no qudit, or does what no kernel may.
    """
    function = getattr(kernel, "kernelFunction", kernel)
    if not hasattr(function, "__globals__"):
        raise ProgramError(f"expected a function, or a kernel that @cudaq.kernel made of one, got {kernel!r}")
    done = call(function, args)
    if done.modes == 0:
        raise ProgramError("the kernel allocates no qudit: begin it with [qudit(level) for _ in range(modes)]")
    return done


def program(kernel: Any, *args: Any, readout: Readout | None = None) -> Program:
    """A program out of a photonic kernel: configured once, then run for many datapoints.

    Angles that are expressions of :func:`photonlink.cudaq.fock.feature` become its phases, so that only they travel
    over the link. It has all modes of the kernel; ``mz`` has no meaning for it, since the readout says what is read.

    Args:
        kernel: A photonic kernel, compiled by ``@cudaq.kernel`` or a plain function.
        args: The kernel's arguments.
        readout: What a datapoint returns; by default the probabilities of all Fock states.

    Returns:
        A program with the features x0, x1, ...: column i of a datapoint is ``feature(i)``.

    Raises:
        ProgramError: The kernel is not linear optics on a Fock state, or has no photon.

    Examples:
        >>> from photonlink.cudaq.fock import beam_splitter, create, feature, phase_shift, qudit
        >>> def interferometer_arm():
        ...     q = [qudit(2) for _ in range(2)]
        ...     create(q[0])
        ...     beam_splitter(q[0], q[1], np.pi / 4)
        ...     phase_shift(q[1], feature(0))
        ...     beam_splitter(q[0], q[1], -np.pi / 4)
        >>> arm = program(interferometer_arm)
        >>> arm.features, arm.output_keys
        (('x0',), ((1, 0), (0, 1)))
        >>> arm.simulate([[0.0], [np.pi]]).round(9).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    done = record(kernel, *args)
    sorted_out = optics.linear_optics(done)
    if isinstance(sorted_out, optics.NotLinear):
        raise ProgramError(f"the kernel is no photonic program: {sorted_out.reason}")
    chosen = Readout.probs(space="fock") if readout is None else readout
    return optics.program(sorted_out, tuple(range(done.modes)), chosen, features=done.features)


def distribution(kernel: Any, *args: Any, strict: bool = False) -> dict[str, float]:
    """Exact probabilities of what ``cudaq.sample`` counts on target ``photonlink-fock``.

    Args:
        kernel: A photonic kernel.
        args: Its arguments.
        strict: As the target's argument.

    Returns:
        Probability by text of photon numbers, in order of measurement; impossible outcomes are left out.

    Raises:
        ProgramError: The kernel cannot be executed as it is.

    Examples:
        >>> from photonlink.cudaq.fock import beam_splitter, create, mz, qudit
        >>> def two_photons():
        ...     q = [qudit(3) for _ in range(2)]
        ...     create(q[0])
        ...     create(q[1])
        ...     beam_splitter(q[0], q[1], 0.3)
        ...     mz(q)
        >>> {text: round(p, 4) for text, p in distribution(two_photons).items()}
        {'20': 0.1594, '11': 0.6812, '02': 0.1594}
    """
    return routes.distribution(record(kernel, *args), routes.Settings(strict=strict))


def state(kernel: Any, *args: Any, strict: bool = False) -> NDArray[np.complex128]:
    """The state vector of a photonic kernel, as ``cudaq.get_state`` returns it on ``orca-photonics``.

    Measurements are left out (``orca-photonics`` collapses the state at once).

    Args:
        kernel: A photonic kernel.
        args: Its arguments.
        strict: Whether to refuse what the level cuts off, instead of leaving the vector unnormalised.

    Returns:
        complex128 (level,) * qudits.

    Raises:
        ProgramError: The vector does not fit into memory, or the kernel cannot be executed as it is.
    """
    done = record(kernel, *args)
    return state_vector(done, range(done.modes), strict=strict).dense()
