"""A layer of a network as a program: trainable optics, imperfections, and the rule from outputs to columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from photonlink._components import FixedComponent
from photonlink._measurement import Columns, Measurement
from photonlink._wires import Wires, optics
from photonlink.errors import ProgramError
from photonlink.noise import Detectors, Noise
from photonlink.program import Program
from photonlink.readout import Readout
from photonlink.trainable import TrainableProgram

__all__ = ["Imperfections", "LayerProgram", "fock_state", "layer_program", "memory_refused"]


@dataclass(frozen=True)
class Imperfections:
    """Noise, detectors and filter of a layer; see :class:`photonlink.Program`."""

    noise: Noise | None = None
    detectors: Detectors = "pnr"
    min_detected_photons: int | None = None

    @classmethod
    def keeping_all(cls, noise: Noise | None, detectors: Detectors) -> Imperfections:
        """With no filter, as in MerLin's Fock space: every event counts, however many photons were lost."""
        lossy = noise is not None and noise.brightness * noise.transmittance < 1.0
        if lossy:
            return cls(noise, detectors, 0)
        return cls(noise, detectors, 1 if detectors == "threshold" else None)

    @property
    def none(self) -> bool:
        """Whether there are no imperfections."""
        ideal = self.noise is None or self.noise.ideal
        return ideal and self.detectors == "pnr" and self.min_detected_photons is None

    def put_on(self, program: Program) -> Program:
        """The program with these imperfections."""
        if self.none:
            return program
        return program.replace(
            noise=self.noise, detectors=self.detectors, min_detected_photons=self.min_detected_photons
        )


@dataclass(frozen=True, eq=False)
class LayerProgram:
    """A layer: what it computes for values of its trainable parameters.

    Attributes:
        trainable: The optics without imperfections.
        wires: Who sets which parameter of the circuit.
        imperfections: Noise, detectors and filter.
        columns: How outputs of the program become columns of the layer; None where they are.
        amplitudes: Whether the layer returns amplitudes of the states instead of their probabilities.
    """

    trainable: TrainableProgram
    wires: Wires
    imperfections: Imperfections
    columns: Columns | None
    amplitudes: bool = False

    def program(self, values: ArrayLike) -> Program:
        """The program for parameter values (T,), radians, in the order of ``trainable.parameters``."""
        return self.imperfections.put_on(self.trainable.program(values))

    @classmethod
    def of(cls, program: Program) -> LayerProgram:
        """A layer without trainable parameters."""
        modes = tuple(range(program.modes))
        components = tuple((FixedComponent(modes, matrix),) for matrix in program.interferometers)
        trainable = TrainableProgram(program, (), components, np.zeros(0))
        imperfections = Imperfections(program.noise, program.detectors, program.min_detected_photons)
        return cls(trainable, Wires({}, (), (), program.features, {}), imperfections, None)

    def without_interference(self) -> LayerProgram:
        """The same layer with fully distinguishable photons: the control for what interference contributes."""
        base = self.trainable.base.replace(interference=False)
        return replace(self, trainable=replace(self.trainable, base=base))

    @cached_property
    def template(self) -> Program:
        """The program with all trainable parameters 0."""
        return self.imperfections.put_on(self.trainable.base)

    @property
    def output_size(self) -> int:
        """Number of columns."""
        return self.template.output_size if self.columns is None else len(self.columns.keys)

    @property
    def output_keys(self) -> tuple[tuple[int, ...], ...]:
        """What each column is about."""
        return self.template.output_keys if self.columns is None else self.columns.keys

    def collect(self, y: NDArray[Any]) -> NDArray[Any]:
        """Columns (..., output_size) of outputs (..., program outputs)."""
        return y if self.columns is None else self.columns.collect(y)


def layer_program(
    circuit: Any,
    input_state: Any,
    connected: Wires,
    measured: Measurement,
    imperfections: Imperfections,
    order: Sequence[tuple[int, ...]] | None = None,
) -> LayerProgram:
    """The layer of a circuit.

    Args:
        circuit: A Perceval circuit without noise.
        input_state: Photons per mode.
        connected: Who sets which parameter.
        measured: What the layer returns.
        imperfections: Noise, detectors and filter.
        order: Keys of the layer's outputs before any grouping, if they are to have a given order.

    Raises:
        ProgramError: The parts do not go together; see ``Program.from_perceval``.
    """
    noise = imperfections.noise
    if noise is not None and not noise.perfect_phases:
        raise ProgramError(
            "phase_error and phase_imprecision belong to a fixed circuit, and this layer's changes with its weights: "
            "leave them out, or describe the trained circuit with Program.from_perceval(..., noise=noise)"
        )
    if measured.amplitudes and not imperfections.none:
        raise ProgramError("light with noise or loss is in a mixed state, which has no amplitudes: use probabilities")
    trainable = optics(circuit, input_state, connected, measured.readout)

    def keys(readout: Readout) -> tuple[tuple[int, ...], ...]:
        return imperfections.put_on(trainable.base.replace(readout=readout)).output_keys

    readout, columns = measured.finish(keys, order)
    trainable = replace(trainable, base=trainable.base.replace(readout=readout))
    return LayerProgram(trainable, connected, imperfections, columns, measured.amplitudes)


def fock_state(state: Any) -> tuple[int, ...]:
    """Photons per mode of a list, tuple, Perceval state, or MerLin StateVector of one Fock state.

    Raises:
        ProgramError: It is a superposition, annotated, or no list of photon numbers.
    """
    from photonlink import _perceval

    if not hasattr(state, "to_dense"):
        return _perceval.occupation(state)
    amplitudes = state.to_dense().detach().cpu().numpy().reshape(-1)
    (occupied,) = np.nonzero(amplitudes)
    if len(occupied) != 1:
        raise ProgramError(
            f"input_state is a superposition of {len(occupied)} Fock states, and a Program starts from one: prepare "
            "the superposition with an interferometer in front of the circuit"
        )
    return _perceval.occupation(list(state.basis[int(occupied[0])]))


def memory_refused(what: str) -> ProgramError:
    """The error for a builder or layer of MerLin with memristive phase shifters."""
    return ProgramError(
        f"{what} has memristive phase shifters, whose phases depend on earlier outputs, and a Program has no memory: "
        "make their states inputs, and compute them between the calls"
    )
