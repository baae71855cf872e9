"""What computes an exact layer whose tensors lie on a device: the simulator on that device, without a session."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import torch

from photonlink.cuda._frameworks import FRAMEWORKS
from photonlink.cuda._simulator import DeviceSimulator
from photonlink.program import Precision
from photonlink.shift import feature_gradients
from photonlink.trainable import TrainableProgram

__all__ = ["DeviceEngine"]


class DeviceEngine:
    """Values and derivatives by launches on torch's current stream; nothing waits, and graphs may hold the calls.

    Every trainable angle is a phase of the program, so that new weights are new features: they never leave the device.
    A feature that is not finite gives NaN in its row, and an error at the layer's next call.
    """

    def __init__(self, layer: TrainableProgram, precision: Precision, device: Any) -> None:
        program = layer.opened() if layer.parameters else layer.base
        self._simulator = DeviceSimulator(program, device=device.index, precision=precision, target="sim:cuda")
        slopes = feature_gradients(program, np.eye(program.phases_per_datapoint))
        self._slopes = torch.tensor(slopes, device=device)
        self._close = weakref.finalize(self, self._simulator.close)

    def value(self, x: Any, values: Any) -> Any:
        both = self._features(x, values)
        y = self._results(both)
        if len(both):
            batch = (*_placed(both), y.data_ptr(), y.shape[1], 0)
            self._simulator.infer(batch, 0, len(both), _stream(both))
        return y

    def vjp(self, x: Any, values: Any, cotangent: Any) -> tuple[Any, Any]:
        both = self._features(x, values)
        weights = cotangent.detach().to(both.dtype).contiguous()
        by_phase = torch.zeros((len(both), len(self._slopes)), dtype=torch.float64, device=both.device)
        if len(both):
            arrays = (*_placed(both), weights.data_ptr(), 0, by_phase.data_ptr(), 0)  # neither values nor matrices
            self._simulator.vjp(arrays, len(both), _stream(both))
        features, width = by_phase @ self._slopes, x.shape[1]
        return features[:, :width].to(x.dtype), features[:, width:].sum(0).to(values.dtype)

    def require_gradients(self, _device: Any) -> None:
        pass

    def close(self) -> None:
        """Lets go of the device's memory."""
        self._close()

    def _features(self, x: Any, values: Any) -> Any:
        """Features of the opened program: those of the layer, then its parameters, for every row."""
        failure = self._simulator.take_failure()
        if failure is not None:
            raise failure
        if not len(values):
            return x.detach().contiguous()
        return torch.cat([x.detach(), values.detach().to(x.dtype).expand(len(x), -1)], dim=1)

    def _results(self, both: Any) -> Any:
        return torch.empty((len(both), self._simulator.output_size), dtype=both.dtype, device=both.device)


def _placed(features: Any) -> tuple[int, int, int]:
    """Address, bytes of a feature, and elements from row to row."""
    return features.data_ptr(), features.element_size(), features.shape[1]


def _stream(tensor: Any) -> int:
    return FRAMEWORKS["torch"].current_stream(tensor.device.index)
