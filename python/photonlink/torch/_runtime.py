"""Which engine computes a layer, and the operator through which autograd and torch.compile see it."""

from __future__ import annotations

import itertools
import threading
import weakref
from dataclasses import replace
from typing import Any

import torch

from photonlink._layers import LayerProgram
from photonlink.errors import ProgramError
from photonlink.session import Session
from photonlink.targets import overridden
from photonlink.torch._device_engine import DeviceEngine
from photonlink.torch._engines import AmplitudeEngine, BoundEngine, Engine, NativeEngine, OpenedEngine

__all__ = ["Runtime", "observables"]

_PRECISION: Any = {torch.float32: "float32", torch.float64: "float64"}
_handles = itertools.count()


class Runtime:
    """Everything of a layer that is no state: simulators and sessions. Made anew where a layer is copied or loaded.

    Attributes:
        handle: Number by which the compiled operator finds the runtime.
        outputs: Observables per datapoint.
    """

    def __init__(self, layer: LayerProgram, target: str, seed: int, session: Session | None) -> None:
        self.handle = next(_handles)
        self.outputs = layer.template.output_size
        self._layer = layer
        self._target = overridden(target)[0]
        self._seed = seed
        self._bound = None if session is None else BoundEngine(session)
        self._native = self._target == "sim" and session is None and _differentiable(layer)
        simulated = self._target in ("sim", "sim:cuda") and session is None
        self._on_device = simulated and not layer.template.noisy and not layer.amplitudes
        self._simulators: dict[Any, Engine] = {}  # by dtype and device
        self._opened: tuple[tuple[int, Any], OpenedEngine] | None = None
        self._reservations = 0
        self._reserving = threading.Lock()
        _runtimes[self.handle] = self

    def engine(self, x: Any, shots: int) -> Engine:
        """The engine for such datapoints; 0 shots are exact.

        Raises:
            ProgramError: A session was bound, and was reserved with other shots.
            PhotonLinkError: As :func:`photonlink.reserve`.
        """
        if self._bound is not None:
            self._bound.check_shots(shots)
            return self._bound
        if not shots and (self._native if x.is_cpu else self._on_device and x.is_cuda):
            key = x.dtype, x.device
            if key not in self._simulators:
                self._simulators[key] = self._simulator(_PRECISION[x.dtype], x.device)
            return self._simulators[key]
        if self._layer.amplitudes:
            raise ProgramError(
                f"amplitudes exist in the simulation only, and this is a call with shots={shots} on target "
                f"{self._target!r} and {x.device}: use the target 'sim' on the CPU without shots, or probabilities"
            )
        return self._reserved(shots, x.dtype)

    def result_dtype(self, dtype: Any) -> Any:
        """Of results, where features are of this one."""
        return dtype.to_complex() if self._layer.amplitudes else dtype

    def _simulator(self, precision: Any, device: Any) -> Engine:
        if device.type == "cuda":
            return DeviceEngine(self._layer.trainable, precision, device)
        if self._layer.amplitudes:
            return AmplitudeEngine(self._layer, precision)
        return NativeEngine(replace(self._layer.trainable, base=self._layer.template), precision)

    def close(self) -> None:
        """Ends the session that the layer reserved, and lets go of device memory; the next call gets them anew."""
        self._end_session()
        for key, engine in list(self._simulators.items()):
            if isinstance(engine, DeviceEngine):
                engine.close()
                del self._simulators[key]

    def _end_session(self) -> None:
        if self._opened is not None:
            self._opened[1].close()
            self._opened = None

    def _reserved(self, shots: int, dtype: Any) -> OpenedEngine:
        """A session of the target; one at a time, because a controller has one at a time."""
        key = (shots, dtype)
        with self._reserving:
            if self._opened is None or self._opened[0] != key:
                self._end_session()
                layer = self._layer
                trained = bool(layer.trainable.parameters)
                program = layer.imperfections.put_on(layer.trainable.opened()) if trained else layer.template
                # Another seed each time: the same one would draw the same samples again.
                seed = (self._seed + self._reservations) % 2**64
                engine = OpenedEngine(program, self._target, seed, shots or None, _PRECISION[dtype])
                self._opened = (key, engine)
                self._reservations += 1
            return self._opened[1]


