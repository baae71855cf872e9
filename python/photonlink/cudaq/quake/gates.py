"""Matrices of the one-qubit gates that compiled kernels are made of, with CUDA-Q's conventions."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from photonlink.cudaq.quake.circuit import Basis, Matrix

__all__ = ["BASIS_CHANGES", "matrix", "names"]


def _array(*rows: Sequence[complex]) -> Matrix:
    return np.array(rows, np.complex128)


def _rx(angle: float) -> Matrix:
    c, s = math.cos(angle / 2), math.sin(angle / 2)
    return _array((c, -1j * s), (-1j * s, c))


def _ry(angle: float) -> Matrix:
    c, s = math.cos(angle / 2), math.sin(angle / 2)
    return _array((c, -s), (s, c))


def _rz(angle: float) -> Matrix:
    return _array((cmath.exp(-0.5j * angle), 0), (0, cmath.exp(0.5j * angle)))


def _r1(angle: float) -> Matrix:
    return _array((1, 0), (0, cmath.exp(1j * angle)))


def _u3(theta: float, phi: float, lam: float) -> Matrix:
    return cmath.exp(0.5j * (phi + lam)) * (_rz(phi) @ _ry(theta) @ _rz(lam))


def _phased_rx(theta: float, phi: float) -> Matrix:
    return _rz(phi) @ _rx(theta) @ _rz(-phi)


_H = _array((1, 1), (1, -1)) / math.sqrt(2)

_FIXED: Mapping[str, Matrix] = {
    "h": _H,
    "x": _array((0, 1), (1, 0)),
    "y": _array((0, -1j), (1j, 0)),
    "z": _array((1, 0), (0, -1)),
    "s": _r1(math.pi / 2),
    "t": _r1(math.pi / 4),
}
_ROTATIONS: Mapping[str, Callable[..., Matrix]] = {
    "rx": _rx,
    "ry": _ry,
    "rz": _rz,
    "r1": _r1,
    "u2": lambda phi, lam: _u3(math.pi / 2, phi, lam),
    "u3": _u3,
    "phased_rx": _phased_rx,
}

# What has to act before a measurement of Z for it to be one of the basis.
BASIS_CHANGES: Mapping[Basis, Matrix] = {"x": _H, "y": _rx(math.pi / 2), "z": np.eye(2, dtype=np.complex128)}


def names() -> tuple[str, ...]:
    """Names of all gates."""
    return (*_FIXED, *_ROTATIONS)


def matrix(name: str, angles: Sequence[float]) -> Matrix:
    """The matrix (2, 2) of a gate; angles in radians.

    Examples:
        >>> matrix("rx", [math.pi]).round(6).tolist()
        [[0j, -1j], [-1j, 0j]]
    """
    return _FIXED[name] if name in _FIXED else _ROTATIONS[name](*angles)
