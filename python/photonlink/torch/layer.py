"""``QuantumLayer``: a photonic program as a ``torch.nn.Module``, with MerLin's constructor names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from photonlink import _checks
from photonlink._layers import LayerProgram
from photonlink.errors import ProgramError
from photonlink.program import Program
from photonlink.readout import ModGrouping, Readout, Space
from photonlink.session import Session
from photonlink.torch._circuits import described, simple_circuit
from photonlink.torch._inputs import check_dtype, checked, checked_device
from photonlink.torch._runtime import Runtime, observables

__all__ = ["QuantumLayer"]


class QuantumLayer(torch.nn.Module):  # type: ignore[misc]  # torch is not looked into
    """A photonic circuit between two layers of a network.

    Describe it by a ``builder``, ``circuit`` or ``experiment`` as in MerLin, or give a ready ``program`` or
    ``session``. Trainable parameters are one vector per prefix, named as in MerLin, so that state dicts are
    interchangeable.

    On the target ``"sim"``, exact results and gradients come from the native core directly, with any noise but phases
    that are rounded; those of noiseless layers on CUDA tensors from the simulator on their device. Rounded phases,
    ``shots`` and other targets take a session, which the layer reserves when it is first needed; its gradients are
    photonic parameter shifts, with the shot noise that the shots have, and rounded phases have none. A layer with a
    ``session`` sends to that one.

    Args:
        input_size: Number of features, to be checked; by default what the circuit has.
        builder: A ``merlin.CircuitBuilder``.
        circuit: A ``perceval.Circuit``.
        experiment: A unitary ``perceval.Experiment``, whose input state, noise and detectors come along.
        input_state: Photons per mode.
        n_photons: Photons of MerLin's default state: 1, 0, 1, 0, ... for dual_rail, else spread evenly.
        trainable_parameters: Prefixes of parameters to train; not with a builder, which has them.
        input_parameters: Prefixes of parameters that features set; not with a builder.
        measurement_strategy: A ``photonlink.Readout``, or a ``merlin.MeasurementStrategy``: probs, mode_expectations,
            partial, of which this returns the probabilities, or amplitudes, which exist on the CPU without gradients
            only. By default probabilities over unbunched states.
        noise: A ``photonlink.Noise`` or ``perceval.NoiseModel`` of sources and loss. As in MerLin, every event of the
            Fock space is kept with one of MerLin's strategies; otherwise events with all photons are.
        device: Where parameters live.
        dtype: ``torch.float32`` (the default) or ``torch.float64``: of parameters, arithmetic and results. Where noise
            makes a mixture of the results, arithmetic is in float64 either way; losses alone, with all photons kept,
            make none.
        program: A program instead of a circuit; nothing of it is trained.
        session: An open session instead of a circuit. The layer sends to it and never closes it.
        target: Where to run, e.g. ``"sim"``; see :func:`photonlink.targets`.
        seed: Of the sampling on the layer's own sessions; each further session takes the next seed.
        interference: False for fully distinguishable photons.

    Raises:
        ProgramError: The arguments do not go together, or a part of them cannot be expressed; the message names it.

    Examples:
        >>> import perceval as pcvl
        >>> circuit = pcvl.Circuit(2) // pcvl.BS(theta=pcvl.P("theta")) // pcvl.PS(pcvl.P("px")) // pcvl.BS()
        >>> layer = QuantumLayer(
        ...     circuit=circuit, input_state=[1, 1], trainable_parameters=["theta"], input_parameters=["px"],
        ...     measurement_strategy=Readout.probs("fock"),
        ... )
        >>> y = layer(torch.zeros(3, 1))
        >>> y.shape, layer.output_keys
        (torch.Size([3, 3]), ((2, 0), (1, 1), (0, 2)))
        >>> y[:, 0].sum().backward()
        >>> layer.theta.grad.shape
        torch.Size([1])
        >>> layer(torch.zeros(3, 1), shots=100).shape  # 100 kept samples per datapoint
        torch.Size([3, 3])
    """

    def __init__(
        self,
        input_size: int | None = None,
        *,
        builder: Any = None,
        circuit: Any = None,
        experiment: Any = None,
        input_state: Any = None,
        n_photons: int | None = None,
        trainable_parameters: Sequence[str] | None = None,
        input_parameters: Sequence[str] | None = None,
        measurement_strategy: Any = None,
        noise: Any = None,
        device: Any = None,
        dtype: Any = None,
        program: Program | None = None,
        session: Session | None = None,
        target: str = "sim",
        seed: int = 0,
        interference: bool = True,
    ) -> None:
        layer = described(
            builder=builder,
            circuit=circuit,
            experiment=experiment,
            program=program,
            session=session,
            interference=interference,
            input_state=input_state,
            n_photons=n_photons,
            trainable_parameters=trainable_parameters,
            input_parameters=input_parameters,
            measurement_strategy=measurement_strategy,
            noise=noise,
        )
        if dtype is None:
            dtype = getattr(torch, session.info.precision) if session is not None else torch.float32
        self._set_up(layer, session, target, _checks.integer("seed", seed, 0, 2**64 - 1), device, dtype)
        if input_size is not None and _checks.integer("input_size", input_size, 0, None) != self.input_size:
            raise ProgramError(
                f"input_size is {input_size}, but the circuit has {self.input_size} features: "
                f"{', '.join(layer.wires.features)}"
            )

    def _set_up(
        self, layer: LayerProgram, session: Session | None, target: str, seed: int, device: Any, dtype: Any
    ) -> None:
        super().__init__()
        check_dtype(dtype)
        device = checked_device(device)
        _checks.instance("target", target, str, "the name of a target")
        if session is not None and dtype is not getattr(torch, session.info.precision):
            raise ProgramError(f"dtype is {dtype}, but the session computes in {session.info.precision}")
        self._layer, self._session, self._target, self._seed = layer, session, target, seed
        self.input_size = len(layer.wires.features)
        for prefix, size in layer.wires.sizes.items():
            self.register_parameter(
                prefix, torch.nn.Parameter(torch.randn(size, device=device, dtype=dtype) * torch.pi)
            )
        # Not state, but it has to follow the parameters when they move.
        self.register_buffer("_no_values", torch.empty(0, device=device, dtype=dtype), persistent=False)
        self.register_buffer("_places", torch.tensor(layer.wires.places, device=device), persistent=False)
        self._in_order = layer.wires.places == list(range(sum(layer.wires.sizes.values())))
        self._collected = layer.columns is not None
        column = layer.columns.column if layer.columns is not None else ()
        self.register_buffer("_column", torch.tensor(column, dtype=torch.int64, device=device), persistent=False)
        self._dtype, self._device = dtype, self._no_values.device
        self._runtime = Runtime(layer, target, seed, session)

    @classmethod
    def simple(
        cls,
        input_size: int,
        output_size: int | None = None,
        *,
        device: Any = None,
        dtype: Any = None,
        computation_space: Any = "unbunched",
        target: str = "sim",
        seed: int = 0,
        interference: bool = True,
    ) -> QuantumLayer:
        """MerLin's simple layout: trainable mesh, one phase per feature, trainable mesh.

        Args:
            input_size: Number of features; there is one mode more, and a photon in every other mode.
            output_size: Adds up probabilities whose index is equal modulo this number.
            device: See the class.
            dtype: See the class.
            computation_space: ``"fock"``, ``"unbunched"`` or ``"dual_rail"``, or MerLin's ``ComputationSpace``.
            target: See the class.
            seed: See the class.
            interference: See the class.

        Examples:
            >>> QuantumLayer.simple(input_size=5, output_size=3)
            QuantumLayer(modes=6, photons=3, features=5, trainable=60, outputs=3, probabilities/unbunched, target='sim')
        """
        size = _checks.integer("input_size", input_size, 1, 64)
        space: Space = getattr(computation_space, "value", computation_space)
        grouping = None if output_size is None else ModGrouping(output_size)
        return cls(
            size,
            circuit=simple_circuit(size),
            input_state=[1 - mode % 2 for mode in range(size + 1)],
            trainable_parameters=["LI_simple", "RI_simple"],
            input_parameters=["input"],
            measurement_strategy=Readout.probs(space, grouping),
            device=device,
            dtype=dtype,
            target=target,
            seed=seed,
            interference=interference,
        )

    @classmethod
    def from_merlin(cls, layer: Any, *, target: str = "sim", seed: int = 0) -> QuantumLayer:
        """The same layer as a ``merlin.QuantumLayer``, with a copy of its weights; see ``photonlink.merlin.convert``.

        Args:
            layer: A ``merlin.QuantumLayer``.
            target: See the class.
            seed: See the class.

        Raises:
            ProgramError: It has a part that a Program cannot express.
            TargetUnavailable: This version of MerLin is not supported.
        """
        from photonlink.merlin import convert

        own = cls.__new__(cls)
        own._set_up(convert(layer).layer, None, target, seed, layer.device, layer.dtype)
        weights = {name: layer.get_parameter(name).detach() for name in own._layer.wires.sizes}
        own.load_state_dict(weights)
        return own

    # ---- computing

    def forward(self, *inputs: Any, shots: int | None = None) -> Any:
        """Observables of datapoints.

        Args:
            inputs: (..., F) features of the layer's dtype, on its device; or several tensors that are joined along the
                last axis, one per input prefix. None for a circuit without inputs.
            shots: Kept samples per datapoint; None or 0 for exact results, or, with a session, what it was reserved
                with. Gradients of sampled results are parameter shifts with so many shots per setting.

        Returns:
            (..., output_size) tensor of the layer's dtype; of the complex one for amplitudes.

        Raises:
            ProgramError: A tensor has another shape, dtype or device, a feature is not finite, or gradients are
                wanted that the target does not have.
            TargetUnavailable: Tensors are in device memory, and no device can be used.
            PhotonLinkError: As ``session.infer``.
        """
        x = inputs[0] if len(inputs) == 1 else self._joined(inputs)
        x = checked(x, self._layer.wires.features, self._dtype, self._device)
        rows = x if x.dim() == 2 else x.reshape(x.shape[:-1].numel(), self.input_size)
        number = 0 if shots is None else _checks.integer("shots", shots, 0, 2**32 - 1)
        y = observables(rows, self._values(), self._runtime, number)
        if self._collected:
            y = y.new_zeros(len(y), self.output_size).index_add(1, self._column, y)
        return y if x.dim() == 2 else y.reshape(*x.shape[:-1], y.shape[-1])

    def _values(self) -> Any:
        """Trainable parameters (T,), in the order of the program's."""
        vectors = [getattr(self, prefix) for prefix in self._layer.wires.sizes]
        if not vectors:
            return self._no_values
        joined = vectors[0] if len(vectors) == 1 else torch.cat(vectors)
        return joined if self._in_order else joined[self._places]

    def _joined(self, inputs: Sequence[Any]) -> Any:
        return torch.cat(list(inputs), dim=-1) if inputs else self._no_values

    # ---- what it is

    @property
    def program(self) -> Program:
        """The program with the weights of now: reserve a session with it to run the trained layer elsewhere."""
        return self._layer.program(self._values().detach().cpu().numpy())

    @property
    def output_size(self) -> int:
        """Number of columns of the result."""
        return self._layer.output_size

    @property
    def output_keys(self) -> tuple[tuple[int, ...], ...]:
        """What each column is about; see :attr:`photonlink.Program.output_keys`."""
        return self._layer.output_keys

    @property
    def dtype(self) -> Any:
        """``torch.float32`` or ``torch.float64``."""
        return self._dtype

    @property
    def device(self) -> Any:
        """Where the parameters are."""
        return self._device

    def extra_repr(self) -> str:
        """What ``print(layer)`` shows."""
        base = self._layer.trainable.base
        target = "bound session" if self._session is not None else f"target={self._target!r}"
        return (
            f"modes={base.modes}, photons={base.photons}, features={self.input_size}, "
            f"trainable={len(self._layer.trainable.parameters)}, outputs={self.output_size}, "
            f"{base.readout.kind}/{base.readout.space}, {target}"
        )

    # ---- life

    def close(self) -> None:
        """Ends the session that the layer reserved, if any; the next call that needs one reserves it anew."""
        self._runtime.close()

    def _apply(self, fn: Any, recurse: bool = True) -> QuantumLayer:
        dtype = fn(self._no_values).dtype
        check_dtype(dtype)
        if self._session is not None and dtype != self._dtype:
            raise ProgramError(
                f"the layer's session computes in {self._dtype}: reserve another one with the precision of {dtype}"
            )
        super()._apply(fn, recurse)
        self._dtype, self._device = dtype, self._no_values.device
        return self

    def __getstate__(self) -> Mapping[str, Any]:
        if self._session is not None:
            raise ProgramError(
                "the layer is bound to an open session, which cannot be copied or stored: store layer.program, and "
                "make the new layer from a session of its own"
            )
        return {name: value for name, value in self.__dict__.items() if name != "_runtime"}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        super().__setstate__(dict(state))
        self._runtime = Runtime(self._layer, self._target, self._seed, None)
