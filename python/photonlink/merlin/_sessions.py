"""Sessions for the quantum layers of models: private ones, given ones, and a pool of those of one target."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from photonlink._checks import integer
from photonlink._private_session import private_session
from photonlink.errors import LinkClosed, LinkTimeout, PhotonLinkError, ProgramError, SessionClosed
from photonlink.merlin._models import shown
from photonlink.program import Precision, Program
from photonlink.qsc.client import is_service
from photonlink.session import Session
from photonlink.targets import overridden

__all__ = ["GivenSession", "Lender", "SessionPool", "matching"]

# Controllers in this process, each with a program's tables: more than the quantum layers of most models.
_MOST_LOCAL = 8


def matching(session: Session, program: Program, path: str) -> Session:
    """The session, if it executes this very program.

    Raises:
        ProgramError: It executes another one, or the layer has other weights by now.
    """
    if session.program.digest != program.digest:
        raise ProgramError(
            f"the session executes {session.program!r}, and {shown(path)} is {program!r}: reserve it with "
            "photonlink.merlin.convert(layer).program, after the layer's weights were changed for the last time"
        )
    return session


class Lender(Protocol):
    """Lends sessions, one call at a time."""

    def lend(
        self, program: Program, path: str, shots: int | None, precision: Precision, deadline: float | None
    ) -> contextlib.AbstractContextManager[Session]:
        """A session that executes this program; `deadline` is a time of ``time.monotonic()``."""

    def close(self) -> None:
        """End what was reserved."""


class GivenSession:
    """Lends the one session that somebody else reserved and closes."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def lend(
        self, program: Program, path: str, shots: int | None, _precision: Precision, _deadline: float | None
    ) -> contextlib.AbstractContextManager[Session]:
        """The session.

        Raises:
            ProgramError: It executes another program, or was reserved with other shots.
        """
        if shots != self._session.shots:
            raise ProgramError(
                f"{shown(path)} was called with nsample={shots}, but the session was reserved with "
                f"shots={self._session.shots}: pass that, or give the processor a target instead of a session"
            )
        return contextlib.nullcontext(matching(self._session, program, path))

    def close(self) -> None:
        """Nothing: the session is its owner's."""


_Key = tuple[Program, int | None, Precision]


@dataclass
class _Reserved:
    session: Session
    opened: contextlib.ExitStack
    users: int = field(default=0)


class SessionPool:
    """Lends sessions of one target and keeps them for the next call with the same program, shots and precision.

    A controller service has one session at a time: there, models of several programs take turns, each turn being a
    reservation. In this process a few controllers live side by side. Sessions that nobody uses make room, the least
    recently used first. One that ends by itself (idle for too long, out of budget) fails the calls that it has; the
    next call gets another.
    """

    def __init__(self, target: str, options: dict[str, Any]) -> None:
        self._target = target
        self._options = options
        self._seed = integer("seed", options.get("seed", 0), 0, 2**64 - 1)
        self._most = 1 if is_service(overridden(target)[0]) or "controller" in options else _MOST_LOCAL
        self._reserved: OrderedDict[_Key, _Reserved] = OrderedDict()
        self._times: Counter[_Key] = Counter()
        self._changed = threading.Condition()
        self._closed = False

    @contextlib.contextmanager
    def lend(
        self, program: Program, path: str, shots: int | None, precision: Precision, deadline: float | None
    ) -> Iterator[Session]:
        """A session of this program, reserved now if need be.

        Raises:
            LinkTimeout: Other calls used all sessions until the deadline.
            SessionClosed: The pool is closed.
            PhotonLinkError: As :func:`photonlink.reserve`.
        """
        key = (program, shots, precision)
        # Reserving is bounded, so it may happen under the lock: nobody then reserves the same program twice.
        with self._changed:
            while key not in self._reserved and not self._room():
                self._wait(path, deadline)
            if self._closed:
                raise SessionClosed("the processor is closed: make a new one")
            if key not in self._reserved:
                self._reserved[key] = self._reserve(key)
            entry = self._reserved[key]
            entry.users += 1
            self._reserved.move_to_end(key)
        try:
            yield entry.session
        except (SessionClosed, LinkClosed):
            with self._changed:
                if self._reserved.get(key) is entry:
                    del self._reserved[key]
            raise
        finally:
            self._return(key, entry)

    def _return(self, key: _Key, entry: _Reserved) -> None:
        with self._changed:
            entry.users -= 1
            if not entry.users and self._reserved.get(key) is not entry:
                with contextlib.suppress(PhotonLinkError):  # how it ended, its users know
                    entry.opened.close()
            self._changed.notify_all()

    def _room(self) -> bool:
        """Whether a session may be reserved, after the least recently used idle one was ended if need be."""
        if len(self._reserved) < self._most or self._closed:
            return True
        idle = next((key for key, entry in self._reserved.items() if not entry.users), None)
        if idle is not None:
            self._reserved.pop(idle).opened.close()
        return idle is not None

    def _wait(self, path: str, deadline: float | None) -> None:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and (left <= 0 or not self._changed.wait(left)):
            raise LinkTimeout(f"{shown(path)} got no session: other calls used all {self._most} until the deadline")
        if left is None:
            self._changed.wait()  # each of those calls has a deadline of its own

    def _reserve(self, key: _Key) -> _Reserved:
        program, shots, precision = key
        # Each time another seed: the same one would draw the same samples again.
        seed = (self._seed + self._times[key]) % 2**64
        self._times[key] += 1
        options = {"precision": precision, **self._options, "shots": shots, "seed": seed}
        with contextlib.ExitStack() as opened:
            session = opened.enter_context(private_session(self._target, program, options))
            return _Reserved(session, opened.pop_all())

    def close(self) -> None:
        """End every session; calls in flight fail with ``SessionClosed``. May be repeated."""
        with self._changed:
            self._closed = True
            ended = list(self._reserved.values())
            self._reserved.clear()
            self._changed.notify_all()
        for entry in ended:
            entry.opened.close()
