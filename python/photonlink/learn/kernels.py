"""Fidelity kernels: how alike the light is that a photonic feature map makes of two datapoints.

k(x1, x2) = |<psi(x2)|psi(x1)>|^2, with psi(x) = U(x)|s> for the input state s (Havlicek et al., arXiv 1804.11326;
photonic: Yin et al., arXiv 2407.20364). A simulator computes psi once per datapoint, and all overlaps are one matrix
product. A chip runs U(x1), then U(x2) backwards, and counts how often all photons are where they entered: one setting
of its phases per pair.

Examples:
    >>> import numpy as np
    >>> import photonlink as phl
    >>> from photonlink.learn import FidelityKernel
    >>> x = np.random.default_rng(0).uniform(0, 1, size=(20, 4))
    >>> kernel = FidelityKernel(phl.Program.reservoir(modes=5, photons=2, features=4, seed=1))
    >>> kernel(x).shape, kernel(x[:3], x).shape
    ((20, 20), (3, 20))
    >>> kernel.settings(100), round(kernel.quantum_seconds(100, shots=1000), 1)  # of a chip, by published flat figures
    (4950, 149.5)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from photonlink import _checks, _validate
from photonlink._amplitudes import AmplitudeSimulator
from photonlink.errors import ProgramError
from photonlink.info import SessionInfo, Usage
from photonlink.learn._sessions import Keeper, Target, check_options, portable
from photonlink.learn._uncompute import Convention, return_weights, reverse, uncompute
from photonlink.program import Precision, Program
from photonlink.readout import Space

__all__ = ["FidelityKernel", "project_psd"]

# Observables of a pair that are held at a time; only one of each pair is kept.
_CHUNK_VALUES = 1 << 22


class FidelityKernel:
    """Kernel matrices of a photonic feature map.

    Exact full-Fock kernels of noiseless programs come from one amplitude vector per datapoint (``target=None``).
    Everything else is measured by :attr:`program` on a target: post-selected spaces, noise, shots. In a post-selected
    space, and with noise, k is the probability of the input state among kept events.

    A kernel matrix of a dataset with itself is symmetric; its diagonal is 1 by definition and is not measured. Sampling
    and post-selection can make such a matrix indefinite: it is then replaced by the nearest positive semidefinite one.

    Args:
        feature_map: A Program, whose features a datapoint sets; its readout is not used.
        space: Events that count: ``"fock"`` (all), ``"unbunched"`` or ``"dual_rail"``.
        target: Where pairs are measured: a target's name, or an open session of :attr:`program`. None computes from
            amplitudes where that is possible, and uses ``"sim"`` elsewhere.
        shots: Kept samples per pair; None for exact values, which no hardware has.
        seed: Of the sampling, which begins anew with each session.
        psd: Whether measured symmetric matrices are made positive semidefinite.
        convention: ``"states"`` as above. ``"merlin"``: what MerLin 0.4 computes, |<s|U(x1) U(x2)^dagger|s>|^2, which
            is the same kernel of the feature map U^dagger. With loss, that counts all events, each with the
            probability that the input state alone would end in it.
        precision: Of the simulation and of the matrices.
        memory_limit: Bytes for amplitudes: with fewer, they are computed in blocks, some of them several times. By
            default half of the machine's memory.
        threads: Of the amplitudes; by default one per usable CPU.
        options: Further options of :func:`photonlink.reserve`, e.g. ``{"preset": "belenos"}``.

    Attributes:
        method: ``"amplitudes"`` or ``"uncompute"``.
        usage: What the last session used, modelled quantum time included; None before, and without sessions.
        info: What the last session ran on; likewise.

    Raises:
        ProgramError: An argument has a wrong value, or the input state does not lie in the space.
    """

    def __init__(
        self,
        feature_map: Program,
        *,
        space: Space = "fock",
        target: Target | None = None,
        shots: int | None = None,
        seed: int = 0,
        psd: bool = True,
        convention: Convention = "states",
        precision: Precision = "float64",
        memory_limit: int | None = None,
        threads: int | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(feature_map, Program):
            raise ProgramError(
                f"feature_map is a {type(feature_map).__name__}, expected a photonlink.Program: see "
                "Program.from_perceval, Program.reservoir, and photonlink.learn.merlin_kernel for MerLin's kernels"
            )
        _checks.one_of("convention", convention, ("states", "merlin"))
        _checks.boolean("psd", psd)
        _checks.integer("seed", seed, 0, 2**64 - 1)
        if shots is not None:
            _checks.integer("shots", shots, 1, 2**32 - 1)
        check_options(options)
        self.feature_map = feature_map
        self._convention = convention
        self.shots = shots
        self.psd = psd
        self.program = uncompute(feature_map, convention, space)
        self.method = "uncompute"
        if target is None and shots is None and space == "fock" and feature_map.interference and not feature_map.noisy:
            self.method = "amplitudes"
        self._target: Target = "sim" if target is None else target
        self._states = reverse(feature_map) if convention == "merlin" else feature_map
        self._dtype = np.dtype(_validate.checked_precision(precision))
        self._limits = {"precision": precision, "memory_limit": memory_limit, "threads": threads}
        self._options = {"shots": shots, "seed": seed, "precision": precision, **(options or {})}
        self._keeper = Keeper(keep=False)

    @property
    def usage(self) -> Usage | None:
        """See the class."""
        return self._keeper.usage

    @property
    def info(self) -> SessionInfo | None:
        """See the class."""
        return self._keeper.info

    # ---- kernel matrices

    def __call__(self, x1: ArrayLike, x2: ArrayLike | None = None) -> NDArray[Any]:
        """The kernel matrix of two datasets, or of one with itself.

        Args:
            x1: (N, F) features.
            x2: (M, F) features, or None for x1.

        Returns:
            (N, M) of the kernel's precision; entry (i, j) belongs to row i of x1 and row j of x2.

        Raises:
            ProgramError: A shape is wrong, a number not finite, or memory does not suffice.
            PhotonLinkError: As :func:`photonlink.reserve` and :meth:`photonlink.Session.infer`.
        """
        first = self._rows(x1, "x1")
        second = None if x2 is None else self._rows(x2, "x2")
        if self.method == "amplitudes":
            return _overlaps(self._simulator, first, second)
        if second is not None:
            i, j = np.indices((len(first), len(second))).reshape(2, -1)
            return self._measured(first[i], second[j]).reshape(len(first), len(second))
        matrix = np.eye(len(first), dtype=self._dtype)
        i, j = np.triu_indices(len(first), k=1)
        matrix[i, j] = matrix[j, i] = self._measured(first[i], first[j])
        return project_psd(matrix) if self.psd else matrix

    def _rows(self, x: ArrayLike, name: str) -> NDArray[np.float64]:
        rows = _checks.array(name, x, np.float64)
        if rows.ndim != 2:
            raise ProgramError(f"{name} has shape {rows.shape}, expected (rows, {len(self.feature_map.features)})")
        return _validate.checked_rows(rows, self.feature_map.features)

    @cached_property
    def _simulator(self) -> AmplitudeSimulator:
        return AmplitudeSimulator(self._states, space="fock", **self._limits)  # type: ignore[arg-type]

    @cached_property
    def _weights(self) -> NDArray[np.float64]:
        """(O,) what each observable of :attr:`program` adds to the kernel."""
        return return_weights(self.feature_map, self.program, self._convention)

    def _measured(self, first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[Any]:
        """The kernel of as many pairs as there are rows, from the target."""
        weights, values = self._weights.astype(self._dtype), np.empty(len(first), self._dtype)
        if not len(first):
            return values
        step = max(1, _CHUNK_VALUES // self.program.output_size)
        with self._keeper.lend(self._target, self.program, self._options) as session:
            for begin in range(0, len(first), step):
                rows = slice(begin, begin + step)
                values[rows] = session.infer(np.concatenate([first[rows], second[rows]], axis=1)) @ weights
        return values

    # ---- what it costs on a chip

    def settings(self, n: int, m: int | None = None) -> int:
        """Phase settings that a chip needs for a kernel matrix.

        Args:
            n: Datapoints of the data set.
            m: Datapoints of the other one; by default the data set is taken with itself, where each pair comes once.
        """
        n = _checks.integer("n", n, 0, 2**63 - 1)
        return n * (n - 1) // 2 if m is None else n * _checks.integer("m", m, 0, 2**63 - 1)

    def quantum_seconds(
        self, n: int, m: int | None = None, *, shots: int | None = None, preset: str = "article"
    ) -> float:
        """Modelled time on a chip: one configuration, then an update and an acquisition per pair.

        Args:
            n: Datapoints.
            m: Datapoints of another dataset, if it is not the same.
            shots: Kept samples per pair; by default the kernel's.
            preset: Timing figures; see :mod:`photonlink.presets`.

        Raises:
            ProgramError: There is no such preset, or the number of samples is not known.
        """
        samples = self.shots if shots is None else shots
        if samples is None:
            raise ProgramError("exact kernels have no quantum time: pass shots=<kept samples per pair>")
        return self.program.fit(preset).quantum_seconds(self.settings(n, m), samples)

    # ---- one session for several matrices

    def __enter__(self) -> FidelityKernel:
        self.close()
        self._keeper = Keeper(keep=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the session that a ``with`` statement keeps open. May be repeated."""
        self._keeper.end()

    def __getstate__(self) -> dict[str, Any]:
        """Without the session and the simulator's tables, which are made anew where they are needed."""
        state = {name: value for name, value in self.__dict__.items() if name != "_simulator"}
        return {**state, "_keeper": Keeper(keep=False), "_target": portable(self._target)}


