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

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from numpy.typing import ArrayLike, NDArray

from photonlink import _checks, _native, _validate
from photonlink._description import Description, Precision
from photonlink._reservoir import feature_names, photons_per_mode, spaced_state
from photonlink.builder import LayeredBuilder
from photonlink.encoding import Encoding
from photonlink.errors import ProgramError
from photonlink.fit import Fit, fit
from photonlink.noise import Detectors, Noise
from photonlink.readout import Readout
from photonlink.unitary import haar_unitary

__all__ = ["Encoding", "Precision", "Program", "spaced_state"]

_KEEP: Any = object()  # replace(): None has a meaning of its own


class Program(Description):
    """An immutable photonic program.

    Use the constructors :meth:`from_perceval`, :meth:`from_merlin`, :meth:`reservoir`, :meth:`layered`.

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
        noise: Imperfections of sources, loss and phases; None for none (an ideal :class:`photonlink.Noise` becomes
            None). See :mod:`photonlink.noise`.
        detectors: ``"pnr"`` counts the photons of each mode, ``"threshold"`` only clicks.
        min_detected_photons: Photons (clicks, for threshold detectors) that a kept event shows at least; None for as
            many as the input state has.
        phase_errors: (P,) float64, radians, read-only; the drawn error of each phase. None draws them from the noise.
    """

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
        dac_bits: int = 0,
        noise: Noise | None = None,
        detectors: Detectors | None = None,
        min_detected_photons: int | None = None,
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
                without heralds and post-selection. Noise model, detectors (all photon-number-resolving, or all
                threshold) and the filter by photon number come along.
            input_state: Photons per mode: a list, tuple or ``perceval.BasicState``.
            input_parameters: Prefixes of the names of parameters that features set, as in MerLin. Features are
                ordered as in MerLin: prefix by prefix, and within a prefix as the circuit meets them.
            readout: What a datapoint returns; by default probabilities over unbunched states.
            interference: False for fully distinguishable photons.
            wrap: Whether phases are reduced to [0, 2*pi) before they are sent.
            dac_bits: Rounds them to the steps of a converter of so many bits; see :class:`Encoding`. 0: continuous.
            noise: Instead of that of the experiment or processor; pass ``Noise()`` for none. Phase errors are those
                that Perceval draws when its ``compilation_seed`` is the noise's ``phase_seed``.
            detectors: ``"pnr"`` or ``"threshold"``, instead of those of the experiment.
            min_detected_photons: Instead of that of the experiment.

        Raises:
            ProgramError: If a parameter has no value and is no input, an angle is not linear in the inputs, or a
                component is polarised, lossy, delaying or otherwise not a fixed or phase-driven interferometer. The
                message names it.
        """
        from photonlink import _perceval

        state = _perceval.occupation(input_state)
        around = _perceval.surroundings(circuit)
        noise = around.noise if noise is None else noise
        assembler, features = _perceval.assemble(circuit, input_parameters, noise)
        return assembler.build(
            cls,
            state,
            features,
            readout,
            interference=interference,
            wrap=wrap,
            dac_bits=dac_bits,
            noise=noise,
            detectors=detectors or around.detectors,
            min_detected_photons=around.min_detected_photons if min_detected_photons is None else min_detected_photons,
        )

    @classmethod
    def from_merlin(cls, layer: Any) -> Program:
        """The program of a MerLin layer with its weights of now; see :func:`photonlink.merlin.convert`.

        Args:
            layer: A ``merlin.QuantumLayer``.

        Raises:
            ProgramError: The layer has a part that a Program cannot express, or its outputs are not those of a
                Program but other columns of them; the message says what to do.
            TargetUnavailable: This version of MerLin is not supported.
        """
        from photonlink.merlin import convert

        conversion = convert(layer)
        if conversion.layer.columns is not None:
            raise ProgramError(
                "the layer orders or adds up what a Program returns: use photonlink.merlin.convert(layer), whose "
                "program gives the outputs and whose collect(y) turns them into those of the layer"
            )
        return conversion.program

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
        dac_bits: int = 0,
        noise: Noise | None = None,
        detectors: Detectors = "pnr",
        min_detected_photons: int | None = None,
    ) -> Program:
        """A photonic reservoir: the same Haar-random interferometer before and after one column of phases.

        Feature i drives mode i and is used as radians, as in MerLin's ``ReservoirClassifier``. Photons enter in
        MerLin's "spaced" pattern. (``ReservoirClassifier`` itself spreads them from the first mode to the last; give
        ``input_state`` for that or any other pattern.)

        Args:
            modes: Number of modes.
            photons: Number of photons.
            features: Number of features, named px1, px2, ..., or their names; at most ``modes``.
            seed: Of the interferometer; see :func:`photonlink.unitary.haar_unitary`.
            readout: What a datapoint returns; by default probabilities over unbunched states.
            interference: False for fully distinguishable photons.
            scale: Radians per unit of a feature.
            input_state: Photons per mode instead of the spaced pattern.
            dac_bits: Rounds phases to the steps of a converter of so many bits; see :class:`Encoding`. 0: continuous.
            noise: Imperfections; see :mod:`photonlink.noise`.
            detectors: ``"pnr"`` or ``"threshold"``.
            min_detected_photons: Photons or clicks that a kept event shows at least; by default all photons.

        Raises:
            ProgramError: If there are more features than modes, or photons and modes do not go together.

        Examples:
            >>> Program.reservoir(modes=12, photons=3, features=12, seed=7).input_state
            (1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0)
        """
        names = feature_names(features, modes)
        state = photons_per_mode(input_state, modes, photons)
        unitary = haar_unitary(modes, seed)
        builder = cls.layered(modes, state).interferometer(unitary).phases(names, scale=scale)
        return builder.interferometer(unitary).build(
            readout,
            interference=interference,
            dac_bits=dac_bits,
            noise=noise,
            detectors=detectors,
            min_detected_photons=min_detected_photons,
        )

    @classmethod
    def layered(cls, modes: int, input_state: Sequence[int]) -> LayeredBuilder[Program]:
        """A builder of programs of any number of alternating layers; see :mod:`photonlink.builder`.

        Args:
            modes: Number of modes.
            input_state: Photons per mode; several per mode are allowed.

        Raises:
            ProgramError: If the input state does not match the modes or has no photon.
        """
        size = _checks.modes_of(modes)
        return LayeredBuilder(size, _validate.checked_state(input_state, size), cls)

    # ---- other programs, chips

    def fit(self, preset: str) -> Fit:
        """Whether, how, and how fast a chip could run this program; see :mod:`photonlink.fit`.

        Args:
            preset: Name of a preset; ``photonlink.presets.presets()`` lists them.
        """
        return fit(self, preset)

    def replace(
        self,
        *,
        readout: Readout | None = None,
        interference: bool | None = None,
        noise: Noise | None = _KEEP,
        detectors: Detectors | None = None,
        min_detected_photons: int | None = _KEEP,
    ) -> Program:
        """The same optics with another readout, other noise or detectors, or with or without interference.

        Args:
            readout: Another readout.
            interference: Whether photons interfere.
            noise: Other noise, or None for none; its phase noise must be that of this program.
            detectors: Other detectors.
            min_detected_photons: Another filter, or None for the default.

        Raises:
            ProgramError: If the parts do not go together, or phase noise would change: fixed phase shifters are part
                of the interferometers by now, so that the program has to be built anew.
        """
        if noise is _KEEP:
            noise = self.noise
        if noise is not None and not isinstance(noise, Noise):
            raise ProgramError(f"noise is {_checks.shown(noise)}, expected a photonlink.Noise, or None for none")
        if _phase_noise(noise) != _phase_noise(self.noise):
            raise ProgramError(
                "replace() cannot change phase_error, phase_imprecision or phase_seed, which are part of the optics: "
                "build the program anew with that noise"
            )
        return replace(
            self,
            readout=self.readout if readout is None else readout,
            interference=self.interference if interference is None else interference,
            noise=noise,
            detectors=self.detectors if detectors is None else detectors,
            min_detected_photons=self.min_detected_photons if min_detected_photons is _KEEP else min_detected_photons,
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
            >>> program.simulate([]).round(6).tolist()  # a full swap: both photons stay apart
            [0.0, 1.0, 0.0]
        """
        return _native.simulate(
            self, x, precision=precision, shots=shots, seed=seed, ids=ids, memory_limit=memory_limit
        )

    def __repr__(self) -> str:
        grouped = "" if self.readout.grouping is None else f"/{type(self.readout.grouping).__name__}"
        return (
            f"Program(modes={self.modes}, photons={self.photons}, features={len(self.features)}, "
            f"layers={self.layers}, readout={self.readout.kind}/{self.readout.space}{grouped}, "
            f"outputs={self.output_size}, {'noisy, ' if self.noisy else ''}digest={self.digest[:8]})"
        )


def _phase_noise(noise: Noise | None) -> tuple[float, float, int] | None:
    if noise is None or noise.perfect_phases:
        return None
    return noise.phase_error, noise.phase_imprecision, noise.phase_seed
