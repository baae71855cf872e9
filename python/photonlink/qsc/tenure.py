"""The session that has the processor, from its grant until its counts are in the ledger.

The native controller keeps its own lock and ends sessions by itself (idle, too long, client lost). So every session is
watched: the watch notices the end, whatever its reason, settles the accounts and lets the next client in.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from photonlink import _core
from photonlink.errors import SessionClosed
from photonlink.qsc.opening import Opened

__all__ = ["Tenure"]

_log = logging.getLogger(__name__)

_WATCH_SECONDS = 0.02


class Tenure:
    """An open session and its watch, which starts here.

    Args:
        controller: Serves the session.
        opened: The session.
        connect_timeout: Seconds after which it ends if nobody has connected.
        fold: Moves the counts of ended sessions into the ledger.
        over: Called when all is done, so that the next one may come.
    """

    def __init__(
        self,
        controller: _core.Controller,
        opened: Opened,
        connect_timeout: float,
        *,
        fold: Callable[[], Awaitable[None]],
        over: Callable[[], None],
    ) -> None:
        self.opened = opened
        self._controller = controller
        self._connect_timeout = connect_timeout
        self._since = time.monotonic()
        self._settled = asyncio.Event()
        self._watch = asyncio.create_task(self._until_settled(fold, over))  # kept: the loop holds tasks only weakly

    async def _until_settled(self, fold: Callable[[], Awaitable[None]], over: Callable[[], None]) -> None:
        number = self.opened.session
        try:
            while self._controller.status().session == number:
                if not self._connected and time.monotonic() - self._since > self._connect_timeout:
                    _log.warning("session %d: nobody connected within %.3g s", number, self._connect_timeout)
                    await asyncio.to_thread(self._controller.release, number)
                await asyncio.sleep(_WATCH_SECONDS)
            await asyncio.to_thread(self.opened.data_plane.close)
            await fold()
            _log.info("session %d ended: %s", number, self._controller.status().last_end)
        finally:
            over()
            self._settled.set()

    @property
    def _connected(self) -> bool:
        return self.opened.data_plane.accepted > 0

    async def end(self, *, stopped: bool = False) -> None:
        """Release the session, or stop it with the service, and wait until its accounts are settled."""
        with contextlib.suppress(SessionClosed):  # it has ended by itself, and is folded already
            await asyncio.to_thread(self._controller.release, self.opened.session, stopped)
        await self._settled.wait()

    def describe(self) -> dict[str, Any]:
        """Number, digest of the program, age in seconds and whether a client has come, as a JSON object."""
        return {
            "session": self.opened.session,
            "digest": self.opened.grant["digest"],
            "seconds": time.monotonic() - self._since,
            "connected": self._connected,
        }
