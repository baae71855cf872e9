"""Sessions that layers and estimators reserve for themselves."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from photonlink.controller import Controller
from photonlink.errors import ProgramError
from photonlink.program import Program
from photonlink.reservation import reserve
from photonlink.session import Session
from photonlink.targets import overridden

__all__ = ["private_session", "require_unchanged"]


@contextlib.contextmanager
def private_session(target: str, program: Program, options: dict[str, Any]) -> Iterator[Session]:
    """A session that others do not have to wait for: in this process it gets a controller of its own."""
    with contextlib.ExitStack() as opened:
        if overridden(target)[0] == "sim" and "controller" not in options:
            options = {**options, "controller": opened.enter_context(Controller())}
        session = opened.enter_context(reserve(target, program, **options))
        require_unchanged(session, program)
        yield session


def require_unchanged(session: Session, program: Program) -> None:
    """For callers who know what each output of `program` means.

    Raises:
        ProgramError: The target executes another program: with the noise of a chip, of which the outputs are others.
    """
    if session.program.digest != program.digest:
        raise ProgramError(
            f"{session.info.processor!r} executes programs with sources and detectors of its own, which show other "
            f"outputs than the {program.output_size} that are expected here: reserve a session yourself and use its "
            "session.program, or choose 'perceval:slos'",
            target=session.info.target,
        )