def _differentiable(layer: LayerProgram) -> bool:
    """Whether the native core has derivatives: phases that are rounded to a grid have none."""
    noise = layer.imperfections.noise
    return noise is None or noise.phase_imprecision == 0


_runtimes: weakref.WeakValueDictionary[int, Runtime] = weakref.WeakValueDictionary()


def observables(x: Any, values: Any, runtime: Runtime, shots: int) -> Any:
    """Observables (B, outputs), differentiable by x (B, F) and values (T,)."""
    if torch.compiler.is_compiling():
        return torch.ops.photonlink.observables(x, values, runtime.handle, shots)
    _refuse_transforms(x)
    if torch.is_grad_enabled() and (x.requires_grad or values.requires_grad):
        return _Observables.apply(x, values, runtime, shots)
    return runtime.engine(x, shots).value(x, values)


def _refuse_transforms(x: Any) -> None:
    """Raises ProgramError for tensors that torch.func or forward mode has wrapped: a layer would not see into them."""
    forward = torch.autograd.forward_ad
    if (
        torch._C._are_functorch_transforms_active()
        or torch._C._functorch.is_legacy_batchedtensor(x)  # of torch.autograd.grad(..., is_grads_batched=True)
        or (forward._current_level >= 0 and forward.unpack_dual(x).tangent is not None)
    ):
        raise ProgramError(
            "a photonic layer is called or differentiated within vmap, jvp or another transform of torch.func, which "
            "it has no rules for: pass all datapoints as one batch (..., F), and take gradients with .backward(), "
            "torch.autograd.grad or torch.autograd.functional.jacobian(..., vectorize=False)"
        )


class _Observables(torch.autograd.Function):  # type: ignore[misc]  # torch is not looked into
    """For eager mode, where it costs a tenth of the operator below."""

    @staticmethod
    def forward(ctx: Any, x: Any, values: Any, runtime: Runtime, shots: int) -> Any:
        engine = runtime.engine(x, shots)
        engine.require_gradients(x.device)
        ctx.save_for_backward(x, values)
        ctx.runtime, ctx.shots = runtime, shots
        return engine.value(x, values)

    @staticmethod
    def backward(ctx: Any, cotangent: Any) -> Any:
        _refuse_transforms(cotangent)
        if torch.is_grad_enabled():
            raise ProgramError("a photonic layer has first derivatives only: leave create_graph=True away")
        x, values = ctx.saved_tensors
        return *ctx.runtime.engine(x, ctx.shots).vjp(x, values, cotangent), None, None


def _value(x: Any, values: Any, layer: int, shots: int) -> Any:
    return _runtimes[layer].engine(x, shots).value(x, values)


def _value_fake(x: Any, _values: Any, layer: int, _shots: int) -> Any:
    runtime = _runtimes[layer]
    return x.new_empty(x.shape[0], runtime.outputs, dtype=runtime.result_dtype(x.dtype))


def _vjp(x: Any, values: Any, cotangent: Any, layer: int, shots: int) -> Any:
    return _runtimes[layer].engine(x, shots).vjp(x, values, cotangent)


def _vjp_fake(x: Any, values: Any, _cotangent: Any, _layer: int, _shots: int) -> Any:
    return torch.empty_like(x), torch.empty_like(values)


def _remember(ctx: Any, inputs: Any, output: Any) -> None:  # noqa: ARG001  # torch's signature
    x, values, ctx.layer, ctx.shots = inputs
    ctx.save_for_backward(x, values)


def _backward(ctx: Any, cotangent: Any) -> Any:
    return *_vjp_op(*ctx.saved_tensors, cotangent, ctx.layer, ctx.shots), None, None


_value_op = torch.library.custom_op(
    "photonlink::observables",
    _value,
    mutates_args=(),
    schema="(Tensor x, Tensor values, int layer, int shots) -> Tensor",
)
_value_op.register_fake(_value_fake)
_vjp_op = torch.library.custom_op(
    "photonlink::observables_vjp",
    _vjp,
    mutates_args=(),
    schema="(Tensor x, Tensor values, Tensor cotangent, int layer, int shots) -> (Tensor, Tensor)",
)
_vjp_op.register_fake(_vjp_fake)
_value_op.register_autograd(_backward, setup_context=_remember)
