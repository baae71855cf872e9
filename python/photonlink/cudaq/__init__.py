"""CUDA-Q targets: ``cudaq.set_target("photonlink")`` runs kernels on a photonic processor.

CUDA-Q finds :func:`register` through the entry point ``cudaq.backends`` and calls it inside ``import cudaq``. Nothing
is loaded before one of the targets is selected.
"""

from __future__ import annotations

__all__ = ["register"]


def register() -> None:
    """Make the targets known to CUDA-Q. Called by ``import cudaq``; it may be called again."""
    from photonlink.cudaq.registry import register_targets

    register_targets()
