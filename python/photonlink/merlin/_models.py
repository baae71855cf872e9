"""Quantum layers inside models: where they are, and the program of each."""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from photonlink._layers import LayerProgram
from photonlink.errors import ProgramError
from photonlink.merlin._convert import Conversion, convert, weights
from photonlink.program import Precision

__all__ = ["Conversions", "Part", "Place", "is_merlins", "parts", "places", "replaced", "shown"]


@dataclass(frozen=True, eq=False)
class Place:
    """Where a model holds a quantum layer.

    Attributes:
        path: As in ``model.named_modules()``; "" for a model that is itself a quantum layer.
        parent: The module that holds the layer, None for the model itself.
        name: Under which the parent holds it.
    """

    path: str
    parent: nn.Module | None
    name: str

    def put(self, module: nn.Module) -> None:
        """Have the parent hold this module."""
        if self.parent is not None:
            self.parent._modules[self.name] = module

    def holds(self, module: nn.Module) -> bool:
        """Whether the parent holds this module now."""
        return self.parent is not None and self.parent._modules.get(self.name) is module


@dataclass(frozen=True, eq=False)
class Part:
    """A quantum layer of a model, with the weights it had when it was found.

    Attributes:
        layer: The layer.
        places: Where the model holds it: more than one if it uses the layer several times.
        conversion: The layer as a program.
    """

    layer: nn.Module
    places: Sequence[Place]
    conversion: Conversion

    @property
    def path(self) -> str:
        """The first place."""
        return self.places[0].path

    @property
    def precision(self) -> Precision:
        """Type of the layer's arithmetic."""
        return "float64" if self.layer.dtype == torch.float64 else "float32"


def _classes(module: str, *names: str) -> Any:
    """Classes of a module, if it was imported: before that, nothing can be an instance of them."""
    loaded = sys.modules.get(module)
    return () if loaded is None else tuple(getattr(loaded, name) for name in names)


def is_quantum(module: nn.Module) -> bool:
    """Whether this is a quantum layer of MerLin or of photonlink. Subclasses with code of their own are others."""
    ours = any(isinstance(module, known) and type(module).forward is known.forward for known in _own_layers())
    return ours or type(module) in _classes("merlin", "QuantumLayer")


def is_merlins(module: nn.Module) -> bool:
    """Whether this is a quantum layer of MerLin."""
    return isinstance(module, _classes("merlin", "QuantumLayer"))


def _own_layers() -> Any:
    return _classes("photonlink.torch", "QuantumLayer")


def places(model: nn.Module) -> dict[nn.Module, list[Place]]:
    """Quantum layers and where they are, in the order in which ``model.named_modules()`` meets them.

    Modules whose ``force_local`` is set are left out, with all that is in them.

    Raises:
        ProgramError: The model is no module, has no quantum layer, or has a quantum module of another kind, which
            would be simulated locally without anybody saying so.
    """
    if not isinstance(model, nn.Module):
        raise ProgramError(f"model is a {type(model).__name__}, expected a torch.nn.Module")
    found: dict[nn.Module, list[Place]] = {}
    seen: set[nn.Module] = set()
    local: list[nn.Module] = []

    def visit(module: nn.Module, place: Place) -> None:
        if getattr(module, "force_local", False):
            local.append(module)
        elif is_quantum(module):
            found.setdefault(module, []).append(place)
        elif module not in seen:
            seen.add(module)
            _check_kind(module, place.path)
            for name, child in module._modules.items():
                if child is not None:
                    visit(child, Place(f"{place.path}.{name}" if place.path else name, module, name))

    visit(model, Place("", None, ""))
    if not found and not local:
        raise ProgramError(
            f"{type(model).__name__} has no quantum layer that could run over the link: expected a QuantumLayer of "
            "MerLin or of photonlink.torch among its modules"
        )
    return found


def _check_kind(module: nn.Module, path: str) -> None:
    bases = _classes("merlin.algorithms.module", "MerlinModule")
    subclass = is_merlins(module) or isinstance(module, _own_layers())
    if subclass or (isinstance(module, bases) and not any(map(is_quantum, module.modules()))):
        raise ProgramError(
            f"{shown(path)} is a {type(module).__name__}, which cannot run over the link: only a QuantumLayer can. Set "
            "its force_local to have it run where it is"
        )


def shown(path: str) -> str:
    """A path, for messages."""
    return f"layer {path!r}" if path else "the layer"


def conversion_of(layer: nn.Module, path: str) -> Conversion:
    """A quantum layer with its present weights as a program.

    Raises:
        ProgramError: The layer cannot run over the link; the message names it.
    """
    if getattr(layer, "return_object", False):
        raise ProgramError(f"{shown(path)} returns objects (return_object=True), and a session returns tensors")
    try:
        return _own(layer) if isinstance(layer, _own_layers()) else convert(layer)
    except ProgramError as error:
        raise ProgramError(f"{shown(path)} cannot run over the link: {error}") from error


def _own(layer: nn.Module) -> Conversion:
    if layer._layer.amplitudes:
        raise ProgramError("it returns amplitudes, which no detector can measure: use probabilities")
    return Conversion(layer._layer, _weights(layer, layer._layer))


def _weights(layer: nn.Module, program: LayerProgram) -> NDArray[np.float64]:
    """The layer's weights now, in the order of the program's parameters."""
    if isinstance(layer, _own_layers()):  # whose weights may be computed from others
        return np.asarray(layer._values().detach().cpu().numpy(), np.float64)
    return weights(layer, program)


def parts(model: nn.Module, convert_layer: Callable[[nn.Module, str], Conversion] = conversion_of) -> list[Part]:
    """The quantum layers of a model as programs, each once.

    Raises:
        ProgramError: As :func:`places`; or a layer cannot run over the link: the message names it.
    """
    return [Part(layer, held, convert_layer(layer, held[0].path)) for layer, held in places(model).items()]


class Conversions:
    """Conversions of layers that are used again and again: what did not change since the last time is kept.

    Understanding a circuit takes some hundred times as long as putting other weights into it.
    """

    def __init__(self) -> None:
        self._known: weakref.WeakKeyDictionary[nn.Module, tuple[object, Conversion]] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def of(self, layer: nn.Module, path: str) -> Conversion:
        """The layer with its present weights.

        Raises:
            ProgramError: As :func:`conversion_of`.
        """
        with self._lock:
            now = getattr(layer, "input_state", None)  # MerLin's can be set anew, which makes another program
            state, known = self._known.get(layer, (None, None))
            if known is None or state is not now:
                known = conversion_of(layer, path)
            elif not np.array_equal(values := _weights(layer, known.layer), known.values):
                known = Conversion(known.layer, values)
            self._known[layer] = now, known
        return known


def replaced(module: nn.Module, others: Mapping[nn.Module, nn.Module]) -> nn.Module:
    """A module with others in place of some of its modules, which shares all the rest with the original.

    Its forward pass is the original's own, and the original is not changed. (As ``torch.nn.DataParallel`` makes its
    replicas, but with the same parameters.)
    """
    known = dict(others)

    def visit(inner: nn.Module) -> nn.Module:
        if isinstance(inner, _classes("torch._dynamo.eval_frame", "OptimizedModule")):
            return visit(inner._orig_mod)  # what it compiled would go on calling the original
        if inner not in known:
            children = {name: child if child is None else visit(child) for name, child in inner._modules.items()}
            if all(child is inner._modules[name] for name, child in children.items()):
                known[inner] = inner
            else:
                known[inner] = twin = inner.__new__(type(inner))
                twin.__dict__ = {**inner.__dict__, "_modules": children}
        return known[inner]

    return visit(module)
