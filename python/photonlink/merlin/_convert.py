"""MerLin quantum layers as photonlink programs, with the same weights and the same outputs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photonlink import _perceval
from photonlink._layers import Imperfections, LayerProgram, fock_state, layer_program, memory_refused
from photonlink._measurement import measurement
from photonlink._wires import wires
from photonlink.errors import ProgramError, TargetUnavailable, Unavailable
from photonlink.noise import Detectors, Noise
from photonlink.program import Program

__all__ = ["Conversion", "check_version", "convert", "weights"]

_SUPPORTED = "merlinquantum>=0.4.2,<0.5"


@dataclass(frozen=True, eq=False)
class Conversion:
    """A MerLin layer as a photonlink layer, with the weights that it had when it was converted.

    Attributes:
        layer: The layer for any weights.
        values: (T,) float64, radians: its trainable parameters, in the order of ``layer.trainable.parameters``.
    """

    layer: LayerProgram
    values: NDArray[np.float64]

    @cached_property
    def program(self) -> Program:
        """The program for these weights. Its features are those of the layer, in the same order."""
        return self.layer.program(self.values)

    @property
    def output_size(self) -> int:
        """Number of columns that the layer returns."""
        return self.layer.output_size

    @property
    def output_keys(self) -> tuple[tuple[int, ...], ...]:
        """What each column is about; after a grouping, its index."""
        return self.layer.output_keys

    def collect(self, y: NDArray[Any]) -> NDArray[Any]:
        """What the layer returns, (..., output_size), from outputs (..., O) of :attr:`program`.

        Outputs and columns are mostly the same. They differ for lossy or click-detected photons, whose states MerLin
        lists in another order, and for partial measurements and occupancy readouts, which add up probabilities.
        """
        return self.layer.collect(y)


def convert(layer: Any) -> Conversion:
    """The program behind a MerLin layer, and the rule from its outputs to what the layer returns.

    Weights are read now: convert again after training. A partial measurement gives its probabilities (``.tensor``);
    the amplitudes of the light that was not measured exist in a simulation only.

    Args:
        layer: A ``merlin.QuantumLayer``.

    Raises:
        ProgramError: It is no such layer, or has a part that a Program cannot express; the message names it.
        TargetUnavailable: This version of MerLin is not supported.

    Examples:
        >>> import merlin, torch
        >>> layer = merlin.QuantumLayer.simple(input_size=3).quantum_layer
        >>> conversion = convert(layer)
        >>> x = torch.rand(5, 3)
        >>> bool(np.abs(conversion.program.simulate(x) - layer(x).detach().numpy()).max() < 1e-5)
        True
    """
    check_version()
    import merlin

    if not isinstance(layer, merlin.QuantumLayer):
        raise ProgramError(
            f"expected a merlin.QuantumLayer, got {type(layer).__module__}.{type(layer).__qualname__}: convert the "
            "quantum layers inside it, one by one"
        )
    if len(layer.memristive_state) > 0:
        raise memory_refused("the layer")
    space = layer.computation_space.value
    connected = wires(layer.circuit, layer.trainable_parameters, layer.input_parameters, layer.angle_encoding_specs)
    measured = measurement(layer.measurement_strategy, layer.circuit.m, space)
    if measured.amplitudes:
        raise ProgramError(
            "MeasurementStrategy.amplitudes() returns what no detector can measure, and a Program cannot express it: "
            "use MeasurementStrategy.probs(...); photonlink.torch.QuantumLayer simulates amplitudes"
        )
    imperfections = _imperfections(layer, space)
    if measured.modes is not None and not imperfections.none:
        raise ProgramError("a partial measurement with threshold detectors has no Program: use detectors that count")
    plain = imperfections.none or measured.readout.kind == "mode_expectations"
    order = None if plain or measured.modes is not None or measured.occupancy else list(layer.output_keys)
    state = fock_state(layer.input_state)
    program = layer_program(layer.circuit, state, connected, measured, imperfections, order)
    return Conversion(program, weights(layer, program))


def check_version() -> None:
    """Raises TargetUnavailable unless a supported version of MerLin is installed."""
    try:
        found = version("merlinquantum")  # merlin.__version__ of 0.4.2 says 0.4.1
    except PackageNotFoundError:
        raise TargetUnavailable(
            f"MerLin is not installed: pip install '{_SUPPORTED}'", reason=Unavailable.NOT_INSTALLED
        ) from None
    numbers = tuple(int(part) for part in re.findall(r"\d+", found)[:3])
    if not (0, 4, 2) <= numbers < (0, 5):
        raise TargetUnavailable(
            f"MerLin {found} is installed, which photonlink has not been checked with: pip install '{_SUPPORTED}'",
            reason=Unavailable.NOT_INSTALLED,
        )


def weights(layer: Any, program: LayerProgram) -> NDArray[np.float64]:
    """The layer's weights, in the order of the program's parameters."""
    vectors = {p: layer.get_parameter(p).detach().cpu().numpy() for p in program.wires.sizes}
    return np.array([vectors[prefix][place] for prefix, place in program.wires.sources], np.float64)


def _imperfections(layer: Any, space: str) -> Imperfections:
    """Noise and detectors; MerLin keeps every event in the Fock space, however many photons were lost."""
    noise = None if layer.noise is None else Noise.from_perceval(layer.noise)
    lossy = noise is not None and noise.brightness * noise.transmittance < 1.0
    if lossy and space != "fock":
        raise ProgramError(
            f"MerLin renormalises within the space {space!r} before photons are lost, which no device does: use "
            "ComputationSpace.FOCK, or describe the layer with photonlink.torch.QuantumLayer"
        )
    if noise is not None and noise.g2 > 0.0 and noise.brightness < 1.0:
        raise ProgramError(
            "MerLin counts brightness as loss behind the source, while a source that fires less often (Perceval's and "
            "photonlink's meaning) also emits second photons less often: with g2, put it into transmittance"
        )
    detectors: Detectors = "pnr"
    if layer.has_custom_detectors and space == "fock":  # MerLin ignores detectors in the other spaces
        detectors = _perceval.surroundings(layer.experiment).detectors
    return Imperfections.keeping_all(noise, detectors)
