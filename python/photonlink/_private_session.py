"""Sessions that layers and estimators reserve for themselves."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from photonlink.controller import Controller
from photonlink.program import Program
from photonlink.reservation import reserve
from photonlink.session import Session
from photonlink.targets import overridden

__all__ = ["private_session"]


@contextlib.contextmanager
def private_session(target: str, program: Program, options: dict[str, Any]) -> Iterator[Session]:
    """A session that others do not have to wait for: in this process it gets a controller of its own."""
    with contextlib.ExitStack() as opened:
        if overridden(target)[0] == "sim" and "controller" not in options:
            options = {**options, "controller": opened.enter_context(Controller())}
        yield opened.enter_context(reserve(target, program, **options))
