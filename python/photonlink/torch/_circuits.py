"""From MerLin's constructor arguments to a layer's program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import perceval as pcvl

from photonlink import _checks, _perceval
from photonlink._layers import Imperfections, LayerProgram, fock_state, layer_program, memory_refused
from photonlink._measurement import Measurement, measurement
from photonlink._reservoir import spaced_state
from photonlink._wires import wires
from photonlink.errors import ProgramError
from photonlink.noise import Noise
from photonlink.program import Program
from photonlink.readout import Readout
from photonlink.session import Session

__all__ = ["described", "simple_circuit"]


@dataclass(frozen=True)
class _Source:
    """A circuit and what came with it."""

    circuit: Any
    trainable: Sequence[str]
    inputs: Sequence[str]
    encodings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    around: _perceval.Surroundings = field(default_factory=_perceval.Surroundings)
    input_state: Any = None


def described(
    *,
    builder: Any,
    circuit: Any,
    experiment: Any,
    program: Program | None,
    session: Session | None,
    interference: bool,
    **others: Any,
) -> LayerProgram:
    """The layer of these arguments of ``QuantumLayer``, which explains them.

    Raises:
        ProgramError: They do not go together, or a Program cannot express one.
    """
    sources = {
        "builder": builder,
        "circuit": circuit,
        "experiment": experiment,
        "program": program,
        "session": session,
    }
    given = [name for name, value in sources.items() if value is not None]
    if len(given) != 1:
        raise ProgramError(f"give exactly one of {', '.join(sources)}; got {', '.join(given) or 'none'}")
    _checks.boolean("interference", interference)
    _checks.instance("session", session, (Session, type(None)), "a session of photonlink.reserve, or None")
    if session is not None:
        if not interference:
            raise ProgramError("interference is part of the session's program: leave it away")
        layer = LayerProgram.of(session.program)
    elif program is not None:
        if not isinstance(program, Program):
            raise ProgramError(f"program is a {type(program).__name__}, expected a photonlink.Program")
        layer = LayerProgram.of(program)
    else:
        layer = _of_circuit(builder, circuit if experiment is None else experiment, **others)
    unused = [name for name, value in others.items() if value is not None]
    if unused and (program is not None or session is not None):
        raise ProgramError(f"{', '.join(unused)} belong to a circuit, and a program has its own: leave them away")
    if layer.template.readout.kind == "samples":
        raise ProgramError("a samples readout gives no tensor of fixed size: use probabilities or expectations")
    return layer if interference else layer.without_interference()


def _of_circuit(
    builder: Any,
    circuit: Any,
    *,
    input_state: Any,
    n_photons: int | None,
    trainable_parameters: Sequence[str] | None,
    input_parameters: Sequence[str] | None,
    measurement_strategy: Any,
    noise: Any,
) -> LayerProgram:
    if builder is not None:
        source = _from_builder(builder, trainable_parameters, input_parameters)
    else:
        source = _from_circuit(circuit, trainable_parameters or (), input_parameters or ())
    measured = measurement(measurement_strategy, source.circuit.m)
    return layer_program(
        source.circuit,
        _state(source.input_state, input_state, n_photons, source.circuit.m, measured),
        wires(source.circuit, source.trainable, source.inputs, source.encodings),
        measured,
        _imperfections(noise, source.around, measured, measurement_strategy),
    )


def simple_circuit(input_size: int) -> Any:
    """MerLin's simple layout: a trainable mesh, a column of inputs, a trainable mesh; one mode more than inputs."""
    modes = input_size + 1
    circuit = pcvl.Circuit(modes)
    circuit.add(0, _mesh(modes, "LI_simple"))
    for mode in range(input_size):
        circuit.add(mode, pcvl.PS(pcvl.P(f"input{mode + 1}")))
    return circuit.add(0, _mesh(modes, "RI_simple"))


def _mesh(modes: int, prefix: str) -> Any:
    def interferometer(index: int) -> Any:
        inner, outer = (pcvl.PS(pcvl.P(f"{prefix}_{arm}{index}")) for arm in ("li", "lo"))
        return pcvl.BS() // inner // pcvl.BS() // outer

    return pcvl.GenericInterferometer(modes, interferometer, shape=pcvl.InterferometerShape.RECTANGLE)


def _from_builder(builder: Any, trainable: Sequence[str] | None, inputs: Sequence[str] | None) -> _Source:
    if trainable is not None or inputs is not None:
        raise ProgramError("a builder knows its trainable_parameters and input_parameters: leave them away")
    if getattr(builder, "memristive_specs", ()):
        raise memory_refused("the builder")
    return _Source(
        builder.to_pcvl_circuit(),
        builder.trainable_parameter_prefixes,
        builder.input_parameter_prefixes,
        builder.angle_encoding_specs,
    )


def _from_circuit(source: Any, trainable: Sequence[str], inputs: Sequence[str]) -> _Source:
    for name, prefixes in (("trainable_parameters", trainable), ("input_parameters", inputs)):
        if isinstance(prefixes, str):
            raise ProgramError(f"{name} is the string {prefixes!r}, expected a list of prefixes: [{prefixes!r}]")
    return _Source(
        _perceval.as_circuit(source),
        trainable,
        inputs,
        around=_perceval.surroundings(source),
        input_state=getattr(source, "input_state", None),
    )


def _state(own: Any, given: Any, photons: int | None, modes: int, measured: Measurement) -> tuple[int, ...]:
    """Photons per mode: the experiment's own, or those given, or MerLin's default for so many photons."""
    states = [fock_state(state) for state in (own, given) if state is not None]
    if len(states) == 2 and states[0] != states[1]:
        raise ProgramError(
            f"input_state is {list(states[1])}, but the experiment has the input state {list(states[0])}: give one"
        )
    if states:
        if photons is not None and sum(states[0]) != photons:
            raise ProgramError(
                f"input_state {list(states[0])} has {sum(states[0])} photons, but n_photons is {photons}"
            )
        return states[0]
    if photons is None:
        raise ProgramError("give the layer photons: input_state=[1, 0, 1, ...] or n_photons=2")
    if measured.readout.space == "dual_rail":
        return (1, 0) * photons
    return spaced_state(modes, photons)


def _imperfections(noise: Any, around: _perceval.Surroundings, measured: Measurement, strategy: Any) -> Imperfections:
    """The experiment's, or the noise that was given. MerLin's strategies keep all events of the Fock space."""
    if noise is not None and not isinstance(noise, Noise):
        noise = Noise.from_perceval(noise)
    noise = around.noise if noise is None else noise
    merlin = not (strategy is None or isinstance(strategy, Readout))
    if merlin and measured.readout.space == "fock" and around.min_detected_photons is None:
        return Imperfections.keeping_all(noise, around.detectors)
    return Imperfections(noise, around.detectors, around.min_detected_photons)
