"""Programs whose interferometers depend on trainable parameters.

A :class:`photonlink.Program` is fixed. A :class:`TrainableProgram` keeps the circuit behind it, component by component,
so that values of its trainable parameters become a program quickly, and derivatives with respect to the interferometers
become derivatives with respect to the parameters.

Examples:
    >>> import numpy as np
    >>> import perceval as pcvl
    >>> from photonlink.trainable import TrainableProgram
    >>> circuit = pcvl.Circuit(2) // pcvl.BS() // pcvl.PS(pcvl.P("px")) // pcvl.BS(theta=pcvl.P("theta"))
    >>> trainable = TrainableProgram.from_perceval(circuit, [1, 0], ["px"], ["theta"])
    >>> trainable.parameters, trainable.features
    (('theta',), ('px',))
    >>> trainable.program([0.3]).simulate([0.1]).shape
    (2,)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from photonlink import _core
from photonlink._assembler import Assembler
from photonlink._components import ComponentAssembler, Components, FixedComponent, PhaseComponent
from photonlink.errors import ProgramError
from photonlink.program import Program
from photonlink.readout import Readout

__all__ = ["FixedComponent", "PhaseComponent", "TrainableProgram"]


@dataclass(frozen=True, eq=False)
class TrainableProgram:
    """A program whose interferometers depend on trainable parameters; made by :meth:`from_perceval`.

    Attributes:
        base: The program with all parameters 0.
        parameters: Names of the T trainable parameters, in the order of their values.
        components: Per interferometer, its components in the order in which light meets them.
        initial: (T,) float64, radians: the values that the circuit had, NaN where it had none.
    """

    base: Program
    parameters: tuple[str, ...]
    components: tuple[Components, ...]
    initial: NDArray[np.float64]

    @classmethod
    def from_perceval(
        cls,
        circuit: Any,
        input_state: Any,
        input_parameters: Sequence[str] = ("px",),
        trainable_parameters: Sequence[str] = ("theta",),
        readout: Readout | None = None,
        *,
        interference: bool = True,
        wrap: bool = False,
        dac_bits: int = 0,
    ) -> TrainableProgram:
        """A trainable program from a Perceval circuit; for the rest see ``Program.from_perceval``.

        Args:
            circuit: A ``perceval.Circuit``, or a unitary ``Experiment`` or ``Processor``, whose noise, detectors and
                filter come along; its phases must be perfect, since trained ones change.
            input_state: Photons per mode.
            input_parameters: Prefixes of the names of parameters that features set.
            trainable_parameters: Prefixes of the names of trainable parameters. As in MerLin, they are ordered prefix
                by prefix, and within a prefix as the circuit meets them. Angles may be linear in both kinds.
            readout: What a datapoint returns; by default probabilities over unbunched states.
            interference: False for fully distinguishable photons.
            wrap: Whether phases that features drive are reduced to [0, 2*pi) before they are sent.
            dac_bits: Rounds these phases to the steps of a converter; see :class:`photonlink.program.Encoding`.

        Raises:
            ProgramError: As ``Program.from_perceval``; also if a prefix matches no parameter, or phases have errors.
        """
        from photonlink import _perceval

        inputs, trained = _prefixes(input_parameters), _prefixes(trainable_parameters)
        names = _perceval.parameter_names(circuit, inputs + trained)
        features = tuple(name for name in names if name.startswith(tuple(inputs)))
        return cls.from_names(
            circuit,
            input_state,
            features,
            names[len(features) :],
            readout,
            interference=interference,
            wrap=wrap,
            dac_bits=dac_bits,
        )

    @classmethod
    def from_names(
        cls,
        circuit: Any,
        input_state: Any,
        features: Sequence[str],
        parameters: Sequence[str],
        readout: Readout | None = None,
        *,
        interference: bool = True,
        wrap: bool = False,
        dac_bits: int = 0,
    ) -> TrainableProgram:
        """As :meth:`from_perceval`, with the names of parameters instead of prefixes of them.

        Args:
            circuit: As there.
            input_state: Photons per mode.
            features: Names of the parameters that features set, in the order of the features.
            parameters: Names of the trainable parameters, in the order of their values.
            readout: What a datapoint returns; by default probabilities over unbunched states.
            interference: False for fully distinguishable photons.
            wrap: Whether phases that features drive are reduced to [0, 2*pi) before they are sent.
            dac_bits: Rounds these phases to the steps of a converter; see :class:`photonlink.program.Encoding`.

        Raises:
            ProgramError: As ``Program.from_perceval``; also if phases have errors.
        """
        from photonlink import _perceval

        around = _perceval.surroundings(circuit)
        if around.noise is not None and not around.noise.perfect_phases:
            raise ProgramError(
                "the experiment's noise has phase_error or phase_imprecision, which belong to a fixed circuit, and "
                "this one changes with its parameters: leave them out, or describe the circuit for given values with "
                "Program.from_perceval"
            )
        state = _perceval.occupation(input_state)
        trained = tuple(parameters)
        assembler = _perceval.assemble_named(
            circuit, (*features, *trained), lambda modes: ComponentAssembler(modes, trained)
        )
        components = assembler.resolved(trained)
        native = _native(assembler.modes, len(trained), components)

        def make(**fields: Any) -> Program:
            return Program(**{**fields, "interferometers": native.compose(np.zeros(len(trained)))})

        base = assembler.build(
            make,
            state,
            features,
            readout,
            interference=interference,
            wrap=wrap,
            dac_bits=dac_bits,
            noise=around.noise,
            detectors=around.detectors,
            min_detected_photons=around.min_detected_photons,
        )
        return cls(base, trained, components, _perceval.values(circuit, trained))

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features."""
        return self.base.features

    @cached_property
    def _circuit(self) -> _core.TrainableCircuit:
        return _native(self.base.modes, len(self.parameters), self.components)

    def interferometers(self, values: ArrayLike) -> NDArray[np.complex128]:
        """Interferometers for parameter values.

        Args:
            values: (T,) float, radians.

        Returns:
            (L+1, m, m) complex128.

        Raises:
            ProgramError: If the number of values is wrong or one is not finite.
        """
        return np.asarray(self._circuit.compose(self._checked(values)))

    def program(self, values: ArrayLike) -> Program:
        """The program for parameter values; see :meth:`interferometers`."""
        return replace(self.base, interferometers=self.interferometers(values))

    def opened(self) -> Program:
        """The program with the parameters as further features, behind its own: one program for all their values.

        Every angle of it is a phase, so that hardware can be trained without configuring it anew, and
        :func:`photonlink.gradients.parameter_shift` gives derivatives with respect to the parameters, too.

        Examples:
            >>> import perceval as pcvl
            >>> circuit = pcvl.Circuit(2) // pcvl.BS() // pcvl.PS(pcvl.P("px")) // pcvl.BS(theta=pcvl.P("theta"))
            >>> TrainableProgram.from_perceval(circuit, [1, 0]).opened().features
            ('px', 'theta')
        """
        assembler = Assembler(self.base.modes)
        names = self.base.features + self.parameters
        phases = self._phases_by_layer()
        for components, driven in zip(self.components, [*phases, []], strict=True):
            for c in components:
                if isinstance(c, FixedComponent):
                    assembler.fixed(c.matrix, c.modes)
                else:
                    assembler.phase(c.mode, {self.parameters[k]: weight for k, weight in c.weights}, c.offset)
            for mode, weights, offset in driven:
                assembler.phase(mode, weights, offset)
        return assembler.build(
            Program,
            self.base.input_state,
            names,
            self.base.readout,
            interference=self.base.interference,
            wrap=self.base.encoding.wrap,
            dac_bits=self.base.encoding.dac_bits,
            noise=self.base.noise,
            detectors=self.base.detectors,
            min_detected_photons=self.base.min_detected_photons,
        )

    def _phases_by_layer(self) -> list[list[tuple[int, dict[str, float], float]]]:
        """Mode, weights of features and offset of every phase that features drive."""
        base, encoding = self.base, self.base.encoding
        layers: list[list[tuple[int, dict[str, float], float]]] = [[] for _ in range(base.layers)]
        for p, (layer, mode) in enumerate(zip(base.phase_layers, base.phase_modes, strict=True)):
            terms = slice(encoding.row_begin[p], encoding.row_begin[p + 1])
            features = (base.features[feature] for feature in encoding.term_feature[terms])
            weights = dict(zip(features, encoding.term_weight[terms].tolist(), strict=True))
            layers[layer].append((int(mode), weights, float(encoding.offset[p])))
        return layers

    def pull_back(self, values: ArrayLike, interferometers: ArrayLike) -> NDArray[np.float64]:
        """From derivatives with respect to the interferometers to those with respect to the parameters.

        Args:
            values: (T,) float, radians.
            interferometers: (L+1, m, m) complex G with ``dL = Re(sum(conj(G) * dU))``, as
                :func:`photonlink.gradients.value_and_vjp` returns it.

        Returns:
            (T,) float64: dL / dvalue.

        Raises:
            ProgramError: If a shape is wrong or a value not finite.
        """
        return np.asarray(self._circuit.pull_back(self._checked(values), np.asarray(interferometers, np.complex128)))

    def _checked(self, values: ArrayLike) -> NDArray[np.float64]:
        numbers = np.asarray(values, np.float64)
        if numbers.shape != (len(self.parameters),):
            raise ProgramError(
                f"expected {len(self.parameters)} parameter values, shape ({len(self.parameters)},), got shape "
                f"{numbers.shape}; trainable.parameters lists them"
            )
        if not np.isfinite(numbers).all():
            worst = int(np.flatnonzero(~np.isfinite(numbers))[0])
            raise ProgramError(f"parameter {self.parameters[worst]!r} is {numbers[worst]}: give a number of radians")
        return numbers

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_circuit"}


def _prefixes(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _native(modes: int, parameters: int, interferometers: Sequence[Components]) -> _core.TrainableCircuit:
    circuit = _core.TrainableCircuit(modes, parameters)
    for index, components in enumerate(interferometers):
        if index:
            circuit.append_interferometer()
        for component in components:
            if isinstance(component, FixedComponent):
                circuit.append_fixed(list(component.modes), component.matrix)
            else:
                circuit.append_phase(component.mode, component.offset, list(component.weights))
    return circuit
