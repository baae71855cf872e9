"""Sessions of estimators: one per call, or one that a ``with`` statement keeps open, or somebody else's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from photonlink import _checks
from photonlink._private_session import private_session
from photonlink.errors import ProgramError
from photonlink.info import SessionInfo, Usage
from photonlink.program import Program
from photonlink.session import Session

__all__ = ["Keeper", "Target", "check_options", "portable"]

Target = str | Session


def portable(target: Target) -> str:
    """The target's name: a session cannot be copied or pickled, and is reserved anew where it is needed."""
    return target.info.target if isinstance(target, Session) else target


def check_options(options: object) -> None:
    """Raises ProgramError unless these can be options of a reservation."""
    _checks.instance("options", options, (Mapping, type(None)), "options of photonlink.reserve by name, or None")


class Keeper:
    """Lends sessions, and knows what the last one was and used.

    Args:
        keep: Whether a session stays open for the next call with the same program and options.
    """

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep
        self._opened = contextlib.ExitStack()
        self._session: Session | None = None
        self._configured: tuple[str, Program, dict[str, Any]] | None = None
        self._lent: Session | None = None

    @property
    def info(self) -> SessionInfo | None:
        """What the session that was lent last runs on."""
        return None if self._lent is None else self._lent.info

    @property
    def usage(self) -> Usage | None:
        """What the session that was lent last has used; asked for only here, since a loop of steps has no time."""
        return None if self._lent is None else self._lent.usage

    @contextlib.contextmanager
    def lend(self, target: Target, program: Program, options: Mapping[str, Any]) -> Iterator[Session]:
        """A session that executes this program.

        Raises:
            ProgramError: A given session executes another program, or was reserved with other shots.
            PhotonLinkError: As :func:`photonlink.reserve`.
        """
        session = _matching(target, program, options) if isinstance(target, Session) else None
        if session is None:
            session = self._reserved(str(target), program, dict(options))
        self._lent = session
        try:
            yield session
        finally:
            if not self._keep:
                self.close()

    def _reserved(self, target: str, program: Program, options: dict[str, Any]) -> Session:
        """The session that is open, or a new one."""
        wanted = (target, program, options)
        if self._session is not None and not self._session.closed and self._configured == wanted:
            return self._session
        self.close()
        with contextlib.ExitStack() as opened:
            self._session = opened.enter_context(private_session(target, program, options))
            self._configured = wanted
            self._opened = opened.pop_all()
        return self._session

    def end(self) -> None:
        """End the session that was reserved, if any, and keep none from now on. May be repeated."""
        self._keep = False
        self.close()

    def close(self) -> None:
        """End the session that was reserved, if any. May be repeated."""
        self._session, self._configured = None, None
        self._opened.close()


def _matching(session: Session, program: Program, options: Mapping[str, Any]) -> Session:
    if session.program != program:
        raise ProgramError(
            f"the session executes {session.program!r}, expected {program!r}: reserve it with that program, or give a "
            "target's name"
        )
    shots = options.get("shots")
    if shots != session.shots:
        raise ProgramError(
            f"shots is {shots}, but the session was reserved with shots={session.shots}: give both the same"
        )
    return session
