"""MerLin models on photonlink: their layers as programs, and the models themselves over the link.

* :func:`convert`, or ``Program.from_merlin``: a MerLin layer as a program, with its weights.
* :func:`offload`: a model's quantum layers run over the link, the model itself stays as it is.
* :class:`Processor`: runs models as ``merlin.MerlinProcessor`` does, also asynchronously.

Examples:
    >>> import merlin, torch
    >>> from photonlink.merlin import convert, offload
    >>> layer = merlin.QuantumLayer.simple(input_size=3).quantum_layer.eval()
    >>> convert(layer).program.features
    ('input1', 'input2', 'input3')
    >>> with torch.no_grad(), offload(layer, "sim", shots=1000) as offloaded:
    ...     offloaded(torch.rand(5, 3)).shape
    torch.Size([5, 6])
"""

from __future__ import annotations

try:
    import torch as _torch  # noqa: F401  # said before anything else, with what to do about it
except ImportError as error:
    raise ImportError("photonlink.merlin needs PyTorch and MerLin: pip install 'photonlink[merlin]'") from error

from photonlink.merlin._convert import Conversion, convert
from photonlink.merlin.offload import Offloaded, OffloadedLayer, offload
from photonlink.merlin.processor import Processor, ProcessorFuture

__all__ = ["Conversion", "Offloaded", "OffloadedLayer", "Processor", "ProcessorFuture", "convert", "offload"]
