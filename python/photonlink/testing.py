"""pytest plugin: reserved sessions, controllers with injected faults, and a leak check for your own tests.

Loaded by pytest itself wherever photonlink is installed, so this module imports nothing of photonlink until a fixture
is used.

- ``--photonlink-target TARGET`` (or the variable ``PHOTONLINK_TARGET``) runs a whole suite on another target.
- ``photonlink_session(program, **reserve_options)`` reserves a session and closes it when the test ends.
- ``photonlink_faulty(fault, at=0)`` makes the simulated target misbehave until the test ends.
- ``photonlink_leak_check`` fails the test if threads, memory files or sockets outlive it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pytest

if TYPE_CHECKING:
    from photonlink.controller import Controller
    from photonlink.program import Program
    from photonlink.session import Session

_TARGET_VARIABLE = "PHOTONLINK_TARGET"
_replaced_target = pytest.StashKey[str | None]()

Fault = Literal["busy", "timeout", "dead"]


class SessionFactory(Protocol):
    """What the fixture ``photonlink_session`` gives."""

    def __call__(self, program: Program, *, target: str = "sim", **options: Any) -> Session:
        """Reserve a session as :func:`photonlink.reserve` does."""


class FaultyFactory(Protocol):
    """What the fixture ``photonlink_faulty`` gives."""

    def __call__(self, fault: Fault, at: int = 0) -> Controller:
        """Start a controller that misbehaves from datapoint `at` of a session on."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--photonlink-target``."""
    parser.getgroup("photonlink").addoption(
        "--photonlink-target", metavar="TARGET", help=f"run every session on TARGET (sets {_TARGET_VARIABLE})"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Let the option replace the target of every reservation, those inside the code under test included."""
    target = config.getoption("--photonlink-target")
    if target:
        config.stash[_replaced_target] = os.environ.get(_TARGET_VARIABLE)
        os.environ[_TARGET_VARIABLE] = target


def pytest_unconfigure(config: pytest.Config) -> None:
    """Put the environment back."""
    if _replaced_target in config.stash:
        before = config.stash[_replaced_target]
        del os.environ[_TARGET_VARIABLE]
        if before is not None:
            os.environ[_TARGET_VARIABLE] = before


def pytest_report_header() -> str | None:
    """Say loudly when results come from another target than the tests ask for."""
    target = os.environ.get(_TARGET_VARIABLE)
    return f"photonlink: every session runs on target {target!r} ({_TARGET_VARIABLE})" if target else None


@pytest.fixture
def photonlink_session() -> Iterator[SessionFactory]:
    """Factory of reserved sessions: ``photonlink_session(program, shots=1000, ...)``.

    Sessions on the simulated target get a controller of their own, so that several can be open at once. All are
    closed when the test ends.
    """
    from photonlink._private_session import private_session

    with contextlib.ExitStack() as opened:

        def factory(program: Program, *, target: str = "sim", **options: Any) -> Session:
            return opened.enter_context(private_session(target, program, options))

        yield factory


@pytest.fixture
def photonlink_faulty() -> Iterator[FaultyFactory]:
    """Factory of misbehaving controllers: ``photonlink_faulty("timeout", at=3)``.

    - ``"busy"``: every reservation is refused with ``SessionBusy``.
    - ``"timeout"``: datapoint `at` of a session and those after it are never answered.
    - ``"dead"``: the controller's thread dies when it reaches datapoint `at`.

    Until the test ends, every reservation of target "sim" in this process uses the controller, so that the code under
    test need not know of it. Not those of code that brings a controller of its own: torch layers, offloaded models,
    quantum kernels, CUDA-Q targets.
    """
    from photonlink.controller import Controller, installed

    with contextlib.ExitStack() as opened:

        def factory(fault: Fault, at: int = 0) -> Controller:
            controller = opened.enter_context(Controller(fault=fault, fault_at=at))
            opened.enter_context(installed(controller))
            return controller

        yield factory


@dataclass(frozen=True)
class _Resources:
    threads: dict[int, str]  # by id; the name of those that Python started
    handles: frozenset[str]
    memory_files: int

    @classmethod
    def now(cls) -> _Resources:
        handles = set()
        for entry in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):  # the descriptor that lists the folder is gone by now
                link = str(entry.readlink())
                if link.startswith(("/memfd:", "socket:", "anon_inode:")):
                    handles.add(f"{entry.name} -> {link}")
        maps = Path("/proc/self/maps").read_text()
        threads = [int(entry.name) for entry in Path("/proc/self/task").iterdir()]
        names = {thread.native_id: thread.name for thread in threading.enumerate()}
        return cls(
            threads={tid: names.get(tid, "") for tid in threads},
            handles=frozenset(handles),
            memory_files=maps.count("/memfd:"),
        )

    def left_since(self, before: _Resources) -> list[str]:
        threads = [f"thread {tid} {name}".strip() for tid, name in self.threads.items() if tid not in before.threads]
        mapped = self.memory_files - before.memory_files
        return threads + sorted(self.handles - before.handles) + [f"{mapped} mapped memory files"] * (mapped > 0)


@pytest.fixture
def photonlink_leak_check() -> Iterator[None]:
    """Fail the test if a thread, a memory file or a socket outlives it. Linux only.

    Use it in every test by an autouse fixture of your own that requests it. Ended threads leave ``/proc`` a moment
    after they were joined, so the check looks again for up to two seconds.
    """
    before = _Resources.now()
    yield
    deadline = time.monotonic() + 2.0
    if _Resources.now().left_since(before):
        gc.collect()  # costs a second in a process with large libraries: only when a cycle may still hold something
    while (left := _Resources.now().left_since(before)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left, f"left behind by the test: {left}"
