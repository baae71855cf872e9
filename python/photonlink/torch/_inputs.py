"""What goes into a layer, checked: refusals say what was received, what was expected, and the fix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from photonlink._checks import shown
from photonlink.errors import ProgramError

__all__ = ["check_dtype", "checked", "checked_device"]


def checked(x: Any, features: Sequence[str], dtype: Any, device: Any) -> Any:
    """`x` (..., F), if it fits a layer of this dtype on this device; under autocast, in that dtype.

    Raises:
        ProgramError: It does not.
    """
    if getattr(x, "dtype", None) != dtype:
        x = _converted(x, features, dtype)
    if x.layout is not torch.strided:
        raise ProgramError(f"x has the layout {x.layout}, expected a dense tensor: pass x.to_dense()")
    if x.device != device:
        raise ProgramError(f"x is on {x.device} and the layer on {device}: move one of them with .to(...)")
    if x.dim() == 0 or x.shape[-1] != len(features):
        raise ProgramError(
            f"x has shape {tuple(x.shape)}, expected (..., {len(features)}): the layer has the features "
            f"{', '.join(features)}"
        )
    return x


def _converted(x: Any, features: Sequence[str], dtype: Any) -> Any:
    """Under autocast, other layers return other precisions; otherwise a wrong one is a mistake."""
    if not isinstance(x, torch.Tensor):
        raise ProgramError(f"x is a {type(x).__name__}, expected a torch.Tensor of shape (..., {len(features)})")
    if x.is_complex():
        raise ProgramError("x is complex: amplitudes cannot be encoded; features are angles, and real")
    if x.is_floating_point() and torch.is_autocast_enabled(x.device.type):
        return x.to(dtype)
    raise ProgramError(
        f"x has dtype {x.dtype}, and the layer computes in {dtype}: pass x.to({dtype}), or move the layer with "
        "layer.to(x.dtype)"
    )


def checked_device(device: Any) -> Any:
    """`device` as torch knows it, None for its default, or ProgramError."""
    try:
        return None if device is None else torch.device(device)
    except (RuntimeError, TypeError):
        raise ProgramError(f"device is {shown(device)}, expected one of torch's, as in 'cpu' or 'cuda:0'") from None


def check_dtype(dtype: Any) -> None:
    """Raises ProgramError unless a layer can compute in it."""
    if not isinstance(dtype, torch.dtype) or dtype not in (torch.float32, torch.float64):
        raise ProgramError(
            f"dtype is {shown(dtype)}, expected torch.float32 or torch.float64: photonic layers do not compute in "
            "others (under autocast they keep their own)"
        )
