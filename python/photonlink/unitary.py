"""Interferometers as matrices: what counts as unitary, and Haar-random ones that are the same everywhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from photonlink import _checks
from photonlink.errors import ProgramError

__all__ = ["check_unitary", "haar_unitary"]

UNITARITY_TOLERANCE = 1e-6
"""Largest entry of ``|U^H U - 1|`` that passes: single-precision matrices do, typing errors do not."""


def check_unitary(matrix: NDArray[np.complex128], name: str) -> None:
    """Raises ProgramError if a square matrix is not unitary, and says by how much."""
    if not np.isfinite(matrix).all():
        raise ProgramError(f"{name} holds a number that is not finite")
    with np.errstate(over="ignore", invalid="ignore"):  # huge entries: the product is not finite then, nor unitary
        deviation = float(abs(matrix.conj().T @ matrix - np.eye(len(matrix))).max(initial=0.0))
    if not deviation <= UNITARITY_TOLERANCE:
        raise ProgramError(
            f"{name} is not unitary: |U^H U - 1| is {deviation:.3g} at its largest entry, expected at most "
            f"{UNITARITY_TOLERANCE:g}"
        )


def haar_unitary(modes: int, seed: int) -> NDArray[np.complex128]:
    """A unitary drawn from the Haar measure; the same seed gives the same matrix, whatever LAPACK is installed.

    It is the unitary factor, with positive diagonal of the triangular one, of a matrix of independent complex
    normals from ``numpy.random.Generator(PCG64(seed))``. The factorisation is a Gram-Schmidt process in real
    arithmetic of fixed order, run twice for orthogonality to the last bits: a library's QR rounds differently from
    machine to machine, and the digest of a program would differ with it.

    Args:
        modes: Size m of the matrix.
        seed: Any non-negative integer.

    Returns:
        (m, m) complex128.

    Examples:
        >>> u = haar_unitary(5, seed=3)
        >>> bool(abs(u.conj().T @ u - np.eye(5)).max() < 1e-15 * 10)
        True
    """
    size = _checks.modes_of(modes)
    generator = np.random.Generator(np.random.PCG64(_checks.integer("seed", seed, 0, None)))
    real, imag = generator.standard_normal((2, size, size))
    for _ in range(2):
        _orthonormalise(real, imag)
    unitary: NDArray[np.complex128] = real + 1j * imag
    return unitary


def _orthonormalise(real: NDArray[np.float64], imag: NDArray[np.float64]) -> None:
    """Modified Gram-Schmidt on the columns, in place. Sums run row by row (`accumulate`), products are never fused."""
    for j in range(real.shape[1]):
        a, b = real[:, j : j + 1], imag[:, j : j + 1]
        norm = np.sqrt(_sum_rows(a * a + b * b))
        a /= norm
        b /= norm
        c, d = real[:, j + 1 :], imag[:, j + 1 :]
        along, across = _sum_rows(a * c + b * d), _sum_rows(a * d - b * c)
        c -= a * along - b * across
        d -= a * across + b * along


def _sum_rows(values: NDArray[np.float64]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = np.add.accumulate(values, axis=0)[-1]
    return total
