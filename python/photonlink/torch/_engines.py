"""What computes a layer: the native core directly, or a session. Tensors in, tensors out."""

from __future__ import annotations

import contextlib
import weakref
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from photonlink import _core
from photonlink._amplitudes import AmplitudeSimulator
from photonlink._layers import LayerProgram
from photonlink._private_session import private_session
from photonlink.errors import ProgramError
from photonlink.gradients import Differentiator, parameter_shift, phase_program
from photonlink.program import Precision, Program
from photonlink.session import Session
from photonlink.shift import check_shiftable, feature_gradients
from photonlink.trainable import TrainableProgram

__all__ = ["AmplitudeEngine", "BoundEngine", "Engine", "NativeEngine", "OpenedEngine"]


class Engine(Protocol):
    """Computes observables of datapoints, and derivatives of L = sum(cotangent * observables)."""

    def value(self, x: Any, values: Any, /) -> Any:
        """Observables (B, O) of features (B, F) and trainable parameters (T,)."""

    def vjp(self, x: Any, values: Any, cotangent: Any, /) -> tuple[Any, Any]:
        """DL / dx (B, F) and dL / dvalue (T,)."""

    def require_gradients(self, device: Any, /) -> None:
        """Raises ProgramError if there are none for tensors of a device, and says why."""


class NativeEngine:
    """The simulator in this process, exact: no session, no link. Threads take turns."""

    def __init__(self, program: TrainableProgram, precision: Precision) -> None:
        self._differentiator = Differentiator(program, precision=precision)

    def value(self, x: Any, values: Any) -> Any:
        return torch.from_numpy(self._differentiator.value(_numpy(x), parameters=_numpy(values)))

    def vjp(self, x: Any, values: Any, cotangent: Any) -> tuple[Any, Any]:
        by_x, by_values = self._differentiator.vjp(_numpy(x), _numpy(cotangent), parameters=_numpy(values))
        return torch.from_numpy(by_x).to(x.dtype), torch.from_numpy(by_values).to(values.dtype)

    def require_gradients(self, _device: Any) -> None:
        pass


class AmplitudeEngine:
    """Complex amplitudes from the simulator in this process, without derivatives."""

    def __init__(self, layer: LayerProgram, precision: Precision) -> None:
        self._layer = layer
        self._precision: Precision = precision
        self._simulator: tuple[bytes, AmplitudeSimulator] | None = None

    def value(self, x: Any, values: Any) -> Any:
        """As in MerLin, amplitudes of a post-selected space are normalised within it."""
        psi = self._placed(_numpy(values))(_numpy(x))
        if self._layer.template.readout.space != "fock":
            norm = np.linalg.norm(psi, axis=1, keepdims=True)
            np.divide(psi, norm, out=psi, where=norm > 0)
        return torch.from_numpy(psi)

    def vjp(self, *_: Any) -> tuple[Any, Any]:
        raise self._refusal()

    def require_gradients(self, _device: Any) -> None:
        raise self._refusal()

    def _placed(self, values: NDArray[Any]) -> AmplitudeSimulator:
        wanted = values.tobytes()
        if self._simulator is None or self._simulator[0] != wanted:
            program = self._layer.program(values)
            self._simulator = (wanted, AmplitudeSimulator(program, precision=self._precision))
        return self._simulator[1]

    @staticmethod
    def _refusal() -> ProgramError:
        return ProgramError(
            "amplitudes have no derivatives here: compute them under torch.no_grad(), or train with probabilities"
        )


class OpenedEngine:
    """A session in which every angle of the circuit is a phase: it need not be configured anew for new weights."""

    def __init__(self, opened: Program, target: str, seed: int, shots: int | None, precision: Precision) -> None:
        self._program = opened
        self._on_device: dict[Any, tuple[Any, Any]] = {}
        options = {"shots": shots, "seed": seed, "precision": precision}
        with contextlib.ExitStack() as stack:
            self._session = stack.enter_context(private_session(target, phase_program(opened), options))
            self._close = weakref.finalize(self, stack.pop_all().close)

    def value(self, x: Any, values: Any) -> Any:
        both = _joined(x, values)
        if both.is_cuda:
            return self._session.infer(self._phases_on_device(both))
        return torch.from_numpy(self._session.infer(self._program.encode(_numpy(both))))

    def vjp(self, x: Any, values: Any, cotangent: Any) -> tuple[Any, Any]:
        both = _joined(x, values)
        _require_host(both.device)
        gradient = parameter_shift(self._session, _numpy(both), _numpy(cotangent), program=self._program)
        features = torch.from_numpy(gradient.features)
        width = x.shape[1]
        return features[:, :width].to(x.dtype), features[:, width:].sum(0).to(values.dtype)

    def require_gradients(self, device: Any) -> None:
        _require_host(device)
        _core.phase_degree(self._program.spec)

    def close(self) -> None:
        """Ends the session."""
        self._close()

    def _phases_on_device(self, both: Any) -> Any:
        encoding = self._program.encoding
        if encoding.wrap or encoding.dac_bits:
            raise ProgramError(
                "phases of this program are wrapped or rounded, which a layer does in host memory only: reserve a "
                "session with the program and give it to the layer, QuantumLayer(session=session)"
            )
        if both.device not in self._on_device:  # copied once, so that a CUDA graph can hold the calls
            slopes = feature_gradients(self._program, np.eye(self._program.phases_per_datapoint))
            self._on_device[both.device] = tuple(
                torch.tensor(a, device=both.device) for a in (slopes.T, encoding.offset)
            )
        slopes, offset = self._on_device[both.device]
        return both.double() @ slopes + offset


class BoundEngine:
    """A session that somebody else reserved, with a program whose features are the layer's."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def value(self, x: Any, _values: Any) -> Any:
        return self._session.infer(x.detach())

    def vjp(self, x: Any, values: Any, cotangent: Any) -> tuple[Any, Any]:
        _require_host(x.device)
        gradient = parameter_shift(self._session, _numpy(x), _numpy(cotangent))
        return torch.from_numpy(gradient.features).to(x.dtype), torch.zeros_like(values)

    def require_gradients(self, device: Any) -> None:
        _require_host(device)
        check_shiftable(self._session.program)

    def check_shots(self, shots: int) -> None:
        """Raises ProgramError unless the session takes so many; 0 stands for what it was reserved with."""
        if shots and shots != self._session.shots:
            raise ProgramError(
                f"shots is {shots}, but the layer's session was reserved with shots={self._session.shots}: leave "
                "shots away, or reserve another session"
            )


def _numpy(tensor: Any) -> NDArray[Any]:
    array: NDArray[Any] = tensor.detach().numpy()
    return array


def _joined(x: Any, values: Any) -> Any:
    """Features of the opened program: those of the layer, then its parameters, for every row."""
    return torch.cat([x.detach(), values.detach().to(x.dtype).expand(len(x), -1)], dim=1)


def _require_host(device: Any) -> None:
    if device.type != "cpu":
        raise ProgramError(
            f"x is on {device}, and shifted settings are put together in host memory: train on the CPU, with "
            "layer.to('cpu') and x.to('cpu'), or infer on the device under torch.no_grad()"
        )
