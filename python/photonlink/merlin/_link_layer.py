"""A quantum layer that is executed by a session: what goes in, and what comes out."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from photonlink.errors import ProgramError
from photonlink.merlin._convert import Conversion
from photonlink.merlin._models import is_merlins, shown

__all__ = ["LinkLayer"]


class LinkLayer(nn.Module):  # type: ignore[misc]  # torch has no types here
    """Takes the place of a quantum layer in a forward pass; subclasses say which session executes it.

    For inference only: it has no parameters and refuses to be called in training mode, or where gradients are wanted.

    Attributes:
        output_size: Number of outputs.
    """

    def __init__(self, layer: nn.Module, conversion: Conversion, path: str) -> None:
        super().__init__()
        # Behind torch's back: its weights must not be trained, moved or counted as the model's while it is elsewhere.
        self.__dict__["_layer"] = layer
        self._conversion = conversion
        self._path = path
        self.output_size = conversion.output_size
        self._always_batched = is_merlins(layer)  # whose layers make a batch of one of a single datapoint
        rule = conversion.layer.columns
        self._column = None if rule is None else torch.from_numpy(rule.column)
        self.train(layer.training)
        self._handle = next(_handles)
        _layers[self._handle] = self

    @property
    def output_keys(self) -> tuple[tuple[int, ...], ...]:
        """What each output is about."""
        return self._conversion.output_keys

    def forward(
        self,
        *inputs: torch.Tensor,
        shots: int | None = None,
        sampling_method: str | None = None,
        simultaneous_processes: int | None = None,  # noqa: ARG002 - MerLin's hint about memory, of no use here
    ) -> torch.Tensor:
        """What the layer returns, executed over the link.

        Args:
            inputs: (..., F) features: one tensor, or one for each prefix of input parameters, as for the layer.
            shots: Kept samples per datapoint, where the session can still be chosen; else that of the session.
            sampling_method: ``"multinomial"``, if given at all: that is what counting photons is.
            simultaneous_processes: Accepted, since MerLin's layers take it.

        Returns:
            (..., output_size) of the layer's dtype, on the device of the inputs; (1, output_size) for a MerLin layer
            and features of shape (F,), as the layer itself.

        Raises:
            ProgramError: The model is in training mode, gradients are wanted, or an argument cannot be honoured.
            PhotonLinkError: As ``Session.infer``.
        """
        if self.training:
            raise ProgramError(f"{shown(self._path)} runs over the link, for inference only: call model.eval() first")
        if sampling_method not in (None, "multinomial"):
            raise ProgramError(f"sampling_method is {sampling_method!r}, expected 'multinomial', or None")
        x = _features(inputs, self._path, self.dtype)
        if x.dim() == 1 and self._always_batched:
            x = x[None]
        rows = x if x.dim() < 3 else x.flatten(0, -2)
        compiling = torch.compiler.is_compiling()
        y = torch.ops.photonlink.executed(rows, self._handle, shots or 0) if compiling else self.execute(rows, shots)
        return y if x.dim() < 3 else y.reshape(*x.shape[:-1], self.output_size)

    def execute(self, x: torch.Tensor, shots: int | None) -> torch.Tensor:
        """What the layer returns for (B, F) or (F,) contiguous, detached features."""
        y = self._observe(x, shots or None)
        if self._column is not None:  # conversion.collect, wherever the tensor lies
            self._column = self._column.to(y.device)
            y = y.new_zeros((*y.shape[:-1], self.output_size)).index_add_(-1, self._column, y)
        return y.to(self.dtype)

    @property
    def dtype(self) -> Any:
        """That of the layer."""
        return self._layer.dtype

    def _observe(self, x: torch.Tensor, shots: int | None) -> torch.Tensor:
        """Outputs of the program."""
        raise NotImplementedError


# torch.compile cannot look into a session, and sees one operator instead. It finds the layer by a number.
_handles = itertools.count()
_layers: weakref.WeakValueDictionary[int, LinkLayer] = weakref.WeakValueDictionary()


def _execute(x: torch.Tensor, layer: int, shots: int) -> torch.Tensor:
    return _layers[layer].execute(x, shots)


_operator = torch.library.custom_op(
    "photonlink::executed", _execute, mutates_args=(), schema="(Tensor x, int layer, int shots) -> Tensor"
)


@_operator.register_fake  # type: ignore[untyped-decorator]
def _fake(x: torch.Tensor, layer: int, _shots: int) -> torch.Tensor:
    found = _layers[layer]
    return x.new_empty((*x.shape[:-1], found.output_size), dtype=found.dtype)


def _features(inputs: Sequence[Any], path: str, dtype: Any) -> torch.Tensor:
    """What a layer was called with, as the one array of features that a session takes."""
    for value in inputs:
        if not isinstance(value, torch.Tensor) or not value.is_floating_point():
            kind = value.dtype if isinstance(value, torch.Tensor) else type(value).__name__
            raise ProgramError(
                f"{shown(path)} was called with {kind}, expected tensors of features (float32 or float64): amplitudes "
                "cannot be sent to a photonic processor"
            )
    if not inputs:
        return torch.zeros(1, 0)  # as MerLin: without inputs, a batch of one
    x = inputs[0] if len(inputs) == 1 else torch.cat(list(inputs), dim=-1)
    if x.requires_grad and torch.is_grad_enabled():
        raise ProgramError(
            f"{shown(path)} runs over the link, where no gradients flow: call the model under torch.no_grad(). "
            "Training needs the layer itself, or photonlink.torch.QuantumLayer"
        )
    if torch.is_autocast_enabled(x.device.type):
        x = x.to(dtype)  # other layers return other precisions there; otherwise half precision is a mistake
    return x.detach().contiguous()
