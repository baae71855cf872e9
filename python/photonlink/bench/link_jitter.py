"""``photonlink bench link --jitter``: how round trips spread, and what the kernel did during the worst ones.

Echoes run in short chunks. Around each, the kernel's counts of the caller's thread (getrusage) and of the controller's
threads (/proc/self/task) are read: a worst case is explained by what was counted in its own chunk, beyond what every
chunk has. While the counts are read the dispatcher falls asleep, so each chunk begins with rounds that wake it and are
not measured. The bare cache-line ping-pong runs in between, on the CPUs of caller and dispatcher where both are pinned,
since what the machine does meets both.
"""

from __future__ import annotations

import contextlib
import resource
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import photonlink as phl
from photonlink._checks import integer
from photonlink.bench.pinning import pinned
from photonlink.latency import Latency

__all__ = ["asked", "figure", "render", "run"]

CHUNK = 100
LEAD = 20  # rounds before those that are measured
PARTS = 5
WORST = 10
BINS = 32
_BAR = 50


@dataclass(frozen=True)
class Counts:
    """What the kernel counted for one or more threads.

    Attributes:
        voluntary_switches: The thread slept or waited.
        involuntary_switches: It was preempted, or yielded.
        minor_faults: Pages that had to be mapped.
        major_faults: Pages that had to be read.
    """

    voluntary_switches: int = 0
    involuntary_switches: int = 0
    minor_faults: int = 0
    major_faults: int = 0

    def __sub__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, f.name) - getattr(other, f.name) for f in fields(self)))

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @classmethod
    def of(cls, who: int) -> Counts:
        """Of ``resource.RUSAGE_THREAD`` or ``RUSAGE_SELF``."""
        usage = resource.getrusage(who)
        return cls(usage.ru_nvcsw, usage.ru_nivcsw, usage.ru_minflt, usage.ru_majflt)

    @classmethod
    def of_threads(cls, threads: set[int]) -> Counts:
        """Of other threads of this process: switches and faults as /proc tells them."""
        total = cls()
        for thread in threads:
            with contextlib.suppress(FileNotFoundError):  # it has ended
                total += cls._of_thread(Path(f"/proc/self/task/{thread}"))
        return total

    @classmethod
    def _of_thread(cls, task: Path) -> Counts:
        switches = {
            key: int(value)
            for key, _, value in (line.partition(":") for line in (task / "status").read_text().splitlines())
            if key.endswith("ctxt_switches")
        }
        numbers = (task / "stat").read_text().rpartition(")")[2].split()  # from the third field of proc(5) on
        return cls(
            switches["voluntary_ctxt_switches"],
            switches["nonvoluntary_ctxt_switches"],
            int(numbers[7]),
            int(numbers[9]),
        )


@dataclass(frozen=True)
class _Chunk:
    echoes: NDArray[np.uint64]  # nanoseconds
    caller: Counts
    controller: Counts


def _threads() -> set[int]:
    return {int(task.name) for task in Path("/proc/self/task").iterdir()}


