"""``photonlink bench optics``: the native simulator beside its peers and the bare limits of the machine.

Everyone computes the same thing: the full Fock-space distribution of Haar, phases, Haar for each row of phases, or
samples of it. Agreement is checked before anything is timed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import photonlink as phl
from photonlink._memory import half_of_memory
from photonlink._reservoir import spaced_state
from photonlink.bench.optics_limits import GIGA, exact_flops, level_bytes, limits, peak_memory_mib
from photonlink.bench.optics_peers import Runner, Task, peers
from photonlink.bench.optics_reuse import DEEP_NETWORKS, compare_reuse
from photonlink.bench.optics_samples import SAMPLED_SIZES, compare_samples
from photonlink.bench.optics_scaling import SCALED_SIZES, scaling
from photonlink.bench.timing import median_us_per_row, require_agreement

__all__ = ["SIZES", "render", "run"]

SIZES = ((6, 3), (8, 4), (10, 5), (12, 6), (16, 8))
BATCHES = (1, 32, 64, 256, 1024)
PEER_SECONDS = 2.0  # a peer that needs longer for a batch is timed on fewer rows, and the result says so
SHORTEST_SECONDS = 0.2
AGREEMENT = {"float32": 5e-6, "float64": 1e-9}
REFERENCE = "photonlink float64"
OURS = "photonlink float32"
MOST_RESULT_BYTES = 1 << 30  # larger batches are left out

Floats = NDArray[Any]


@dataclass(frozen=True)
class Case:
    """One timing: microseconds per datapoint, median over repeats."""

    modes: int
    photons: int
    batch: int
    who: str
    microseconds: float
    rows_timed: int
    gflops: float | None  # of the flops that the algorithm needs; None for peers


def _direct(program: phl.Program, precision: str, threads: int) -> Runner:
    """The bare simulator: a batch per call, results in a new array."""
    from photonlink import _core

    simulator = _core.Simulator(program.spec, precision, half_of_memory(), threads=threads)
    return lambda phases: simulator.run(phases)


def _one_thread(program: phl.Program) -> Runner:
    """The bare simulator on one core, without the pages of new arrays: what its share of the peak is taken from."""
    from photonlink import _core

    simulator = _core.Simulator(program.spec, "float32", half_of_memory(), threads=1)
    return _kept(lambda phases, out: simulator.run(phases, out=out), program)


def _in_session(session: phl.Session) -> Runner:
    """Calls of one session, as a loop makes them."""
    return _kept(lambda phases, out: session.infer(phases, out=out), session.program)


def _kept(call: Callable[[Floats, Floats], Floats], program: phl.Program) -> Runner:
    """`call` with results in an array that is kept from call to call."""
    results: dict[int, Floats] = {}

    def run(phases: Floats) -> Floats:
        rows = len(phases)
        if rows not in results:
            results[rows] = np.empty((rows, program.output_size), np.float32)
        return call(phases, results[rows])

    return run


@contextmanager
def _runners(task: Task, *, with_peers: bool) -> Iterator[dict[str, Runner]]:
    """Everybody who computes the task, by name; a session is open meanwhile."""
    program = phl.Program.from_perceval(
        task.circuit(), input_state=task.state, input_parameters=["px"], readout=phl.Readout.probs(space="fock")
    )
    runners = {
        OURS: _direct(program, "float32", task.threads),
        "photonlink float32, 1 thread": _one_thread(program),
        REFERENCE: _direct(program, "float64", task.threads),
    }
    with phl.reserve("sim", program, clock="none", precision="float32", threads=task.threads) as session:
        runners["photonlink float32, session"] = _in_session(session)
        if with_peers:
            able = [peer for peer in peers() if peer.installed and peer.most_states >= program.output_size]
            runners |= {peer.name: peer.build(task) for peer in able}
        yield runners


def run(
    sizes: tuple[tuple[int, int], ...] = SIZES,
    batches: tuple[int, ...] = BATCHES,
    *,
    threads: int = 2,
    quick: bool = False,
) -> dict[str, Any]:
    """Measure all cases.

    Args:
        sizes: (modes, photons) of the programs.
        batches: Rows per call.
        threads: Threads that everyone may use.
        quick: Sample and scale small sizes only.

    Returns:
        ``limits`` of the machine; ``cases``, one entry per (modes, photons, batch, who); ``ratios``, peers over ours
        (float32); ``samples``; ``scaling``; ``reuse`` in deep networks; ``absent``, the peers that are not installed;
        and ``peak_memory_mib`` of the process.

    Raises:
        PhotonLinkError: A peer computes something else.
    """
    bare = limits()
    cases: list[Case] = []
    for modes, photons in sizes:
        task = Task.haar(list(spaced_state(modes, photons)), threads)
        states = phl.Readout.probs(space="fock").output_size(modes, photons)
        phases = np.random.default_rng(1).uniform(0, 2 * np.pi, size=(max(batches), modes))
        with _runners(task, with_peers=True) as runners:
            _check_agreement(runners, phases[:2])
            for batch in batches:
                if 8 * batch * states > MOST_RESULT_BYTES:
                    continue
                cases += [_case(task, who, runner, phases[:batch]) for who, runner in runners.items()]
    return {
        "simulated": True,
        "threads": threads,
        "limits": bare,
        "absent": [peer.name for peer in peers() if not peer.installed],
        "cases": [asdict(case) for case in cases],
        "ratios": _ratios(cases),
        "samples": compare_samples(threads, SAMPLED_SIZES[:1] if quick else SAMPLED_SIZES),
        "scaling": scaling(threads, SCALED_SIZES[:3] if quick else SCALED_SIZES),
        "reuse": compare_reuse(threads, DEEP_NETWORKS[:2] if quick else DEEP_NETWORKS),
        "peak_memory_mib": peak_memory_mib(),
    }


def _case(task: Task, who: str, runner: Runner, phases: Floats) -> Case:
    microseconds, rows = median_us_per_row(runner, phases, limit=PEER_SECONDS, shortest=SHORTEST_SECONDS)
    gflops = exact_flops(task.modes, task.photons) / microseconds * 1e6 / GIGA if who.startswith("photonlink") else None
    return Case(task.modes, task.photons, len(phases), who, microseconds, rows, gflops)


def _check_agreement(runners: dict[str, Runner], phases: Floats) -> None:
    expected = runners[REFERENCE](phases)
    for who, runner in runners.items():
        worst = float(np.abs(runner(phases) - expected).max())
        tolerance = AGREEMENT["float32" if "float32" in who else "float64"]
        require_agreement(f"{who} differs from {REFERENCE}", worst, tolerance)


def _ratios(cases: list[Case]) -> list[dict[str, Any]]:
    ours = {(c.modes, c.photons, c.batch): c.microseconds for c in cases if c.who == OURS}
    return [
        {
            "modes": c.modes,
            "photons": c.photons,
            "batch": c.batch,
            "peer": c.who,
            "ratio": c.microseconds / ours[c.modes, c.photons, c.batch],
        }
        for c in cases
        if not c.who.startswith("photonlink")
    ]


def render(report: dict[str, Any]) -> str:
    """The report as tables: one line per size, batch and program; then samples, and how cost grows."""
    peak = report["limits"]["peak_gflops"]["float32"]
    bare = report["limits"]
    machine = (
        f"one core, {bare['profile']}: {peak:.0f} GFLOP/s of float32 multiply-adds, {bare['copy_gbytes']:.1f} GB/s"
    )
    lines = [
        f"{machine} copying; {report['threads']} threads each (simulated optics)",
        f"{'full Fock distribution':<24}{'batch':>6}{'us per datapoint':>42}{'ours is faster':>16}{'of one core':>13}",
    ]
    ours = {(c["modes"], c["photons"], c["batch"]): c["microseconds"] for c in report["cases"] if c["who"] == OURS}
    for case in report["cases"]:
        size = (case["modes"], case["photons"], case["batch"])
        share = f"{case['gflops'] / peak:.0%}" if case["gflops"] and "1 thread" in case["who"] else ""
        fewer = "*" if case["rows_timed"] < case["batch"] else " "
        cell = f"  {case['who']:<29}{case['microseconds']:>10.2f}{fewer}"
        lines.append(
            f"({size[0]},{size[1]})".ljust(24)
            + f"{size[2]:>6}{cell:>42}{case['microseconds'] / ours[size]:>15.1f}x{share:>13}"
        )
    lines += [
        "* timed on fewer rows, because a whole batch takes longer than the time limit per case",
        *_render_rest(report),
    ]
    return "\n".join(lines)


def _render_rest(report: dict[str, Any]) -> list[str]:
    lines = ["", f"{'samples of one datapoint':<24}{'shots':>6}{'milliseconds':>42}"]
    for row in report["samples"]:
        cell = f"  {row['who']:<29}{row['milliseconds']:>10.3f} "
        lines.append(f"({row['modes']},{row['photons']})".ljust(24) + f"{row['shots']:>6}{cell:>42}")
    lines += ["", f"{'how cost grows, float32':<24}{'batch':>6}{'us':>14}{'GFLOP/s':>10}{'level KiB':>12}"]
    for row in report["scaling"]:
        kib = level_bytes(row["modes"], row["photons"], 4) / 1024
        lines.append(
            f"({row['modes']},{row['photons']})".ljust(24)
            + f"{row['batch']:>6}{row['microseconds']:>14.2f}{row['gflops']:>10.1f}{kib:>12.0f}"
        )
    lines += ["", f"{'deep networks, float64':<24}{'layers':>6}{'us per datapoint':>42}"]
    for row in report["reuse"]:
        cell = f"  {row['phases']:<29}{row['microseconds']:>10.2f} "
        lines.append(f"({row['modes']},{row['photons']})".ljust(24) + f"{row['layers']:>6}{cell:>42}")
    absent = ", ".join(report["absent"]) or "nobody"
    return [*lines, "", f"not installed: {absent}; peak memory of the process {report['peak_memory_mib']:.0f} MiB"]
