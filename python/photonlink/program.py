"""A Program: what a photonic processor is configured with, and how features become its phases.

A program is immutable. Light enters in a Fock state, passes fixed interferometers and, between them, layers of phase
shifters that features drive, and is read out. Its digest identifies it: two programs with the same digest give the
same results, and a controller that is already configured with a digest need not be configured again.

Examples:
    >>> import numpy as np
    >>> import photonlink as phl
    >>> program = phl.Program.reservoir(modes=6, photons=2, features=4, seed=7)
    >>> program
    Program(modes=6, photons=2, features=4, layers=1, readout=probabilities/unbunched, outputs=15, digest=...)
    >>> program.simulate(np.zeros((3, 4))).shape
    (3, 15)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from photonlink import _core, _storage
from photonlink._validate import check_encoding, check_unitary, checked_precision, checked_state, frozen
from photonlink.builder import Encoding, LayeredBuilder, haar_unitary
from photonlink.errors import ProgramError
from photonlink.readout import GROUPINGS, Readout

if TYPE_CHECKING:
    from photonlink.fit import Fit

__all__ = ["Encoding", "Precision", "Program", "spaced_state"]

Precision = Literal["float32", "float64"]


@dataclass(frozen=True, eq=False, repr=False)
class Program:
    """An immutable photonic program. Use the constructors :meth:`from_perceval`, :meth:`reservoir`, :meth:`layered`.

    Attributes:
        modes: Number of modes m.
        input_state: Photons per mode, m entries.
        features: Names of the F features, in the order in which a datapoint lists them.
        interferometers: (L+1, m, m) complex128, read-only, applied in this order.
        phase_layers: (P,) uint32; phase p lies between interferometers ``phase_layers[p]`` and the next one.
        phase_modes: (P,) uint32; mode of each phase.
        encoding: How features become the P phases.
        readout: What one datapoint returns.
        interference: False for fully distinguishable photons (probabilities add instead of amplitudes).
    """

    modes: int
    input_state: tuple[int, ...]
    features: tuple[str, ...]
    interferometers: NDArray[np.complex128]
    phase_layers: NDArray[np.uint32]
    phase_modes: NDArray[np.uint32]
    encoding: Encoding
    readout: Readout
    interference: bool = True

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        set_field(self, "input_state", checked_state(self.input_state, self.modes))
        set_field(self, "features", tuple(str(name) for name in self.features))
        set_field(self, "interferometers", frozen(self.interferometers, np.complex128))
        set_field(self, "phase_layers", frozen(self.phase_layers, np.uint32))
        set_field(self, "phase_modes", frozen(self.phase_modes, np.uint32))
        encoding = self.encoding
        encoding = Encoding(
            row_begin=frozen(encoding.row_begin, np.uint32),
            term_feature=frozen(encoding.term_feature, np.uint32),
            term_weight=frozen(encoding.term_weight, np.float64),
            offset=frozen(encoding.offset, np.float64),
            wrap=bool(encoding.wrap),
        )
        set_field(self, "encoding", encoding)
        if not isinstance(self.readout, Readout):
            raise ProgramError(f"readout must be a photonlink.Readout, got {self.readout!r}")
        self._check()

    def _check(self) -> None:
        shape, modes = self.interferometers.shape, self.modes
        if len(shape) != 3 or shape[0] < 1 or shape[1:] != (modes, modes):
            raise ProgramError(f"expected interferometers of shape (layers + 1, {modes}, {modes}), got {shape}")
        for index, matrix in enumerate(self.interferometers):
            check_unitary(matrix, f"interferometer {index}")
        repeated = sorted({name for name in self.features if self.features.count(name) > 1})
        if repeated:
            raise ProgramError(f"every feature needs a name of its own; given twice: {', '.join(repeated)}")
        phases = self.phase_layers.size
        if self.phase_layers.shape != (phases,) or self.phase_modes.shape != (phases,):
            raise ProgramError(f"{self.phase_layers.shape} phase layers do not match {self.phase_modes.shape} modes")
        if phases and (self.phase_layers.max() >= shape[0] - 1 or self.phase_modes.max() >= modes):
            raise ProgramError(
                f"a phase lies in layer {self.phase_layers.max()} on mode {self.phase_modes.max()}; the program has "
                f"{shape[0] - 1} phase layers and {modes} modes, both counted from 0"
            )
        check_encoding(self.encoding, phases, len(self.features))
        self.readout.output_size(modes, self.photons)  # raises if the space has no such state

    # ---- constructors

    @classmethod
    def from_perceval(
        cls,
        circuit: Any,
        input_state: Any,
        input_parameters: Sequence[str] = ("px",),
        readout: Readout | None = None,
        *,
        interference: bool = True,
        wrap: bool = False,
    ) -> Program:
        """A program from a Perceval circuit.

        Fixed components are multiplied into interferometers; phase shifters and beam splitters whose angles depend
        on input parameters become phases (a beam splitter's input-dependent ``theta`` becomes two phases between two
        fixed interferometers, exactly). Angles may be expressions that are linear in the input parameters.

        Angles are used as they are. Perceval itself reduces a parameter's value into the range that the components
        using it declare, which is the same light except for a parameter shared by a phase shifter (period 2 pi) and
        a beam splitter's ``theta`` (period 4 pi).

        Args:
            circuit: A ``perceval.Circuit`` or other unitary component, or a unitary ``Experiment`` or ``Processor``
                without heralds, post-selection and detectors.
            input_state: Photons per mode: a list, tuple or ``perceval.BasicState``.
            input_parameters: Prefixes of the names of parameters that features set, as in MerLin. Features are
                ordered as in MerLin: prefix by prefix, and within a prefix as the circuit meets them.
            readout: What a datapoint returns; by default probabilities over unbunched states.
            interference: False for fully distinguishable photons.
            wrap: Whether phases are reduced to [0, 2*pi) before they are sent.

        Raises:
            ProgramError: If a parameter has no value and is no input, an angle is not linear in the inputs, or a
                component is polarised, lossy, delaying or otherwise not a fixed or phase-driven interferometer. The
                message names it.
        """
        from photonlink import _perceval

        state = _perceval.occupation(input_state)
        assembler, features = _perceval.assemble(circuit, input_parameters)
        interferometers, layers, modes, encoding = assembler.finish(features, wrap=wrap)
        return cls(
            modes=assembler.modes,
            input_state=state,
            features=features,
            interferometers=interferometers,
            phase_layers=layers,
            phase_modes=modes,
            encoding=encoding,
            readout=Readout.probs() if readout is None else readout,
            interference=interference,
        )

    @classmethod
    def reservoir(
        cls,
        modes: int,
        photons: int,
        features: int | Sequence[str],
        seed: int = 0,
        readout: Readout | None = None,
        *,
        interference: bool = True,
        scale: float = 1.0,
        input_state: Sequence[int] | None = None,
    ) -> Program:
        """A photonic reservoir: the same Haar-random interferometer before and after one column of phases.

        Feature i drives mode i and is used as radians, as in MerLin's ``ReservoirClassifier``. Photons enter in
        MerLin's "spaced" pattern. (``ReservoirClassifier`` itself spreads them from the first mode to the last; give
        ``input_state`` for that or any other pattern.)

        Args:
            modes: Number of modes.
            photons: Number of photons.
            features: Number of features, named px1, px2, ..., or their names; at most ``modes``.
            seed: Of the interferometer; see :func:`photonlink.builder.haar_unitary`.
            readout: What a datapoint returns; by default probabilities over unbunched states.
            interference: False for fully distinguishable photons.
            scale: Radians per unit of a feature.
            input_state: Photons per mode instead of the spaced pattern.

        Raises:
            ProgramError: If there are more features than modes, or photons and modes do not go together.

        Examples:
            >>> Program.reservoir(modes=12, photons=3, features=12, seed=7).input_state
            (1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0)
        """
        if isinstance(features, int | np.integer):
            names: Sequence[str] = [f"px{k + 1}" for k in range(int(features))]
        else:
            names = features
        if not 1 <= len(names) <= modes:
            raise ProgramError(
                f"a reservoir of {modes} modes encodes 1 to {modes} features, one per mode, got {len(names)}: "
                "reduce them (for example by PCA) or use more modes"
            )
        if len(set(names)) != len(names):
            raise ProgramError(f"every feature needs a name of its own, got {list(names)}")
        state = spaced_state(modes, photons) if input_state is None else tuple(input_state)
        if sum(state) != photons:
            raise ProgramError(f"input_state {list(state)} has {sum(state)} photons, expected {photons}")
        unitary = haar_unitary(modes, seed)
        builder = cls.layered(modes, state).interferometer(unitary).phases(names, scale=scale)
        return builder.interferometer(unitary).build(readout, interference=interference)

    @classmethod
    def layered(cls, modes: int, input_state: Sequence[int]) -> LayeredBuilder:
        """A builder of programs of any number of alternating layers; see :mod:`photonlink.builder`.

        Args:
            modes: Number of modes.
            input_state: Photons per mode; several per mode are allowed.

        Raises:
            ProgramError: If the input state does not match the modes or has no photon.
        """
        return LayeredBuilder(modes, checked_state(input_state, modes))

    # ---- what it is

    @property
    def photons(self) -> int:
        """Number of photons n."""
        return sum(self.input_state)

    @property
    def layers(self) -> int:
        """Number of phase layers L; there are L + 1 interferometers."""
        return int(self.interferometers.shape[0]) - 1

    @property
    def phases_per_datapoint(self) -> int:
        """Number of phases P that one datapoint sends."""
        return int(self.phase_layers.size)

    @property
    def output_size(self) -> int:
        """Number of values per datapoint (0 for samples)."""
        return self.readout.output_size(self.modes, self.photons)

    @cached_property
    def output_keys(self) -> tuple[tuple[int, ...], ...]:
        """What each output column is about, in column order; see :meth:`photonlink.Readout.output_keys`."""
        return tuple(self.readout.output_keys(self.modes, self.photons))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the canonical bytes, encoding and readout included, as 64 hexadecimal digits."""
        return _storage.digest_of(self.to_bytes())

    @cached_property
    def spec(self) -> _core.ProgramSpec:
        """The native description that a controller is configured with (it knows phases, not features)."""
        return _core.ProgramSpec(
            self.modes,
            list(self.input_state),
            self.interferometers,
            self.phase_layers,
            self.phase_modes,
            self.readout.kind,
            self.readout.space,
            self.readout.grouping_name,
            self.readout.groups,
            self.interference,
            self.digest,
        )

    @cached_property
    def encoder(self) -> _core.Encoding:
        """The native encoder: ``encoder.encode(x)`` with x (B, F) gives the phases (B, P) float64, radians."""
        return _core.Encoding(
            len(self.features),
            self.encoding.row_begin,
            self.encoding.term_feature,
            self.encoding.term_weight,
            self.encoding.offset,
            self.encoding.wrap,
        )

    def predict_bytes(self, precision: Precision = "float64", *, sampled: bool = False) -> int:
        """Memory that simulating this program needs, in bytes, predicted without allocating any of it.

        Args:
            precision: Type of the arithmetic.
            sampled: Whether results are estimated from shots; some readouts need a distribution only then.
        """
        return int(_core.predict_bytes(self.spec, checked_precision(precision), sampled))

    def fit(self, preset: str) -> Fit:
        """Whether, how, and how fast a chip could run this program; see :mod:`photonlink.fit`.

        Args:
            preset: Name of a preset; ``photonlink.presets.presets()`` lists them.
        """
        from photonlink.fit import fit

        return fit(self, preset)

    def replace(self, *, readout: Readout | None = None, interference: bool | None = None) -> Program:
        """The same optics with another readout, or with or without interference."""
        return replace(
            self,
            readout=self.readout if readout is None else readout,
            interference=self.interference if interference is None else interference,
        )

    # ---- direct simulation

    def simulate(
        self,
        x: ArrayLike,
        *,
        precision: Precision = "float64",
        shots: int | None = None,
        seed: int = 0,
        ids: ArrayLike | None = None,
        memory_limit: int | None = None,
    ) -> NDArray[Any]:
        """Simulates datapoints directly: no link, no controller, no session, no clock.

        This is the reference that results which came over a link are compared with. It builds its tables anew in
        every call; use a session for repeated work.

        Args:
            x: (B, F) or (F,) features.
            precision: Type of the arithmetic and of the result.
            shots: Kept samples per datapoint, or None for exact results.
            seed: Of the random numbers; unused when exact.
            ids: (B,) 64-bit datapoint ids that key the random numbers; by default 0, 1, 2, ...
            memory_limit: In bytes; by default half of the machine's memory.

        Returns:
            (B, output_size) or (output_size,) array of the given precision.

        Raises:
            ProgramError: If x has the wrong number of features or is not finite, the readout is samples, or the
                simulation needs more memory than the limit.
            ProcessorError: If samples are asked for and no event of a datapoint survives post-selection. (Exact
                results of such a datapoint are all zero.)

        Examples:
            >>> program = Program.layered(2, [1, 1]).mzi_mesh([0.0], [0.0]).build(Readout.probs(space="fock"))
            >>> program.simulate(np.zeros(0)).round(6).tolist()  # a full swap: both photons stay apart
            [0.0, 1.0, 0.0]
        """
        if self.readout.kind == "samples":
            raise ProgramError("samples have no fixed size: use a session, or another readout with shots=")
        if shots is not None and not 1 <= shots < 2**32:
            raise ProgramError(f"shots must be 1 to 4294967295, or None for exact results, got {shots}")
        if not 0 <= seed < 2**64:
            raise ProgramError(f"seed must be an unsigned 64-bit integer, got {seed}")
        rows = np.asarray(x, np.float64)
        phases = self.encode(rows)
        row_ids = np.arange(len(phases), dtype=np.uint64) if ids is None else np.asarray(ids, np.uint64)
        if row_ids.shape != (len(phases),):
            raise ProgramError(f"expected {len(phases)} ids, one per datapoint, got shape {row_ids.shape}")
        limit = _half_of_memory() if memory_limit is None else memory_limit
        simulator = _core.Simulator(self.spec, checked_precision(precision), limit)
        values: NDArray[Any] = simulator.run(phases, row_ids, seed, shots or 0)
        return values if rows.ndim == 2 else values[0]

    def encode(self, x: ArrayLike) -> NDArray[np.float64]:
        """Phases of datapoints.

        Args:
            x: (B, F) or (F,) features.

        Returns:
            (B, P) float64, radians; B is 1 for a single datapoint.

        Raises:
            ProgramError: If the number of features is wrong or one is not finite.
        """
        rows = np.atleast_2d(np.asarray(x, np.float64))
        if rows.ndim != 2 or rows.shape[1] != len(self.features):
            raise ProgramError(
                f"expected datapoints of {len(self.features)} features, shape (B, {len(self.features)}) or "
                f"({len(self.features)},), got shape {np.shape(x)}; program.features lists them"
            )
        if not np.isfinite(rows).all():
            row, column = np.argwhere(~np.isfinite(rows))[0]
            raise ProgramError(f"feature {self.features[column]!r} of datapoint {row} is {rows[row, column]}")
        return np.asarray(self.encoder.encode(np.ascontiguousarray(rows)))

    # ---- storage and identity

    def to_bytes(self) -> bytes:
        """Canonical bytes: the same program gives the same bytes everywhere. Contains no code."""
        meta = {
            "modes": self.modes,
            "input_state": list(self.input_state),
            "features": list(self.features),
            "wrap": self.encoding.wrap,
            "kind": self.readout.kind,
            "space": self.readout.space,
            "grouping": self.readout.grouping_name,
            "groups": self.readout.groups,
            "interference": bool(self.interference),
        }
        encoding = self.encoding
        arrays = _storage.Arrays(
            interferometers=self.interferometers,
            phase_layers=self.phase_layers,
            phase_modes=self.phase_modes,
            row_begin=encoding.row_begin,
            term_feature=encoding.term_feature,
            term_weight=encoding.term_weight,
            offset=encoding.offset,
        )
        return _storage.pack(meta, arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> Program:
        """The program of :meth:`to_bytes`.

        Raises:
            ProgramError: If the bytes are damaged, of another version, too long, or describe no valid program.
        """
        meta, arrays = _storage.unpack(bytes(data))
        try:
            name = meta["grouping"]
            grouping = None if name == "none" else GROUPINGS[name](meta["groups"])
            return cls(
                modes=meta["modes"],
                input_state=tuple(meta["input_state"]),
                features=tuple(meta["features"]),
                interferometers=arrays.interferometers,
                phase_layers=arrays.phase_layers,
                phase_modes=arrays.phase_modes,
                encoding=Encoding(
                    arrays.row_begin, arrays.term_feature, arrays.term_weight, arrays.offset, meta["wrap"]
                ),
                readout=Readout(meta["kind"], meta["space"], grouping),
                interference=meta["interference"],
            )
        except ProgramError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise ProgramError(f"damaged program: bad metadata ({error!r})") from None

    def save(self, path: str | Path) -> None:
        """Writes the program to a file; :meth:`load` reads it."""
        Path(path).write_bytes(self.to_bytes())

    @classmethod
    def load(cls, path: str | Path) -> Program:
        """Reads a program from a file of :meth:`save`.

        Raises:
            ProgramError: If the file is not a program, is damaged or too long.
            OSError: If the file cannot be read.
        """
        return cls.from_bytes(_storage.read_limited(path))

    def __reduce__(self) -> tuple[Callable[[bytes], Program], tuple[bytes]]:
        return Program.from_bytes, (self.to_bytes(),)

    def __eq__(self, other: object) -> bool:
        return self.digest == other.digest if isinstance(other, Program) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        grouped = "" if self.readout.grouping is None else f"/{type(self.readout.grouping).__name__}"
        return (
            f"Program(modes={self.modes}, photons={self.photons}, features={len(self.features)}, "
            f"layers={self.layers}, readout={self.readout.kind}/{self.readout.space}{grouped}, "
            f"outputs={self.output_size}, digest={self.digest[:8]})"
        )


def spaced_state(modes: int, photons: int) -> tuple[int, ...]:
    """MerLin's "spaced" pattern: photon k enters in mode floor(k * modes / photons); a single one in the middle.

    Args:
        modes: Number of modes.
        photons: Number of photons, 1 to ``modes``.

    Raises:
        ProgramError: If the photons do not fit one per mode.

    Examples:
        >>> spaced_state(7, 3)
        (1, 0, 1, 0, 1, 0, 0)
    """
    if not 1 <= photons <= modes:
        raise ProgramError(
            f"{photons} photons do not fit one per mode into {modes} modes: use fewer, or give input_state"
        )
    occupied = {modes // 2} if photons == 1 else {k * modes // photons for k in range(photons)}
    return tuple(int(mode in occupied) for mode in range(modes))


def _half_of_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