def run(rounds: int, latency: Latency | None = None, *, caller_cpu: int | None = None) -> dict[str, Any]:
    """Measure round trips, and count what the kernel does meanwhile.

    Args:
        rounds: Round trips; rounded up to whole chunks of ``CHUNK``.
        latency: What the controller asks of the system.
        caller_cpu: Where the calling thread is pinned, ``None`` leaves it anywhere.

    Returns:
        A JSON-serialisable object; times in nanoseconds.

    Raises:
        ProgramError: A wrong number, or a CPU that cannot be used.
        ServiceError: `latency` insists on what the system refuses.
    """
    integer("rounds", rounds, 1, 100_000_000)
    program = phl.Program.reservoir(modes=2, photons=1, features=2, seed=0, readout=phl.Readout.mode_expectations())
    caller = set() if caller_cpu is None else {caller_cpu}
    both = caller | set(latency.dispatcher_cpus) if caller and latency and latency.dispatcher_cpus else set()
    ours = _threads()
    with (
        phl.Controller(latency=latency) as controller,
        phl.reserve("sim", program, clock="none", controller=controller) as session,
    ):
        threads = _threads() - ours
        session.echo_latency(CHUNK)  # the first touch of everything
        before = Counts.of(resource.RUSAGE_SELF)
        chunks: list[_Chunk] = []
        bare: list[NDArray[np.uint32]] = []
        for part in np.array_split(np.arange(-(-rounds // CHUNK)), PARTS):
            bare.append(_bare(max(rounds // PARTS, CHUNK), both))
            chunks += [_chunk(session, threads, caller) for _ in part]
        during = Counts.of(resource.RUSAGE_SELF) - before
        granted = [outcome.as_json() for outcome in controller.latency]
    return _report(chunks, np.concatenate(bare), during, granted, caller_cpu)


def _bare(rounds: int, cpus: set[int]) -> NDArray[np.uint32]:
    from photonlink import _core

    with pinned(cpus):
        return _core.bare_ping_pong(rounds)


def _chunk(session: phl.Session, threads: set[int], cpus: set[int]) -> _Chunk:
    with pinned(cpus):
        caller, controller = Counts.of(resource.RUSAGE_THREAD), Counts.of_threads(threads)
        echoes = np.rint(session.echo_latency(LEAD + CHUNK)[LEAD:] * 1e9).astype(np.uint64)
        caller, controller = Counts.of(resource.RUSAGE_THREAD) - caller, Counts.of_threads(threads) - controller
    return _Chunk(echoes, caller, controller)


def _report(
    chunks: list[_Chunk],
    bare: NDArray[np.uint32],
    during: Counts,
    granted: list[dict[str, Any]],
    caller_cpu: int | None,
) -> dict[str, Any]:
    echoes = np.concatenate([chunk.echoes for chunk in chunks])
    edges = np.geomspace(max(int(echoes.min()), 1), int(echoes.max()) + 1, BINS + 1)
    edges[0], edges[-1] = echoes.min(), echoes.max() + 1  # as computed, they may exclude the extremes
    counts, _ = np.histogram(echoes, edges)
    usual = [_median([chunk.caller for chunk in chunks]), _median([chunk.controller for chunk in chunks])]
    order = np.argsort(echoes, kind="stable")[::-1][:WORST]
    return {
        "rounds": len(echoes),
        "chunk": CHUNK,
        "p50_ns": float(np.percentile(echoes, 50)),
        "p99_ns": float(np.percentile(echoes, 99)),
        "p999_ns": float(np.percentile(echoes, 99.9)),
        "max_ns": int(echoes.max()),
        "bare": {
            "p50_ns": float(np.median(bare)),
            "p999_ns": float(np.percentile(bare, 99.9)),
            "max_ns": int(bare.max()),
        },
        "histogram": {"edges_ns": edges.tolist(), "counts": counts.tolist()},
        "during": {
            "caller": asdict(sum((chunk.caller for chunk in chunks), Counts())),
            "controller": asdict(sum((chunk.controller for chunk in chunks), Counts())),
            "process": asdict(during),
        },
        "worst": [_explained(int(number), int(echoes[number]), chunks[number // CHUNK], usual) for number in order],
        "caller_cpu": caller_cpu,
        "latency": granted,
    }


def _median(counts: list[Counts]) -> Counts:
    """Of each count by itself, rounded down."""
    return Counts(*(int(np.median([getattr(entry, f.name) for entry in counts])) for f in fields(Counts)))


def _explained(number: int, nanoseconds: int, chunk: _Chunk, usual: list[Counts]) -> dict[str, Any]:
    beyond = zip(("caller", "controller"), (chunk.caller - usual[0], chunk.controller - usual[1]), strict=True)
    reasons = [
        f"{who} {what} ({count})"
        for who, counts in beyond
        for what, count in (
            ("preempted, or yielded", counts.involuntary_switches),
            ("slept", counts.voluntary_switches),
            ("mapped pages", counts.minor_faults),
            ("read pages", counts.major_faults),
        )
        if count > 0
    ]
    quiet = "no more switches and faults than usual: an interrupt, the hypervisor or another use of the caches"
    return {
        "round": number,
        "ns": nanoseconds,
        "caller": asdict(chunk.caller),
        "controller": asdict(chunk.controller),
        "explanation": ", ".join(reasons) or quiet,
    }


def render(report: dict[str, Any]) -> str:
    """The report: percentiles, histogram, worst cases, and what was asked of the system."""
    bare = report["bare"]
    lines = [
        f"echo round trip, {report['rounds']} rounds in chunks of {report['chunk']}, a bare ping-pong in between",
        f"{'':<8}{'p50 ns':>12}{'p99.9 ns':>12}{'max ns':>12}",
        f"{'echo':<8}{report['p50_ns']:>12.0f}{report['p999_ns']:>12.0f}{report['max_ns']:>12}",
        f"{'bare':<8}{bare['p50_ns']:>12.0f}{bare['p999_ns']:>12.0f}{bare['max_ns']:>12}",
        "",
        *_bars(report["histogram"]),
        "",
        f"the {len(report['worst'])} worst, and what the kernel counted in their chunks of {report['chunk']} rounds",
    ]
    lines += [f"{row['ns']:>12} ns  round {row['round']:>8}  {row['explanation']}" for row in report["worst"]]
    lines.append("")
    for who, counts in report["during"].items():
        cells = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())
        lines.append(f"{who + ' in all':<20}{cells}")
    where = "anywhere" if report["caller_cpu"] is None else f"on CPU {report['caller_cpu']}"
    return "\n".join([*lines, f"caller {where}", *asked(report["latency"])])


def asked(latency: list[dict[str, Any]]) -> list[str]:
    """What a controller asked of the system, and what it got."""
    lines = [f"the controller asked the system for {'' if latency else 'nothing'}".rstrip()]
    for outcome in latency:
        verdict = "granted" if outcome["granted"] else "refused"
        lines.append(f"  {outcome['measure']} {outcome['asked']}: {verdict}, {outcome['detail']}")
    return lines


def _bars(histogram: dict[str, Any]) -> list[str]:
    """One line per bin that holds something; the bar is logarithmic, or the rare ones would not be seen."""
    most = np.log1p(max(histogram["counts"]))
    edges = histogram["edges_ns"]
    return [
        f"{low:>12.0f} to {high:>10.0f} ns{count:>10}  {'#' * max(1, round(_BAR * np.log1p(count) / most))}"
        for low, high, count in zip(edges, edges[1:], histogram["counts"], strict=False)
        if count
    ]


def figure(report: dict[str, Any], path: Path) -> None:
    """Write the histogram as a PNG.

    Raises:
        TargetUnavailable: matplotlib is missing.
    """
    from photonlink.bench.pictures import canvas_of

    canvas, axes = canvas_of(1, size=(8, 4.2))
    axes.stairs(report["histogram"]["counts"], report["histogram"]["edges_ns"], fill=True, color="#4878a8")
    axes.axvline(report["bare"]["p50_ns"], color="#c8553d", label="bare cache-line ping-pong, p50")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.legend(fontsize=8)
    axes.set(xlabel="nanoseconds per round trip", ylabel="rounds", title="echo through controller and key check")
    canvas.figure.savefig(path, dpi=130, format="png")
