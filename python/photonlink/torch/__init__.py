"""Photonic layers for PyTorch: trainable, with exact gradients in simulation and parameter shifts elsewhere.

Examples:
    >>> import torch
    >>> from photonlink.torch import QuantumLayer
    >>> model = torch.nn.Sequential(QuantumLayer.simple(input_size=4), torch.nn.LazyLinear(2))
    >>> model(torch.rand(8, 4)).shape
    torch.Size([8, 2])
"""

from __future__ import annotations

try:
    import torch as _torch  # noqa: F401  # said before anything else, with what to do about it
except ImportError as error:
    raise ImportError("photonlink.torch needs PyTorch: pip install 'photonlink[torch]'") from error

from photonlink.torch.layer import QuantumLayer

__all__ = ["QuantumLayer"]