def project_psd(matrix: ArrayLike) -> NDArray[Any]:
    """The positive semidefinite matrix that is nearest to a symmetric one, in the Frobenius norm.

    Negative eigenvalues become zero (Higham 1988, doi 10.1016/0024-3795(88)90223-6).

    Args:
        matrix: (N, N) real; what is not symmetric of it is dropped.

    Returns:
        (N, N) of the same precision, exactly symmetric.

    Raises:
        ProgramError: It is not square, or holds a number that is not finite.

    Examples:
        >>> project_psd([[1.0, 2.0], [2.0, 1.0]]).round(6).tolist()
        [[1.5, 1.5], [1.5, 1.5]]
    """
    values = _checks.array("matrix", matrix, np.float64)
    single = getattr(matrix, "dtype", None) == np.float32
    if values.ndim != 2 or values.shape[0] != values.shape[1] or not np.isfinite(values).all():
        raise ProgramError(f"expected a square matrix of finite numbers, got shape {values.shape}")
    symmetric = (values + values.T) / 2
    eigenvalues, vectors = np.linalg.eigh(symmetric)
    if eigenvalues.size and eigenvalues[0] < 0:
        kept = eigenvalues > 0
        symmetric = (vectors[:, kept] * eigenvalues[kept]) @ vectors[:, kept].T
        symmetric = (symmetric + symmetric.T) / 2
    nearest: NDArray[Any] = symmetric.astype(np.float32 if single else np.float64)
    return nearest


