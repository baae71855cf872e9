"""Reads Perceval circuits. The only module that knows Perceval's classes; imported when a circuit is at hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import perceval as pcvl
from numpy.typing import NDArray
from perceval.components import BSConvention, DetectionType, get_detection_type

from photonlink._assembler import Assembler
from photonlink._checks import listed
from photonlink._validate import checked_state
from photonlink.errors import ProgramError
from photonlink.noise import Detectors, Noise, PhaseDraws, executed_phase

__all__ = [
    "Surroundings",
    "as_circuit",
    "assemble",
    "assemble_named",
    "occupation",
    "parameter_names",
    "surroundings",
    "values",
]

Built = TypeVar("Built", bound=Assembler)

# A beam splitter of angle theta is mixer . diag(e^{i s theta/2}, e^{-i s theta/2}) . unmixer with fixed mixers: the
# eigenvectors of the rotation that the convention names, and its sign s. That turns theta into two phases, exactly.
_HADAMARD = np.array([[1, 1], [1, -1]], np.complex128) / math.sqrt(2)
_Y_BASIS = np.diag([1, 1j]) @ _HADAMARD
_FLIP = np.diag([1, -1]).astype(np.complex128)
_THETA_AS_PHASES: dict[Any, tuple[NDArray[np.complex128], NDArray[np.complex128], float]] = {
    BSConvention.Rx: (_HADAMARD, _HADAMARD, 0.5),
    BSConvention.Ry: (_Y_BASIS.conj().T, _Y_BASIS, -0.5),
    BSConvention.H: (_Y_BASIS.conj().T @ _FLIP, _Y_BASIS, -0.5),
}


def occupation(input_state: Any) -> tuple[int, ...]:
    """Photons per mode of a list, tuple, array or Perceval Fock state.

    Raises:
        ProgramError: If the state is annotated (polarisation, wave packets) or no list of photon numbers.
    """
    from_perceval = type(input_state).__module__.partition(".")[0] in ("exqalibur", "perceval")
    if from_perceval and not isinstance(input_state, pcvl.FockState):
        raise ProgramError(
            f"input_state {input_state} is a {type(input_state).__name__}: give photon numbers, such as [1, 0, 1]"
        )
    counts = listed("input_state", input_state, "a list of the photons of each mode")
    return checked_state(counts, len(counts))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an experiment or processor has around its circuit."""

    noise: Noise | None = None
    detectors: Detectors = "pnr"
    min_detected_photons: int | None = None


def surroundings(source: Any) -> Surroundings:
    """Noise, detectors and filter of an experiment or processor; a circuit has none of them.

    Raises:
        ProgramError: If its detectors are not all of the same kind, or neither count photons nor only click.
    """
    experiment = getattr(source, "experiment", source)
    if isinstance(source, pcvl.ACircuit) or not isinstance(experiment, pcvl.Experiment):
        return Surroundings()
    kind = get_detection_type(experiment.detectors)
    if kind not in (DetectionType.PNR, DetectionType.Threshold):
        raise ProgramError(
            f"the experiment has detectors of kind {kind.name}, which a Program cannot express: let all of them count "
            "photons or all of them click, or choose a Readout instead"
        )
    noise = getattr(source, "noise", None) or experiment.noise
    return Surroundings(
        None if noise is None else Noise.from_perceval(noise),
        "pnr" if kind == DetectionType.PNR else "threshold",
        experiment.min_photons_filter,
    )


def assemble(
    circuit: Any, input_parameters: Sequence[str], noise: Noise | None = None
) -> tuple[Assembler, tuple[str, ...]]:
    """Interferometers and phases of a circuit, and the names of its features in MerLin's order.

    Args:
        circuit: A Perceval circuit, or a unitary experiment or processor.
        input_parameters: Prefixes of the names of input parameters.
        noise: Acts on the circuit's phase shifters.

    Raises:
        ProgramError: See ``Program.from_perceval``.
    """
    features = parameter_names(circuit, input_parameters)
    return assemble_named(circuit, features, Assembler, noise), features


