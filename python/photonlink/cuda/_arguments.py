"""Arrays of one call from device memory, checked: what is read, what is written, and what the caller gets back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from photonlink.cuda import _views
from photonlink.cuda._views import DeviceView, Place
from photonlink.errors import ProgramError

__all__ = ["Arguments", "arguments"]


@dataclass(frozen=True)
class Arguments:
    """The arrays of a call.

    Attributes:
        x: Features.
        y: Results.
        statuses: How each row ended, if that is wanted.
        result: What the caller gets back: the array that `y` views.
        rows: Datapoints.
    """

    x: DeviceView
    y: DeviceView
    statuses: DeviceView | None
    result: Any
    rows: int

    def batch(self, first: int = 0) -> tuple[int, ...]:
        """Features, results and statuses from row `first` on, as the native part wants them."""
        x, y = self.x, self.y
        return (
            x.pointer + first * x.row_stride * x.itemsize,
            x.itemsize,
            x.row_stride,
            y.pointer + first * y.row_stride * y.itemsize,
            y.row_stride,
            0 if self.statuses is None else self.statuses.pointer + 4 * first,
        )


def arguments(
    x: Any, out: Any, statuses: Any, place: Place, stream: int, *, width: int, size: int, precision: str
) -> Arguments:
    """The arrays of a call of `width` features and `size` results per row, ready to be used on `stream`.

    Raises:
        ProgramError: One has a wrong type, dtype, shape, strides or device.
    """
    features = _views.features(x, width, place, stream)
    shape = (*features.shape[:-1], size)
    rows = features.shape[0] if len(features.shape) == 2 else 1
    result = _empty(x, place, shape, precision, stream) if out is None else out
    y = _views.output(result, shape, precision, features, stream)
    states = None if statuses is None else _views.statuses_output(statuses, rows, features, stream)
    return Arguments(features, y, states, result, rows)


def _empty(x: Any, place: Place, shape: tuple[int, ...], precision: str, stream: int) -> Any:
    framework = place.framework
    if framework is None:
        raise ProgramError(
            f"results cannot be allocated as {type(x).__module__} arrays: pass out=, an array of shape {shape} "
            f"and dtype {precision} on the same device"
        )
    if framework.current_stream(place.device) == stream:
        return framework.empty(shape, precision, place.device, None)
    framework.used_on(x, stream)
    return framework.empty(shape, precision, place.device, stream)