def _overlaps(
    simulator: AmplitudeSimulator, first: NDArray[np.float64], second: NDArray[np.float64] | None
) -> NDArray[Any]:
    """|<psi_j|psi_i>|^2, in blocks of which two, and a conjugated copy, fit the simulator's limit."""
    block = simulator.rows // 3
    if block == 0:
        raise ProgramError(
            f"amplitudes of two datapoints in {simulator.basis_size} states do not fit the limit of "
            f"{simulator.memory_limit} bytes: raise memory_limit, or use fewer photons or modes"
        )
    if second is None:
        return _symmetric_overlaps(simulator, first, block)
    matrix = np.empty((len(first), len(second)), simulator.dtype.type(0).real.dtype)
    for columns in _blocks(len(second), block):
        right = simulator(second[columns]).conj().T
        for rows in _blocks(len(first), block):
            matrix[rows, columns] = _squared(simulator(first[rows]) @ right)
    return matrix


def _symmetric_overlaps(simulator: AmplitudeSimulator, x: NDArray[np.float64], block: int) -> NDArray[Any]:
    matrix = np.empty((len(x), len(x)), simulator.dtype.type(0).real.dtype)
    for columns in _blocks(len(x), block):
        right = simulator(x[columns])
        adjoint = right.conj().T
        for rows in _blocks(columns.start, block):
            matrix[rows, columns] = _squared(simulator(x[rows]) @ adjoint)
            matrix[columns, rows] = matrix[rows, columns].T
        diagonal = _squared(right @ adjoint)
        matrix[columns, columns] = (diagonal + diagonal.T) / 2  # a product rounds its two triangles differently
    np.fill_diagonal(matrix, 1)
    return matrix


def _blocks(rows: int, block: int) -> Iterator[slice]:
    return (slice(begin, min(begin + block, rows)) for begin in range(0, rows, block))


def _squared(overlaps: NDArray[Any]) -> NDArray[Any]:
    values: NDArray[Any] = overlaps.real**2 + overlaps.imag**2
    np.minimum(values, 1, out=values)  # rounding may exceed it by a few last bits
    return values