def assemble_named(
    circuit: Any, names: Sequence[str], make: Callable[[int], Built], noise: Noise | None = None
) -> Built:
    """Interferometers and phases of a circuit, the parameters of these names being left open.

    Args:
        circuit: A Perceval circuit, or a unitary experiment or processor.
        names: Of parameters.
        make: The assembler of so many modes.
        noise: Acts on the circuit's phase shifters.

    Raises:
        ProgramError: See ``Program.from_perceval``.
    """
    circuit = as_circuit(circuit)
    _check_bound(circuit, names)
    assembler = make(circuit.m)
    draws = _draws(circuit, noise)
    for modes, component in circuit:
        _append(assembler, tuple(modes), component, frozenset(names), draws)
    return assembler


def _draws(circuit: Any, noise: Noise | None) -> PhaseDraws | None:
    """Draws of phase errors, or None where every phase shifter does what it is told."""
    if noise is None:
        return None
    own_errors = any(isinstance(c, pcvl.PS) and c.param("max_error") for _, c in circuit)
    return PhaseDraws(noise) if own_errors or not noise.perfect_phases else None


def values(circuit: Any, names: Sequence[str]) -> NDArray[np.float64]:
    """Values of parameters of a circuit, NaN where they have none."""
    known = {p.name: float(p) if p.defined else math.nan for p in as_circuit(circuit).get_parameters()}
    return np.array([known[name] for name in names], np.float64)


def as_circuit(source: Any) -> Any:
    """The unitary circuit behind a circuit, experiment or processor.

    Raises:
        ProgramError: It has parts that a Program cannot express; the message names them.
    """
    if isinstance(source, pcvl.ACircuit):
        return source
    experiment = getattr(source, "experiment", source)
    if not isinstance(experiment, pcvl.Experiment):
        raise ProgramError(f"expected a Perceval circuit, experiment or processor, got {type(source).__name__}")
    for modes, component in experiment.components:
        if not isinstance(component, pcvl.ACircuit):
            _refuse(modes, component, "a Program has lossless interferometers and phases only")
    for what, present in (
        ("heralded modes", experiment.heralds),
        ("post-selection (choose the readout's space instead)", experiment.post_select_fn),
    ):
        if present and str(present):
            raise ProgramError(f"the experiment has {what}, which a Program cannot express: remove them first")
    return experiment.unitary_circuit()


def parameter_names(circuit: Any, prefixes: str | Sequence[str]) -> tuple[str, ...]:
    """Names of parameters, prefix by prefix and, within one, in the circuit's order.

    Raises:
        ProgramError: A prefix matches no parameter, or two match the same one.
    """
    prefixes = [prefixes] if isinstance(prefixes, str) else list(prefixes)
    variables = {p.name: p for p in as_circuit(circuit).get_parameters() if not p.fixed}
    names: list[str] = []
    for prefix in prefixes:
        matching = [name for name in variables if name.startswith(prefix)]
        if not matching:
            raise ProgramError(
                f"no parameter of the circuit starts with {prefix!r}; it has: {', '.join(variables) or 'none'}"
            )
        twice = [name for name in matching if name in names]
        if twice:
            raise ProgramError(f"prefix {prefix!r} matches {', '.join(twice)}, which an earlier prefix matches too")
        names += matching
    return tuple(names)


def _check_bound(circuit: Any, names: Sequence[str]) -> None:
    unbound = [p.name for p in circuit.get_parameters() if not (p.fixed or p.defined or p.name in names)]
    if unbound:
        raise ProgramError(
            f"parameters without a value that are no inputs: {', '.join(unbound)}; set them, or name their prefix in "
            f"input_parameters (open now: {', '.join(names) or 'none'})"
        )


def _append(
    assembler: Assembler,
    modes: tuple[int, ...],
    component: Any,
    features: frozenset[str],
    draws: PhaseDraws | None,
) -> None:
    if isinstance(component, pcvl.Barrier):
        return
    if getattr(component, "requires_polarization", False):
        _refuse(modes, component, "polarisation is not part of a Program")
    if isinstance(component, pcvl.PS) and component.param("max_error") and draws is None:
        _refuse(modes, component, "its max_error is phase noise; pass noise=photonlink.Noise(...) to draw it")
    driven = any(p.name in features for p in component.get_parameters())
    if isinstance(component, pcvl.PS) and (driven or draws is not None):
        _append_phase_shifter(assembler, modes[0], component, features, draws)
    elif not driven:
        assembler.fixed(np.array(component.compute_unitary(), np.complex128), modes)
    elif isinstance(component, pcvl.BS):
        if draws is not None and draws.noise.phase_imprecision:
            _refuse(modes, component, "its phases are exact in Perceval, while phase_imprecision rounds every input")
        _append_beam_splitter(assembler, modes, component, features, None if draws is None else 0.0)
    else:
        _refuse(modes, component, "only phase shifters and beam splitters can depend on inputs")


