"""MerLin's fidelity kernels and feature maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from photonlink.errors import ProgramError
from photonlink.learn.kernels import FidelityKernel

__all__ = ["is_merlin", "merlin_kernel"]


def is_merlin(feature_map: Any) -> bool:
    """Whether this is a kernel or feature map of MerLin, told by its class, so that MerLin need not be imported."""
    return any(
        cls.__name__ in ("FidelityKernel", "FeatureMap") and cls.__module__.startswith("merlin.")
        for cls in type(feature_map).__mro__
    )


def merlin_kernel(
    source: Any, *, input_state: Sequence[int] | None = None, n_photons: int | None = None, **arguments: Any
) -> FidelityKernel:
    """The kernel that a MerLin ``FidelityKernel`` computes, with the weights that it has now.

    Shots, space, projection and precision are MerLin's unless others are given. MerLin 0.4 computes
    |<s|U(x1) U(x2)^dagger|s>|^2; so does this (``convention="merlin"``).

    Args:
        source: A ``merlin.FidelityKernel``, or a ``merlin.FeatureMap`` without trainable parameters.
        input_state: Photons per mode, for a FeatureMap; by default MerLin's.
        n_photons: Or their number, from which MerLin makes the state.
        arguments: Of :class:`photonlink.learn.FidelityKernel`, e.g. ``target`` and ``shots``.

    Raises:
        ProgramError: It is neither, its weights are not known, or a Program cannot express it.
        TargetUnavailable: This version of MerLin is not supported.
    """
    if not is_merlin(source):
        raise ProgramError(f"expected a merlin.FidelityKernel or merlin.FeatureMap, got {type(source).__qualname__}")
    import merlin

    from photonlink.merlin import convert

    given = {"input_state": input_state, "n_photons": n_photons}
    if isinstance(source, merlin.FeatureMap):
        if source.is_trainable:
            raise ProgramError(
                "the FeatureMap has trainable parameters, whose values a merlin.FidelityKernel holds: pass that"
            )
        state = None if input_state is None else list(input_state)
        source = merlin.FidelityKernel(source, state, n_photons=n_photons)
    elif any(value is not None for value in given.values()):
        raise ProgramError("a merlin.FidelityKernel has its input state: leave input_state and n_photons away")
    program = convert(source._quantum_layer).program
    own = {
        "space": str(source.computation_space.value),
        "shots": source.shots or None,
        "psd": source.force_psd,
        "precision": str(source.dtype).rpartition(".")[2],
    }
    return FidelityKernel(program, convention="merlin", **{**own, **arguments})
