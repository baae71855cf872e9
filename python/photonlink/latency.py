"""Deterministic latency: which CPUs, memory and priority the threads of a controller ask for, and what they were given.

Rights differ from machine to machine. What is refused is reported with the reason and what would help, in the status of
the controller and the info of its sessions; ``insist`` makes it an error.

Examples:
    >>> import photonlink as phl
    >>> with phl.Controller(latency=phl.Latency(dispatcher_cpus=parse_cpus("0-1"))) as controller:
    ...     [(outcome.measure, outcome.asked) for outcome in controller.latency]
    [('dispatcher CPUs', '0,1')]
"""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from photonlink.errors import ProgramError, ServiceError

if TYPE_CHECKING:
    from photonlink import _core

__all__ = ["Latency", "LatencyOutcome", "add_arguments", "given", "outcomes", "parse_cpus"]

_MOST_CPUS = 1024
_RANGE = re.compile(r"([0-9]{1,4})(?:-([0-9]{1,4}))?")


@dataclass(frozen=True, slots=True)
class LatencyOutcome:
    """One thing that was asked for, and what came of it.

    Attributes:
        measure: What it is, e.g. "dispatcher CPUs".
        asked: The value asked for.
        granted: Whether the system does it.
        detail: How it is done, or why not and what would help.
    """

    measure: str
    asked: str
    granted: bool
    detail: str

    def as_json(self) -> dict[str, Any]:
        """The fields as one JSON object."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Latency:
    """What a controller asks of the operating system.

    Attributes:
        dispatcher_cpus: CPUs of the thread that answers requests; empty leaves it anywhere. One CPU that nothing else
            uses (``isolcpus=``, ``nohz_full=``) keeps it from being moved and interrupted.
        transport_cpus: CPUs of the threads that take clients and datagrams in.
        lock_memory: Keep every page of the process in memory once it was touched (``mlockall``). It holds for the
            process, and beyond the controller's end.
        realtime_priority: SCHED_FIFO priority of the dispatcher, 1 to 99; 0 leaves the scheduler as it is. A hot
            dispatcher does not sleep: give it a CPU of its own.
        local_memory: Take ring memory from the NUMA node of the dispatcher's CPUs.
        insist: Raise an error instead of reporting a refusal.

    Raises:
        ProgramError: A CPU or priority is no such number.
    """

    dispatcher_cpus: tuple[int, ...] = ()
    transport_cpus: tuple[int, ...] = ()
    lock_memory: bool = False
    realtime_priority: int = 0
    local_memory: bool = False
    insist: bool = False

    def __post_init__(self) -> None:
        from photonlink import _checks  # not above: the command line needs these classes before any of NumPy

        for name in ("dispatcher_cpus", "transport_cpus"):
            given = _checks.listed(name, getattr(self, name), "numbers of CPUs")
            cpus = tuple(_checks.integer(f"a CPU of {name}", cpu, 0, _MOST_CPUS - 1) for cpu in given)
            object.__setattr__(self, name, cpus)
        for name in ("lock_memory", "local_memory", "insist"):
            _checks.boolean(name, getattr(self, name))
        _checks.integer("realtime_priority", self.realtime_priority, 0, 99)

    def options(self) -> _core.LatencyOptions:
        """The same for the native controller."""
        from photonlink import _core

        return _core.LatencyOptions(
            dispatcher_cpus=self.dispatcher_cpus,
            transport_cpus=self.transport_cpus,
            lock_memory=self.lock_memory,
            realtime_priority=self.realtime_priority,
            local_memory=self.local_memory,
        )


def given(arguments: Namespace) -> Latency | None:
    """What the options of :func:`add_arguments` ask for, None if nothing."""
    asked = Latency(
        dispatcher_cpus=parse_cpus(arguments.dispatcher_cpus) if arguments.dispatcher_cpus else (),
        transport_cpus=parse_cpus(arguments.transport_cpus) if arguments.transport_cpus else (),
        lock_memory=arguments.lock_memory,
        realtime_priority=arguments.realtime_priority,
        local_memory=arguments.local_memory,
        insist=arguments.insist,
    )
    return None if asked == Latency(insist=asked.insist) else asked


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options of deterministic latency to a command."""
    add = parser.add_argument
    add(
        "--dispatcher-cpus",
        metavar="LIST",
        help="CPUs of the thread that answers requests (dispatcher), as in 2 or 0,4-6",
    )
    add("--transport-cpus", metavar="LIST", help="CPUs of the threads that take clients and datagrams in")
    add("--lock-memory", action="store_true", help="keep touched pages in memory (mlockall)")
    add(
        "--realtime-priority",
        type=int,
        default=0,
        metavar="N",
        help="real-time priority (SCHED_FIFO) of the dispatcher, 1 to 99",
    )
    add("--local-memory", action="store_true", help="memory of the link on the NUMA node of the dispatcher's CPUs")
    add("--insist", action="store_true", help="fail where the system refuses one of these, instead of reporting it")


def outcomes(core: _core.Controller, asked: Latency | None) -> tuple[LatencyOutcome, ...]:
    """What a controller was granted.

    Raises:
        ServiceError: `asked` insists, and something was refused.
    """
    report = tuple(LatencyOutcome(o.measure, o.asked, o.granted, o.detail) for o in core.latency())
    refused = [f"{o.measure} ({o.asked}): {o.detail}" for o in report if not o.granted]
    if asked is not None and asked.insist and refused:
        raise ServiceError(f"the system refused what insist=True needs: {'; '.join(refused)}")
    return report


def parse_cpus(text: str) -> tuple[int, ...]:
    """CPU numbers of a list as the kernel writes it.

    Args:
        text: Numbers and ranges, separated by commas.

    Raises:
        ProgramError: `text` is no such list.

    Examples:
        >>> parse_cpus("0,4-6")
        (0, 4, 5, 6)
    """
    cpus: set[int] = set()
    for part in text.split(",") if isinstance(text, str) else [""]:
        numbers = _RANGE.fullmatch(part.strip())
        first = int(numbers[1]) if numbers else _MOST_CPUS
        last = int(numbers[2] or first) if numbers else first
        if not first <= last < _MOST_CPUS:
            raise ProgramError(f"{text!r:.120} is no list of CPUs: expected numbers below {_MOST_CPUS} as in '0,4-6'")
        cpus.update(range(first, last + 1))
    return tuple(sorted(cpus))