def _append_phase_shifter(
    assembler: Assembler, mode: int, shifter: Any, features: frozenset[str], draws: PhaseDraws | None
) -> None:
    """One that a feature drives, or that is not executed exactly."""
    weights, offset = _linear(shifter.param("phi"), features, (mode,))
    if draws is None:
        assembler.phase(mode, weights, offset)
        return
    error = draws.next(float(shifter.param("max_error")))
    if weights:
        assembler.phase(mode, weights, offset, error)
    else:
        assembler.fixed(np.array([[np.exp(1j * executed_phase(offset, error, draws.noise))]]), (mode,))


def _append_beam_splitter(
    assembler: Assembler, modes: tuple[int, ...], splitter: Any, features: frozenset[str], error: float | None
) -> None:
    """Input phases, rotation, output phases: that is how Perceval defines its beam splitter."""
    unmixer, mixer, half = _THETA_AS_PHASES[splitter.convention]
    for mode, name in zip(modes, ("phi_tl", "phi_bl"), strict=True):
        _append_phase(assembler, mode, splitter.param(name), features, modes, error)
    weights, offset = _linear(splitter.param("theta"), features, modes)
    assembler.fixed(unmixer, modes)
    for mode, sign in zip(modes, (half, -half), strict=True):
        if weights:
            assembler.phase(mode, {name: sign * weight for name, weight in weights.items()}, sign * offset, error)
        else:
            assembler.fixed(np.array([[np.exp(1j * sign * offset)]]), (mode,))
    assembler.fixed(mixer, modes)
    for mode, name in zip(modes, ("phi_tr", "phi_br"), strict=True):
        _append_phase(assembler, mode, splitter.param(name), features, modes, error)


def _append_phase(
    assembler: Assembler,
    mode: int,
    parameter: Any,
    features: frozenset[str],
    modes: tuple[int, ...],
    error: float | None,
) -> None:
    """A phase that may be fixed: then it is multiplied into the interferometer instead of becoming a site."""
    weights, offset = _linear(parameter, features, modes)
    if weights:
        assembler.phase(mode, weights, offset, error)
    elif offset:
        assembler.fixed(np.array([[np.exp(1j * offset)]]), (mode,))


def _linear(parameter: Any, features: frozenset[str], modes: tuple[int, ...]) -> tuple[dict[str, float], float]:
    """Weights and offset of an angle that is a constant plus a weighted sum of features."""
    if not isinstance(parameter, pcvl.Expression):
        return ({parameter.name: 1.0}, 0.0) if parameter.name in features else ({}, float(parameter))
    constants = {p.name: float(p) for p in parameter.parameters if p.name not in features}
    expression = parameter.spv.subs(constants).expand()
    slopes = {str(symbol): expression.diff(symbol) for symbol in expression.free_symbols}
    if any(slope.free_symbols for slope in slopes.values()):
        raise ProgramError(
            f"the angle {parameter.name} on modes {modes} is not linear in the input parameters "
            f"{', '.join(sorted(slopes))}: compute it beforehand and give it as a feature"
        )
    try:
        weights = {name: float(slope) for name, slope in sorted(slopes.items())}
        offset = float(expression.subs(dict.fromkeys(expression.free_symbols, 0)))
    except TypeError:
        raise ProgramError(f"the angle {parameter.name} on modes {modes} is not a real number") from None
    return {name: weight for name, weight in weights.items() if weight != 0.0}, offset


def _refuse(modes: Any, component: Any, reason: str) -> None:
    places = [modes] if isinstance(modes, int) else list(modes)
    raise ProgramError(f"component {component.name} on modes {places} cannot be part of a Program: {reason}")
