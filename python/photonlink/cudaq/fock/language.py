"""CUDA-Q's photonic kernel language, recorded: the words of its own ``orca-photonics`` target, and two more.

A kernel for either target uses ``qudit``, ``create``, ``plus``, ``annihilate``, ``phase_shift``, ``beam_splitter`` and
``mz`` without importing them: the target puts them into the kernel's module when the kernel is called. Importing them
from here is the same, and pleases linters. ``interferometer`` and ``feature`` are additions and have to be imported;
they work on both targets.

A word that ``orca-photonics`` would silently misread is an error here: an angle that is not finite, a measurement
result used as a number (there it is always 0), a second measurement of a qudit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike

from photonlink import _checks
from photonlink.cudaq.fock.angle import checked_angle
from photonlink.cudaq.fock.mesh import mesh
from photonlink.cudaq.fock.recording import (
    BeamSplitter,
    Interferometer,
    PhaseShift,
    Recording,
    Shift,
    ShiftKind,
    current,
)
from photonlink.errors import ProgramError
from photonlink.unitary import check_unitary

__all__ = [
    "WORDS",
    "Outcome",
    "Qudit",
    "annihilate",
    "beam_splitter",
    "create",
    "interferometer",
    "mz",
    "phase_shift",
    "plus",
    "qudit",
]

MAX_LEVEL = 256  # a mode's photon number is one byte on the link


@dataclass(frozen=True, slots=True)
class Qudit:
    """One mode of light in a kernel; made by :func:`qudit`.

    Attributes:
        level: Its dimension: it holds ``level - 1`` photons at most.
        id: Its number, counted from 0.
    """

    level: int
    id: int
    _kernel: Recording = field(repr=False, compare=False)


class Outcome:
    """A measurement in a kernel. Its result exists only after the kernel, in the counts of ``cudaq.sample``."""

    def _refuse(self, *_: object) -> NoReturn:
        raise ProgramError(
            "the result of mz() was used inside the kernel, but photonic kernels are sampled after they have ended: "
            "read the counts of cudaq.sample instead"
        )

    __bool__ = __int__ = __float__ = __index__ = __eq__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _refuse
    __hash__ = None  # type: ignore[assignment]


def _kernel(word: str) -> Recording:
    kernel = current()
    if kernel is None:
        raise ProgramError(
            f"{word}() was called outside a photonic kernel: call it in a @cudaq.kernel that cudaq.sample runs on "
            "target 'photonlink-fock', or that photonlink.cudaq.fock.program() is given"
        )
    return kernel


def _mode(word: str, target: Any, kernel: Recording) -> int:
    if not isinstance(target, Qudit):
        hint = f": call {word}() for each of them" if isinstance(target, list | tuple) else ""
        raise ProgramError(f"{word}() acts on a qudit, got {target!r}{hint}")
    if target._kernel is not kernel:
        raise ProgramError(f"{word}() got {target!r}, which belongs to another call of a kernel")
    return target.id


def qudit(level: int) -> Qudit:
    """Allocate a mode in the vacuum state.

    Args:
        level: Dimension, 2 to 256; the same for all qudits of a kernel.

    Raises:
        ProgramError: The level is no such integer, or differs from that of the kernel's other qudits.
    """
    kernel = _kernel("qudit")
    number = _checks.integer("the level of a qudit", level, 2, MAX_LEVEL)
    if kernel.level is not None and kernel.level != number:
        raise ProgramError(f"qudit({number}) in a kernel of level {kernel.level}: all qudits must have the same level")
    kernel.level = number
    kernel.modes += 1
    return Qudit(number, kernel.modes - 1, kernel)


def _shift(kind: ShiftKind, target: Any) -> None:
    kernel = _kernel(kind)
    kernel.apply(Shift(kind, _mode(kind, target, kernel)))


def create(qudit: Qudit) -> None:
    """``|n> -> |n+1>``, and the highest state stays: a shift, not a ladder operator, so without sqrt(n + 1)."""
    _shift("create", qudit)


def plus(qudit: Qudit) -> None:
    """``|n> -> |n+1>``, and the highest state becomes the vacuum."""
    _shift("plus", qudit)


def annihilate(qudit: Qudit) -> None:
    """``|n> -> |n-1>``, and the vacuum stays: a shift, not a ladder operator."""
    _shift("annihilate", qudit)


def phase_shift(qudit: Qudit, phi: Any) -> None:
    """``exp(i * phi * n)``.

    Args:
        qudit: The mode.
        phi: Radians, or an expression of :func:`photonlink.cudaq.fock.feature`.
    """
    kernel = _kernel("phase_shift")
    kernel.apply(PhaseShift(_mode("phase_shift", qudit, kernel), checked_angle(phi, "phi of phase_shift()")))


def beam_splitter(q: Qudit, r: Qudit, theta: Any) -> None:
    """``q+ -> cos(theta) q+ - sin(theta) r+`` and ``r+ -> sin(theta) q+ + cos(theta) r+`` of the creation operators.

    Args:
        q: First mode.
        r: Second mode.
        theta: Radians, or an expression of :func:`photonlink.cudaq.fock.feature`; pi/4 splits evenly.

    Raises:
        ProgramError: The two are the same qudit, or an argument is none that the language has.
    """
    kernel = _kernel("beam_splitter")
    first, second = _mode("beam_splitter", q, kernel), _mode("beam_splitter", r, kernel)
    if first == second:
        raise ProgramError(f"beam_splitter() needs two different qudits, got qudit {first} twice")
    kernel.apply(BeamSplitter(first, second, checked_angle(theta, "theta of beam_splitter()")))


def mz(qudits: Any, register_name: str = "") -> Outcome | list[Outcome]:
    """Count the photons of one qudit or of a list of them.

    Counts of ``cudaq.sample`` are keyed by the photon numbers in order of measurement, as digits. What is applied to a
    qudit after its measurement still comes before it, since all is measured at the end; strict targets refuse that.

    Args:
        qudits: A qudit, or a list of them.
        register_name: Accepted as by CUDA-Q, which ignores it for qudits, too.

    Returns:
        A placeholder per qudit, which has no value in the kernel.

    Raises:
        ProgramError: A qudit was measured before.
    """
    del register_name
    kernel = _kernel("mz")
    for target in qudits if isinstance(qudits, list) else [qudits]:
        mode = _mode("mz", target, kernel)
        if mode in kernel.measured:
            raise ProgramError(f"qudit {mode} is measured twice: a photon is counted only once")
        kernel.measured.append(mode)
    return [Outcome() for _ in qudits] if isinstance(qudits, list) else Outcome()


def interferometer(unitary: ArrayLike, qudits: Sequence[Any]) -> None:
    """Apply a fixed interferometer to several qudits; on ``orca-photonics``, as a mesh of beam splitters and phases.

    Args:
        unitary: (k, k) complex; column j holds the amplitudes of a photon that enters in ``qudits[j]``.
        qudits: k different qudits.

    Raises:
        ProgramError: The matrix does not match the qudits or is not unitary, or a qudit comes twice.
    """
    matrix = np.array(unitary, np.complex128)
    targets = list(qudits)
    if not targets or matrix.shape != (len(targets), len(targets)):
        raise ProgramError(f"interferometer() got a matrix of shape {matrix.shape} for {len(targets)} qudits")
    check_unitary(matrix, "the interferometer")
    kernel = current()
    if kernel is None:
        _interferometer_on_orca(matrix, targets)
        return
    modes = tuple(_mode("interferometer", target, kernel) for target in targets)
    if len(set(modes)) < len(modes):
        raise ProgramError(f"interferometer() needs different qudits, got qudits {list(modes)}")
    matrix.setflags(write=False)
    kernel.apply(Interferometer(modes, matrix))


def _interferometer_on_orca(matrix: Any, targets: list[Any]) -> None:
    if type(targets[0]).__module__ != "cudaq.handlers.photonics_kernel":
        _kernel("interferometer")  # raises
    from cudaq.handlers import photonics_kernel as orca

    for part in mesh(matrix, range(len(targets))):
        if isinstance(part, PhaseShift):
            orca.phase_shift(targets[part.mode], part.phase)
        else:
            orca.beam_splitter(targets[part.first], targets[part.second], part.theta)


WORDS = {word.__name__: word for word in (qudit, create, plus, annihilate, phase_shift, beam_splitter, mz)}
"""What a photonic target puts into the module of a kernel."""
