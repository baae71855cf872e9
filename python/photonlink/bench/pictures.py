"""Pictures of benchmarks, drawn without a display."""

from __future__ import annotations

import importlib.util
from typing import Any

from photonlink.errors import TargetUnavailable, Unavailable

__all__ = ["canvas_of"]


def canvas_of(columns: int, *, size: tuple[float, float]) -> tuple[Any, Any]:
    """An empty matplotlib canvas and its axes, side by side.

    Args:
        columns: Number of axes.
        size: Width and height, inches.

    Raises:
        TargetUnavailable: matplotlib is missing.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise TargetUnavailable(
            "a picture needs matplotlib, which is not installed; pip install 'photonlink[demo]'",
            reason=Unavailable.NOT_INSTALLED,
        )
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    canvas = FigureCanvasAgg(Figure(figsize=size, layout="constrained"))
    return canvas, canvas.figure.subplots(1, columns)
