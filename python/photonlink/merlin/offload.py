"""Models whose quantum layers run over the link: same weights, same outputs, another place.

Examples:
    >>> import torch
    >>> from merlin import QuantumLayer
    >>> from photonlink.merlin import offload
    >>> model = torch.nn.Sequential(torch.nn.Linear(8, 3), QuantumLayer.simple(3), torch.nn.LazyLinear(2)).eval()
    >>> x = torch.rand(5, 8)
    >>> with torch.no_grad(), offload(model, "sim") as offloaded:
    ...     y = offloaded(x)
    >>> with torch.no_grad():
    ...     bool(torch.allclose(y, model(x), atol=1e-5))
    True
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from photonlink._private_session import private_session
from photonlink.errors import ProgramError
from photonlink.merlin._link_layer import LinkLayer
from photonlink.merlin._models import Part, parts, shown
from photonlink.merlin._sessions import matching
from photonlink.program import Program
from photonlink.qsc.client import is_service
from photonlink.session import Session

__all__ = ["Offloaded", "OffloadedLayer", "offload"]

Where = str | Session


class OffloadedLayer(LinkLayer):
    """A quantum layer whose forward pass one session executes; made by :func:`offload`.

    It keeps the weights that the layer had when it was offloaded. ``state_dict()`` is the layer's own, so that a model
    can be saved while it is offloaded; weights can be loaded after :meth:`Offloaded.restore` only.

    Attributes:
        session: What executes it.
    """

    def __init__(self, part: Part, session: Session, opened: contextlib.ExitStack) -> None:
        super().__init__(part.layer, part.conversion, part.path)
        self.session = session
        self._opened = opened  # sessions live as long as somebody can use them, even if nobody keeps the Offloaded

    def _observe(self, x: torch.Tensor, shots: int | None) -> torch.Tensor:
        if shots is not None and shots != self.session.shots:
            raise ProgramError(
                f"{shown(self._path)} was called with shots={shots}, but its session was reserved with "
                f"shots={self.session.shots}: pass shots to offload(), or use photonlink.merlin.Processor, which takes "
                "nsample with every call"
            )
        return self.session.infer(x)

    def extra_repr(self) -> str:
        """For ``repr(model)``."""
        return f"target={self.session.info.target!r}, program={self._conversion.program!r}"

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """That of the layer."""
        return self._layer.state_dict(*args, **kwargs)

    def _load_from_state_dict(self, *_: Any, **__: Any) -> None:
        raise ProgramError(
            f"{shown(self._path)} is offloaded, and its weights are configured at the controller: restore the model, "
            "load the weights, and offload it again"
        )

    def __reduce__(self) -> Any:
        raise ProgramError(f"{shown(self._path)} is offloaded and holds a session, which cannot be copied: restore it")


class Offloaded:
    """A model whose quantum layers run over the link; the way back is :meth:`restore`, or the end of ``with``.

    Attributes:
        model: The model to call. The value of ``with``.
        sessions: By path of each quantum layer, the session that executes it.
    """

    def __init__(
        self, model: nn.Module, sessions: Sequence[tuple[Part, Session]], opened: contextlib.ExitStack
    ) -> None:
        self.model = self._original = model
        self.sessions = {place.path: session for part, session in sessions for place in part.places}
        self._opened = opened
        self._swaps = [(part, OffloadedLayer(part, session, opened)) for part, session in sessions]
        for part, swapped in self._swaps:
            if part.layer is model:
                self.model = swapped
            for place in part.places:
                place.put(swapped)

    def restore(self) -> nn.Module:
        """Put the model's own layers back and close the sessions that :func:`offload` reserved. May be repeated.

        A place that somebody has given another module meanwhile keeps that.

        Returns:
            The model that was offloaded.
        """
        for part, swapped in self._swaps:
            for place in part.places:
                if place.holds(swapped):
                    place.put(part.layer)
        self.model = self._original
        self._opened.close()
        return self._original

    def __enter__(self) -> nn.Module:
        return self.model

    def __exit__(self, *_: object) -> None:
        self.restore()


def offload(model: nn.Module, where: Where | Mapping[str, Where], **options: Any) -> Offloaded:
    """Have a model's quantum layers, wherever they are in it, executed over the link with their present weights.

    The model is changed in place, and given back by :meth:`Offloaded.restore`. A session executes one program, so that
    each distinct program needs one of its own; layers with the same program share it. Layers whose ``force_local`` is
    set stay as they are.

    Args:
        model: A module with quantum layers of MerLin or of ``photonlink.torch``, or such a layer itself.
        where: A target, where one session per program is reserved: ``"sim"`` gets a controller for each, and a
            controller service, which serves one session at a time, takes models of one program. Or a session, whose
            program must be that of every layer. Or a mapping from the path of each layer to its target or session.
        options: Of :func:`photonlink.reserve`, for the sessions that are reserved: shots, seed, clock, ... By default
            results are exact. The precision is that of the layers.

    Raises:
        ProgramError: A layer cannot run over the link, a session executes another program, or `where` does not cover
            the layers. The message names the layer, and the model is unchanged.
        PhotonLinkError: As :func:`photonlink.reserve`.
    """
    found = parts(model)
    chosen = _chosen(where, [part.path for part in found], options)
    with contextlib.ExitStack() as opened:
        sessions = _reserve_all(found, chosen, options, opened)
        return Offloaded(model, sessions, opened.pop_all())


def _chosen(where: Where | Mapping[str, Where], paths: list[str], options: dict[str, Any]) -> Mapping[str, Where]:
    """The target or session of each layer, by its path."""
    by_path = dict.fromkeys(paths, where) if isinstance(where, str | Session) else where
    if not isinstance(by_path, Mapping) or not all(isinstance(choice, str | Session) for choice in by_path.values()):
        raise ProgramError(f"where is {where!r}, expected a target, a session, or a mapping from paths to those")
    missing, unknown = set(paths) - set(by_path), set(by_path) - set(paths)
    if missing or unknown:
        raise ProgramError(
            f"where must name each quantum layer by its first path; missing: {sorted(missing)}, unknown: "
            f"{sorted(unknown)}. Set force_local of layers that are to stay local"
        )
    if options and not any(isinstance(choice, str) for choice in by_path.values()):
        raise ProgramError(f"{', '.join(options)} are for sessions to reserve, and where gives reserved ones")
    return by_path


def _reserve_all(
    found: Sequence[Part], chosen: Mapping[str, Where], options: dict[str, Any], opened: contextlib.ExitStack
) -> list[tuple[Part, Session]]:
    sessions: list[tuple[Part, Session]] = []
    reserved: dict[tuple[str, Program, str], Session] = {}
    for part in found:
        target, program = chosen[part.path], part.conversion.program
        if isinstance(target, Session):
            sessions.append((part, matching(target, program, part.path)))
            continue
        precision = options.get("precision", part.precision)
        if (target, program, precision) not in reserved:
            _check_free(target, [other for other, *_ in reserved], part.path)
            session = private_session(target, program, {**options, "precision": precision})
            reserved[target, program, precision] = opened.enter_context(session)
        sessions.append((part, reserved[target, program, precision]))
    return sessions


def _check_free(target: str, taken: list[str], path: str) -> None:
    if is_service(target) and target in taken:
        raise ProgramError(
            f"{shown(path)} needs a session of its own, and {target!r} serves one at a time, that of another layer: "
            "map each layer's path to a service of its own, or use photonlink.merlin.Processor, which takes turns"
        )
