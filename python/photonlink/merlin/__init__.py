"""MerLin models on photonlink: their layers as programs.

Examples:
    >>> import merlin, torch
    >>> from photonlink.merlin import convert
    >>> layer = merlin.QuantumLayer.simple(input_size=3).quantum_layer
    >>> convert(layer).program.features
    ('input1', 'input2', 'input3')
"""

from __future__ import annotations

from photonlink.merlin._convert import Conversion, convert

__all__ = ["Conversion", "convert"]
