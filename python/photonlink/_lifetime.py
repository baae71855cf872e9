"""How long a session lasts: in one process, until it is closed, and no longer than the interpreter."""

from __future__ import annotations

import atexit
import os
import threading
import warnings
import weakref
from typing import Self

from photonlink.controller import close_all
from photonlink.errors import PhotonLinkError, SessionClosed
from photonlink.info import SessionInfo, Usage

__all__ = ["Lifetime"]


class Lifetime:
    """The part of a session that ends it: once, whoever does it, and when the interpreter goes if nobody did."""

    _info: SessionInfo

    def _begin(self) -> None:
        """The last step of a constructor: from now on there is something to close."""
        self._pid = os.getpid()
        self._close_lock = threading.Lock()
        self._final: Usage | None = None
        _open.add(self)

    def _stop(self) -> PhotonLinkError | None:
        """End the calls of other threads and devices; returns an error that nobody has seen yet."""
        raise NotImplementedError

    def _release(self) -> Usage:
        """Give everything back, also after a stop that failed; returns what was used."""
        raise NotImplementedError

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called, or this process is a forked child that inherited the session."""
        return self._final is not None or os.getpid() != self._pid

    def close(self) -> Usage:
        """Release the processor. Calls in other threads end with ``SessionClosed``. May be repeated.

        Launches in flight on a device get two seconds to end by themselves; then their rows become NaN.

        Returns:
            What the session used.

        Raises:
            SessionClosed: This process is a forked child; the session lives on in the parent.
            PhotonLinkError: A device call failed, and nobody has seen it yet. Everything is released all the same,
                and closing again returns. If an error leaves the ``with`` statement already, that one goes on, with
                a note about this one.
        """
        self._require_own_process()
        unseen = None
        with self._close_lock:
            if self._final is None:
                try:
                    unseen = self._stop()
                finally:
                    self._final = self._release()
        if unseen is not None:
            raise unseen
        return self._final

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if os.getpid() != self._pid:
            return
        try:
            self.close()
        except PhotonLinkError as unseen:
            if error is None:
                raise
            error.add_note(f"and a device call had failed: {type(unseen).__name__}: {unseen}")

    def _close_unheard(self) -> None:
        """Close where nobody could catch an error."""
        try:
            self.__exit__(None, None, None)
        except PhotonLinkError as unseen:
            warnings.warn(f"{self!r}: {unseen}", RuntimeWarning, stacklevel=2)

    def __del__(self) -> None:
        if getattr(self, "_final", self) is None and os.getpid() == self._pid:
            warnings.warn(
                f"{self!r} was not closed: use it in a with statement", ResourceWarning, stacklevel=2, source=self
            )
            self._close_unheard()

    def _require_own_process(self) -> None:
        if os.getpid() != self._pid:
            raise SessionClosed(
                "this session belongs to the parent process and does not survive a fork: reserve one in this process",
                target=self._info.target,
            )

    def _require_open(self) -> None:
        self._require_own_process()
        if self._final is not None:
            raise SessionClosed("the session is closed: reserve a new one", target=self._info.target)


_open: weakref.WeakSet[Lifetime] = weakref.WeakSet()


@atexit.register
def _close_everything() -> None:
    """Sessions that are still open at exit release their processors before the interpreter goes away."""
    for session in list(_open):
        session._close_unheard()
    close_all()
