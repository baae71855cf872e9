"""A lock with a bounded queue in order of arrival, for coroutines."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from photonlink.errors import PhotonLinkError

__all__ = ["Turnstile"]

# How often a waiting client is asked whether it is still there.
_LOOK_SECONDS = 0.5


class Turnstile:
    """Lets one in at a time. Whoever was let in must call :meth:`leave`.

    Args:
        places: How many may wait.
        refused: Makes the error for those who cannot be let in, from a sentence that says why.
    """

    def __init__(self, places: int, refused: Callable[[str], PhotonLinkError]) -> None:
        self._places = places
        self._refused = refused
        self._held = False
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed: PhotonLinkError | None = None

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    async def enter(self, wait: float, gone: Callable[[], Awaitable[bool]]) -> None:
        """Be let in at once, or after at most `wait` seconds in the queue, in order of arrival.

        Raises:
            PhotonLinkError: Not let in: held without `wait`, queue full, time over, client `gone`, or closed.
        """
        if self._closed is not None:
            raise self._closed
        if not self._held:
            self._held = True
            return
        if wait <= 0:
            raise self._refused("it is held by another session")
        if len(self._waiting) >= self._places:
            raise self._refused(f"all {self._places} places in its queue are taken")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await self._wait(turn, wait, gone)
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.leave()  # the turn came in that very moment, and nobody is there to take it
            raise
        finally:
            if turn in self._waiting:
                self._waiting.remove(turn)

    async def _wait(self, turn: asyncio.Future[None], wait: float, gone: Callable[[], Awaitable[bool]]) -> None:
        end = asyncio.get_running_loop().time() + wait
        while not turn.done():
            left = end - asyncio.get_running_loop().time()
            if left <= 0:
                raise self._refused(f"it was held by others for the {wait:g} s of the wait")
            if await gone():
                raise self._refused("the client has left the queue")
            await asyncio.wait({turn}, timeout=min(left, _LOOK_SECONDS))
        turn.result()

    def leave(self) -> None:
        """Let the next one in."""
        if self._waiting:
            self._waiting.popleft().set_result(None)
        else:
            self._held = False

    def close(self, error: PhotonLinkError) -> None:
        """Refuse everybody who waits or comes, with `error`."""
        self._closed = error
        while self._waiting:
            self._waiting.popleft().set_exception(error)

    def reopen(self) -> None:
        """Take back :meth:`close`."""
        self._closed = None
