"""Calls on arrays in device memory, for a session of any kind: on which device, which stream, into which memory."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from photonlink import _checks, _core
from photonlink._failures import Context
from photonlink.cuda import _part, _streams, _views
from photonlink.cuda._arguments import Arguments, arguments
from photonlink.cuda._link import KERNEL_LIMIT_SECONDS, DeviceLink, Pace
from photonlink.cuda._views import Place
from photonlink.errors import LinkTimeout, PhotonLinkError, ProgramError, SessionClosed

__all__ = ["DeviceCall", "DeviceClient", "Pace", "Terms"]

# How long the end of a session waits for launches in flight to finish by themselves, and, once their link is closed,
# to leave.
_GRACE_SECONDS = 2.0
_LEAVE_SECONDS = 5.0
_SYNCHRONIZE_SECONDS = 60.0


@dataclass(frozen=True)
class Terms:
    """What calls from a device must know of their session.

    Attributes:
        context: For error messages.
        output_size: Observables per datapoint.
        precision: Of the results, "float64" or "float32".
        pace: How fast the processor answers.
        timeout: The session's own deadline of a call in seconds, if it was given one.
        open_port: Opens a port; takes the number of slots that the caller wants, None for the usual one.
    """

    context: Context
    output_size: int
    precision: str
    pace: Pace
    timeout: float | None
    open_port: Callable[[int | None], _core.DevicePort]


@dataclass(frozen=True)
class _Call:
    """A checked call."""

    link: DeviceLink
    arguments: Arguments
    timeout: float
    stream: int


class DeviceCall:
    """A call whose datapoints are on their way; from ``session.submit()``. Collect it once.

    Dropped without, its datapoints are given up: they still count as tokens, and its slots come back.
    """

    def __init__(self, call: _Call, submitted: Any) -> None:
        self._call: _Call | None = call
        self._submitted = submitted

    def collect(self, stream: Any = None, timeout: float | None = None) -> Any:
        """Launch the second half of the call: it waits, on the device, for answers that are not there yet.

        Args:
            stream: By default the one that the call was submitted on. Another one must come after it (an event), as
                with any work that depends on other work.
            timeout: Seconds that the launch may take, at most the limit of a launch, which is the default.

        Returns:
            What ``infer`` would have returned. It is filled when the stream gets there.

        Raises:
            ProgramError: The call was collected before, or `stream` is no stream.
            SessionClosed: The session is closed.
            DeviceError: CUDA refused the launch.
        """
        if self._call is None:
            raise ProgramError("the call was collected before: its result is what collect() returned then")
        call = self._call
        _checks.seconds("timeout", timeout)
        if self._submitted is not None:
            limit = call.link.kernel_limit if timeout is None else timeout
            call.link.collect(self._submitted, limit, call.stream if stream is None else _streams.handle_of(stream))
        self._call = self._submitted = None
        return call.arguments.result


class DeviceClient:
    """A session's calls from devices; opens a link to each device at its first call."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._lock = threading.Lock()
        self._links: dict[int, DeviceLink] = {}
        self._closed = False

    # ---- calls

    def infer(self, x: Any, out: Any, timeout: float | None, stream: Any, statuses: Any) -> Any:
        """See ``Session.infer``."""
        call = self._prepare(x, out, timeout, stream, statuses)
        if call.arguments.rows:
            call.link.infer(call.arguments, call.timeout, call.stream)
        return call.arguments.result

    def submit(self, x: Any, out: Any, timeout: float | None, stream: Any, statuses: Any) -> DeviceCall:
        """See ``Session.submit``."""
        call = self._prepare(x, out, timeout, stream, statuses)
        if call.arguments.rows == 0:
            return DeviceCall(call, None)
        return DeviceCall(call, call.link.submit(call.arguments, call.timeout, call.stream))

    def _prepare(self, x: Any, out: Any, timeout: float | None, stream: Any, statuses: Any) -> _Call:
        _part.part()  # no device: say so before anything else
        place = _views.locate(x, "x")
        link = self._link_for_call(place)
        link.check()
        handle = _streams.stream_for(stream, place.framework, place.device, place.interface)
        writer = _streams.writer_of(place.interface, handle)
        if writer is not None:
            link.synchronize(writer, self._wait_seconds(timeout))
        width = len(self._terms.context.features)
        found = arguments(
            x, out, statuses, place, handle, width=width, size=self._terms.output_size, precision=self._terms.precision
        )
        limit = timeout if timeout is not None else self._terms.timeout
        _checks.seconds("timeout", limit)
        seconds = link.kernel_limit if limit is None else min(limit, link.kernel_limit)
        return _Call(link, found, seconds, handle)

    # ---- links

    def link(self, device: int | None, kernel_limit: float | None, slots: int | None) -> DeviceLink:
        """See ``Session.device_link``."""
        index = _streams.current_device() if device is None else _checks.integer("device", device, 0, 1 << 16)
        _part.device(index)
        _checks.seconds("kernel_limit", kernel_limit)
        if slots is not None:
            _checks.integer("slots", slots, 1, 4096)
        with self._lock:
            found = self._links.get(index)
            if found is None:
                if self._closed:
                    raise SessionClosed("the session is closed: reserve a new one", target=self._terms.context.target)
                found = DeviceLink(
                    self._terms.open_port(slots),
                    device=index,
                    pace=self._terms.pace,
                    kernel_limit=KERNEL_LIMIT_SECONDS if kernel_limit is None else kernel_limit,
                    context=self._terms.context,
                )
                self._links[index] = found
                return found
        if (kernel_limit is not None and kernel_limit != found.kernel_limit) or (
            slots is not None and slots != found.slots
        ):
            raise ProgramError(
                f"the link of device {index} is open already, with kernel_limit={found.kernel_limit:g} and "
                f"slots={found.slots}: open it with other values before the first call"
            )
        return found

    def _link_for_call(self, place: Place) -> DeviceLink:
        found = self._links.get(place.device)
        if found is not None:
            return found
        if place.framework is not None and place.framework.is_capturing():
            raise ProgramError(
                "the first call on a device allocates memory, which cannot happen while a graph is captured: call "
                "session.device_link() before the capture"
            )
        return self.link(place.device, None, None)

    # ---- failures, waiting, the end

    def check(self) -> None:
        """See ``Session.check``."""
        for link in list(self._links.values()):
            link.check()

    def synchronize(self, stream: Any, timeout: float | None) -> None:
        """See ``Session.synchronize``."""
        for device, link in list(self._links.items()):
            for handle in _streams.current_streams(device) if stream is None else [_streams.handle_of(stream)]:
                link.synchronize(handle, self._wait_seconds(timeout))
        self.check()

    def _wait_seconds(self, timeout: float | None) -> float:
        _checks.seconds("timeout", timeout)
        return _SYNCHRONIZE_SECONDS if timeout is None else timeout

    def close(self) -> PhotonLinkError | None:
        """Close every link; launches in flight may end first. The failure that nobody has seen, if there is one."""
        with self._lock:
            self._closed = True
        first: PhotonLinkError | None = None
        for link in self._links.values():
            failure: PhotonLinkError | None = None
            try:
                _let_replays_end(link)
            except PhotonLinkError as error:
                failure = error
            link.close(_GRACE_SECONDS, _LEAVE_SECONDS)
            first = first or link.take_failure() or failure
        return first


def _let_replays_end(link: DeviceLink) -> None:
    """Nobody counts the replays of a graph; those on the current streams get the time that other launches get."""
    if link.captured:
        for handle in _streams.current_streams(link.device):
            with contextlib.suppress(LinkTimeout):
                link.synchronize(handle, _GRACE_SECONDS)
