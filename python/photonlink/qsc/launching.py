"""A service in a process of its own, for tests and notebooks.

Examples:
    >>> import tempfile
    >>> import numpy as np
    >>> import photonlink as phl
    >>> from photonlink.qsc.launching import ServiceProcess
    >>> program = phl.Program.reservoir(4, 2, features=4)
    >>> with tempfile.TemporaryDirectory() as folder, ServiceProcess("--ledger", f"{folder}/ledger.sqlite") as service:
    ...     with phl.reserve(service.target, program) as session:
    ...         session.infer(np.zeros((5, 4))).shape, session.info.link
    ...     session.usage.tokens
    ((5, 6), 'shared memory')
    5
"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from photonlink.errors import ServiceError

__all__ = ["READY", "Child", "ServiceProcess"]

READY = re.compile(r"PHOTONLINK_QSC_READY http=(\S+) (?:udp=(\S+) )?shm=(\S+?)(?: bridge=\"([^\"]*)\")?\n")

_START_SECONDS = 180.0  # on a machine with far more to do than it can
_END_SECONDS = 90.0  # longer than an end takes with the usual drain; see server.LONGEST_END_SECONDS
_MOST_SAID = 2**20


class Child:
    """A process of this package that says when it can be used, and runs until the context ends.

    Args:
        command: Arguments of the interpreter.
        ready: The line that it prints then.
        popen: Further arguments of ``subprocess.Popen``.

    Attributes:
        process: The process.
        ready: What the line held.

    Raises:
        ServiceError: It did not start; the message holds what it said.
    """

    def __init__(self, command: Sequence[str], ready: re.Pattern[str], **popen: Any) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - close() does
        self.process = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, stderr=self._said, **popen)
        try:
            self.ready = self._wait_until(ready)
        except BaseException:
            self.kill()
            raise

    def _wait_until(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """The first line that matches: some transport providers print lines of their own before it."""
        assert self.process.stdout is not None
        end = time.monotonic() + _START_SECONDS
        unread = b""
        while True:
            readable, _, _ = select.select([self.process.stdout], [], [], max(0.0, end - time.monotonic()))
            part = os.read(self.process.stdout.fileno(), 4096) if readable else b""
            if not part:
                raise ServiceError(f"the service did not start within {_START_SECONDS:g} s: {self.said()}")
            *lines, unread = (unread + part).split(b"\n")
            for line in lines:
                if ready := pattern.fullmatch(line.decode(errors="replace") + "\n"):
                    return ready

    def said(self) -> str:
        """Its log so far."""
        return os.pread(self._said.fileno(), _MOST_SAID, 0).decode(errors="replace")  # the offset is the writer's

    def stop(self) -> int:
        """Ask it to end, and wait; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(_END_SECONDS)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.process.kill()
        self.process.wait(_END_SECONDS)
        self.close()

    def close(self) -> None:
        """Let go of its log and output; the process must have ended."""
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._said.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            self.kill()  # if it did not; in any case its log is closed


class ServiceProcess(Child):
    """Runs ``photonlink qsc serve`` until the context ends.

    Args:
        arguments: Options of the command. Any free port is taken unless they name one.
        popen: Further arguments of ``subprocess.Popen``.

    Attributes:
        target: ``qsc://host:port``.
        udp: host:port of its UDP data plane, ``None`` if it has none.
        name: Name of the service; ``shm://name`` reaches it too.
        bridge: What the provider of its bridge says of its endpoint, ``None`` if it has none.

    Raises:
        ServiceError: It did not start; the message holds what it said.
    """

    def __init__(self, *arguments: str, **popen: Any) -> None:
        command = ["-m", "photonlink.cli", "qsc", "serve", "--port", "0", *arguments]
        super().__init__(command, READY, **popen)
        address, self.udp, self.name, self.bridge = self.ready.groups()
        self.target = f"qsc://{address}"
