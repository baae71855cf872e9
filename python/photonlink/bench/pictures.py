"""Pictures of benchmarks, drawn without a display."""

from __future__ import annotations

from typing import Any

from photonlink import _packages

__all__ = ["canvas_of"]


def canvas_of(columns: int, *, size: tuple[float, float]) -> tuple[Any, Any]:
    """An empty matplotlib canvas and its axes, side by side.

    Args:
        columns: Number of axes.
        size: Width and height, inches.

    Raises:
        TargetUnavailable: matplotlib is missing.
    """
    _packages.require(["matplotlib"], "demo", by="a picture")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    canvas = FigureCanvasAgg(Figure(figsize=size, layout="constrained"))
    return canvas, canvas.figure.subplots(1, columns)
