"""Builds programs out of layers: fixed interferometers and phases that features drive, in any alternation.

Examples:
    Data re-uploading: the same two features are written into two layers.

    >>> import photonlink as phl
    >>> program = (
    ...     phl.Program.layered(modes=4, input_state=[1, 0, 1, 0])
    ...     .haar(seed=1)
    ...     .phases(features=["a", "b"])
    ...     .haar(seed=2)
    ...     .phases(features=["a", "b"], modes=[2, 3], scale=0.5)
    ...     .haar(seed=3)
    ...     .build(readout=phl.Readout.probs())
    ... )
    >>> program.features, program.layers, program.output_size
    (('a', 'b'), 2, 6)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from photonlink._validate import check_unitary
from photonlink.errors import ProgramError

if TYPE_CHECKING:
    from photonlink.program import Program
    from photonlink.readout import Readout

__all__ = ["Assembler", "Encoding", "LayeredBuilder", "haar_unitary"]


@dataclass(frozen=True, eq=False)
class Encoding:
    """Features -> phases: ``phase[p] = offset[p] + sum_k weight[k] * x[feature[k]]`` over the terms of row ``p``.

    Attributes:
        row_begin: (P+1,) uint32; terms of phase p are ``row_begin[p]`` to ``row_begin[p + 1]``.
        term_feature: (T,) uint32, index into the program's features.
        term_weight: (T,) float64, radians per unit of the feature.
        offset: (P,) float64, radians.
        wrap: Whether phases are reduced to [0, 2*pi).
    """

    row_begin: NDArray[np.uint32]
    term_feature: NDArray[np.uint32]
    term_weight: NDArray[np.float64]
    offset: NDArray[np.float64]
    wrap: bool = False


@dataclass
class _Site:
    """One phase shifter under construction."""

    layer: int
    mode: int
    weights: dict[str, float] = field(default_factory=dict)
    offset: float = 0.0


class Assembler:
    """Accumulates components, in the order in which light meets them, into as few layers as possible.

    A phase that follows a fixed block can be moved in front of it when the block merely routes the phase's mode from
    one other mode. Then the phase joins the previous phase layer, and phases on one mode of one layer add up.
    """

    def __init__(self, modes: int) -> None:
        self.modes = modes
        self._interferometers: list[NDArray[np.complex128]] = []
        self._block = np.eye(modes, dtype=np.complex128)  # fixed components since the last phase layer
        self._sites: list[_Site] = []

    def fixed(self, matrix: NDArray[np.complex128], modes: Sequence[int]) -> None:
        """Appends a fixed component: ``matrix`` (k, k) acts on ``modes`` (k of them, in the matrix's order)."""
        rows = list(modes)
        self._block[rows] = matrix @ self._block[rows]

    def phase(self, mode: int, weights: Mapping[str, float], offset: float = 0.0) -> None:
        """Appends a phase shifter of ``offset + sum of weight * feature`` radians on ``mode``."""
        source = self._routed_from(mode) if self._interferometers else None
        if source is None:
            self._interferometers.append(self._block)
            self._block = np.eye(self.modes, dtype=np.complex128)
            source = mode
        site = self._site(len(self._interferometers) - 1, source)
        site.offset += offset
        for feature, weight in weights.items():
            site.weights[feature] = site.weights.get(feature, 0.0) + weight

    def finish(
        self, features: Sequence[str], *, wrap: bool = False
    ) -> tuple[NDArray[np.complex128], NDArray[np.uint32], NDArray[np.uint32], Encoding]:
        """Interferometers (L+1, m, m), layer and mode of each phase, and the encoding."""
        index = {name: k for k, name in enumerate(features)}
        terms = [(index[name], weight) for site in self._sites for name, weight in site.weights.items()]
        row_begin = np.cumsum([0, *(len(site.weights) for site in self._sites)])
        encoding = Encoding(
            row_begin=row_begin.astype(np.uint32),
            term_feature=np.array([feature for feature, _ in terms], np.uint32),
            term_weight=np.array([weight for _, weight in terms], np.float64),
            offset=np.array([site.offset for site in self._sites], np.float64),
            wrap=wrap,
        )
        layers = np.array([site.layer for site in self._sites], np.uint32)
        modes = np.array([site.mode for site in self._sites], np.uint32)
        return np.stack([*self._interferometers, self._block]), layers, modes, encoding

    def _routed_from(self, mode: int) -> int | None:
        """The mode whose light alone reaches ``mode`` through the current block, or None if modes mix.

        The test is exact on purpose: entries that were never touched are exact zeros, and nothing else is moved.
        """
        sources = np.flatnonzero(self._block[mode])
        return int(sources[0]) if sources.size == 1 else None

    def _site(self, layer: int, mode: int) -> _Site:
        for site in reversed(self._sites):
            if site.layer != layer:
                break
            if site.mode == mode:
                return site
        self._sites.append(_Site(layer, mode))
        return self._sites[-1]


class LayeredBuilder:
    """Fluent builder of programs; made by ``Program.layered``. Every method returns the builder."""

    def __init__(self, modes: int, input_state: Sequence[int]) -> None:
        self._modes = modes
        self._input_state = tuple(input_state)
        self._assembler = Assembler(modes)
        self._features: dict[str, None] = {}  # an ordered set

    def interferometer(self, unitary: ArrayLike) -> LayeredBuilder:
        """Appends a fixed interferometer.

        Args:
            unitary: (m, m) complex; column j holds the amplitudes of a photon that enters in mode j.

        Raises:
            ProgramError: If the shape is wrong or the matrix is not unitary; the message says by how much.
        """
        self._assembler.fixed(_checked_unitary(unitary, self._modes), range(self._modes))
        return self

    def haar(self, seed: int) -> LayeredBuilder:
        """Appends a Haar-random interferometer; see :func:`haar_unitary`."""
        return self.interferometer(haar_unitary(self._modes, seed))

    def mzi_mesh(self, theta: ArrayLike, phi: ArrayLike) -> LayeredBuilder:
        """Appends a rectangular mesh of Mach-Zehnder interferometers with fixed phases.

        Column c holds interferometers on modes (k, k+1) with k of the parity of c; angles are consumed column by
        column, from the top. One interferometer is beam splitter, phase ``theta`` on its upper arm, beam splitter,
        phase ``phi`` on its upper arm, with Perceval's default beam splitter.

        Args:
            theta: (m(m-1)/2,) float, radians.
            phi: (m(m-1)/2,) float, radians.

        Raises:
            ProgramError: If the number of angles does not match.
        """
        angles = np.stack([np.asarray(theta, np.float64).ravel(), np.asarray(phi, np.float64).ravel()], axis=-1)
        places = [k for column in range(self._modes) for k in range(column % 2, self._modes - 1, 2)]
        if len(angles) != len(places):
            raise ProgramError(f"a mesh of {self._modes} modes has {len(places)} interferometers, got {len(angles)}")
        splitter = np.array([[1, 1j], [1j, 1]]) / np.sqrt(2)
        for k, (inner, outer) in zip(places, np.exp(1j * angles), strict=True):
            self._assembler.fixed(np.diag([outer, 1]) @ splitter @ np.diag([inner, 1]) @ splitter, (k, k + 1))
        return self

    def phases(
        self,
        features: Sequence[str | int],
        modes: Sequence[int] | None = None,
        scale: float | Sequence[float] = 1.0,
        offset: float | Sequence[float] = 0.0,
    ) -> LayeredBuilder:
        """Appends phase shifters that features drive: ``phase = offset + scale * feature`` on each mode.

        Args:
            features: Name of the feature behind each phase; an integer k stands for the name ``"x{k}"``. New names
                become features of the program in order of appearance.
            modes: Mode of each phase; by default 0, 1, 2, ...
            scale: Radians per unit of the feature; one for all or one per phase.
            offset: Radians; one for all or one per phase.

        Raises:
            ProgramError: If lengths differ, a mode does not exist, or a number is not finite.
        """
        names = [f"x{name}" if isinstance(name, int | np.integer) else str(name) for name in features]
        places = list(range(len(names))) if modes is None else [int(mode) for mode in modes]
        if len(places) != len(names):
            raise ProgramError(f"{len(names)} features but {len(places)} modes: give one mode per feature")
        scales = _one_each("scale", scale, len(names))
        offsets = _one_each("offset", offset, len(names))
        for name, mode, weight, shift in zip(names, places, scales, offsets, strict=True):
            if not 0 <= mode < self._modes:
                raise ProgramError(f"feature {name!r} drives mode {mode}, but modes are 0 to {self._modes - 1}")
            self._features.setdefault(name)
            self._assembler.phase(mode, {name: weight}, shift)
        return self

    def build(self, readout: Readout | None = None, *, interference: bool = True, wrap: bool = False) -> Program:
        """The program.

        Args:
            readout: What a datapoint returns; by default probabilities over unbunched states.
            interference: False for fully distinguishable photons.
            wrap: Whether phases are reduced to [0, 2*pi) before they are sent.

        Raises:
            ProgramError: If the input state, the readout and the modes do not go together.
        """
        from photonlink.program import Program
        from photonlink.readout import Readout

        features = tuple(self._features)
        interferometers, layers, modes, encoding = self._assembler.finish(features, wrap=wrap)
        return Program(
            modes=self._modes,
            input_state=self._input_state,
            features=features,
            interferometers=interferometers,
            phase_layers=layers,
            phase_modes=modes,
            encoding=encoding,
            readout=Readout.probs() if readout is None else readout,
            interference=interference,
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
    if modes < 1:
        raise ProgramError(f"an interferometer needs at least 1 mode, got {modes}")
    real, imag = np.random.Generator(np.random.PCG64(seed)).standard_normal((2, modes, modes))
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


def _checked_unitary(unitary: ArrayLike, modes: int) -> NDArray[np.complex128]:
    matrix = np.array(unitary, dtype=np.complex128)
    if matrix.shape != (modes, modes):
        raise ProgramError(f"expected an interferometer of shape ({modes}, {modes}), got {matrix.shape}")
    check_unitary(matrix, "the interferometer")
    return matrix


def _one_each(name: str, values: float | Sequence[float], count: int) -> NDArray[Any]:
    numbers = np.asarray(values, np.float64)
    if numbers.ndim == 0:
        numbers = np.full(count, numbers)
    if numbers.shape != (count,):
        raise ProgramError(f"{name} must be one number or {count} of them, got shape {numbers.shape}")
    if not np.isfinite(numbers).all():
        raise ProgramError(f"{name} must be finite, got {numbers[~np.isfinite(numbers)][0]}")
    return numbers
