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

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from photonlink import _checks
from photonlink._assembler import Assembler
from photonlink.errors import ProgramError
from photonlink.noise import Detectors, Noise
from photonlink.readout import Readout
from photonlink.unitary import check_unitary, haar_unitary

__all__ = ["LayeredBuilder", "haar_unitary"]

Built = TypeVar("Built")


class LayeredBuilder(Generic[Built]):
    """Fluent builder of programs; made by ``Program.layered``. Every method returns the builder.

    ``Program.layered`` hands its constructor over, so that programs know of builders and not the reverse.
    """

    def __init__(self, modes: int, input_state: Sequence[int], make: Callable[..., Built]) -> None:
        self._modes = modes
        self._input_state = tuple(input_state)
        self._make = make
        self._assembler = Assembler(modes)
        self._features: dict[str, None] = {}  # an ordered set

    def interferometer(self, unitary: ArrayLike) -> LayeredBuilder[Built]:
        """Appends a fixed interferometer.

        Args:
            unitary: (m, m) complex; column j holds the amplitudes of a photon that enters in mode j.

        Raises:
            ProgramError: If the shape is wrong or the matrix is not unitary; the message says by how much.
        """
        self._assembler.fixed(_checked_unitary(unitary, self._modes), range(self._modes))
        return self

    def haar(self, seed: int) -> LayeredBuilder[Built]:
        """Appends a Haar-random interferometer; see :func:`photonlink.unitary.haar_unitary`."""
        return self.interferometer(haar_unitary(self._modes, seed))

    def mzi_mesh(self, theta: ArrayLike, phi: ArrayLike) -> LayeredBuilder[Built]:
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
        places = [k for column in range(self._modes) for k in range(column % 2, self._modes - 1, 2)]
        angles = np.stack([_angles("theta", theta, len(places)), _angles("phi", phi, len(places))], axis=-1)
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
    ) -> LayeredBuilder[Built]:
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
        given = _checks.listed("features", features, "a list of names or numbers")
        numbered = [f"x{name}" if isinstance(name, int | np.integer) else name for name in given]
        names = _checks.names("features", numbered)
        places = list(range(len(names))) if modes is None else _checks.listed("modes", modes, "a list of modes")
        if len(places) != len(names):
            raise ProgramError(f"{len(names)} features but {len(places)} modes: give one mode per feature")
        scales = _one_each("scale", scale, len(names))
        offsets = _one_each("offset", offset, len(names))
        for name, mode, weight, shift in zip(names, places, scales, offsets, strict=True):
            place = _checks.integer(f"the mode that feature {name!r} drives", mode, 0, self._modes - 1)
            self._features.setdefault(name)
            self._assembler.phase(place, {name: weight}, shift)
        return self

    def build(
        self,
        readout: Readout | None = None,
        *,
        interference: bool = True,
        wrap: bool = False,
        dac_bits: int = 0,
        noise: Noise | None = None,
        detectors: Detectors = "pnr",
        min_detected_photons: int | None = None,
    ) -> Built:
        """The program.

        Args:
            readout: What a datapoint returns; by default probabilities over unbunched states.
            interference: False for fully distinguishable photons.
            wrap: Whether phases are reduced to [0, 2*pi) before they are sent.
            dac_bits: Rounds them to the steps of a converter of so many bits; see :class:`photonlink.program.Encoding`.
            noise: Imperfections; see :mod:`photonlink.noise`. Phase noise acts on the phases that features drive, of
                which several on one mode of one layer are one phase shifter.
            detectors: ``"pnr"`` or ``"threshold"``.
            min_detected_photons: Photons or clicks that a kept event shows at least; by default all photons.

        Raises:
            ProgramError: If the input state, the readout and the modes do not go together.
        """
        return self._assembler.build(
            self._make,
            self._input_state,
            tuple(self._features),
            readout,
            interference=interference,
            wrap=wrap,
            dac_bits=dac_bits,
            noise=noise,
            detectors=detectors,
            min_detected_photons=min_detected_photons,
        )


def _checked_unitary(unitary: ArrayLike, modes: int) -> NDArray[np.complex128]:
    matrix = _checks.array("the interferometer", unitary, np.complex128)
    if matrix.shape != (modes, modes):
        raise ProgramError(f"expected an interferometer of shape ({modes}, {modes}), got {matrix.shape}")
    check_unitary(matrix, "the interferometer")
    return matrix


def _angles(name: str, values: ArrayLike, count: int) -> NDArray[Any]:
    angles = _checks.array(name, values, np.float64).ravel()
    if len(angles) != count:
        raise ProgramError(f"{name} has {len(angles)} angles, expected one for each of {count} interferometers")
    if not np.isfinite(angles).all():
        raise ProgramError(f"{name} must be finite, got {angles[~np.isfinite(angles)][0]}")
    return angles


def _one_each(name: str, values: float | Sequence[float], count: int) -> NDArray[Any]:
    numbers = _checks.array(name, values, np.float64)
    if numbers.ndim == 0:
        numbers = np.full(count, numbers)
    if numbers.shape != (count,):
        raise ProgramError(f"{name} must be one number or {count} of them, got shape {numbers.shape}")
    if not np.isfinite(numbers).all():
        raise ProgramError(f"{name} must be finite, got {numbers[~np.isfinite(numbers)][0]}")
    return numbers
