"""The torch layer beside MerLin's: forward, and forward and backward, in single precision."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from photonlink import _core, _packages
from photonlink._memory import half_of_memory
from photonlink.bench.gradients import merlin_layer
from photonlink.bench.timing import require_agreement

SIZES = ((6, 3, 1), (6, 3, 256), (6, 3, 1024), (12, 6, 1), (12, 6, 256))
LARGE = ((16, 8, 1), (16, 8, 32))
ROUNDS = 5
ROUND_SECONDS = 20.0  # no further round once a case has taken so long
BLOCK_SECONDS = 0.02  # short calls are timed in blocks of about this length
AGREEMENT = 1e-5  # of float32 results; of gradients, relative to the largest

Call = Callable[[], object]


@dataclass(frozen=True)
class Case:
    """One measurement: a batch through a layer, full Fock distribution, float32."""

    modes: int
    photons: int
    batch: int
    direction: str  # "forward" or "forward+backward"
    who: str
    microseconds: float  # per call, median over the rounds
    ratio: float  # to the photonlink layer: median over the rounds, in each of which everybody ran


@dataclass(frozen=True)
class _Pair:
    """The same layer twice, and the same batch."""

    ours: Any
    theirs: Any
    x: Any
    cotangent: Any

    def forward(self, layer: Any) -> Call:
        """Inference: nothing is recorded for a backward pass."""
        import torch

        def call() -> None:
            with torch.no_grad():
                layer(self.x)

        return call

    def backward(self, layer: Any) -> Call:
        """Gradients by inputs and weights."""
        x = self.x.clone().requires_grad_()

        def call() -> None:
            layer(x).backward(self.cotangent)

        return call

    def core(self) -> Call:
        """The native simulator with phases at hand: what a layer costs beyond it is its overhead."""
        program = self.ours.program
        simulator = _core.Simulator(program.spec, "float32", half_of_memory(), sampled=False)
        phases, ids = program.encode(self.x.numpy()), np.arange(len(self.x), dtype=np.uint64)
        return lambda: simulator.run(phases, ids, 0, 0)


def _pair(modes: int, photons: int, batch: int) -> _Pair:
    import torch

    from photonlink.torch import QuantumLayer

    torch.manual_seed(1)
    theirs = merlin_layer(modes, photons)
    ours = QuantumLayer.from_merlin(theirs)
    return _Pair(ours, theirs, 3 * torch.rand(batch, modes), torch.randn(batch, ours.output_size))


def run(sizes: tuple[tuple[int, int, int], ...] = SIZES, threads: int = 2) -> dict[str, Any]:
    """Measure all sizes, everybody in turn in every round, after checking that outputs and gradients agree.

    Args:
        sizes: (modes, photons, batch) of each.
        threads: Threads that torch may use; the native core takes ``PHOTONLINK_THREADS``, or every usable CPU.

    Returns:
        ``cases``: one entry per (modes, photons, batch, direction, who); ``threads``.

    Raises:
        TargetUnavailable: MerLin or torch is not installed.
        PhotonLinkError: Results differ, so that timings would not compare the same computation.
    """
    _packages.require(["merlin", "torch"], "torch,merlin", by="the benchmark of layers")
    import torch

    torch.set_num_threads(threads)
    cases: list[Case] = []
    for modes, photons, batch in sizes:
        pair = _pair(modes, photons, batch)
        _check_agreement(pair)
        forward = {
            "photonlink": pair.forward(pair.ours),
            "merlin": pair.forward(pair.theirs),
            "core alone": pair.core(),
        }
        backward = {"photonlink": pair.backward(pair.ours), "merlin": pair.backward(pair.theirs)}
        for direction, calls in (("forward", forward), ("forward+backward", backward)):
            cases += [Case(modes, photons, batch, direction, *timed) for timed in _measure(calls)]
    return {"simulated": True, "threads": threads, "cases": [asdict(case) for case in cases]}


def _check_agreement(pair: _Pair) -> None:
    results = []
    for layer in (pair.ours, pair.theirs):
        x = pair.x[:2].clone().requires_grad_()
        layer.zero_grad()
        y = layer(x)
        y.backward(pair.cotangent[:2])
        results.append((y.detach(), x.grad, layer.get_parameter("theta").grad))
    for what, ours, theirs in zip(("outputs", "input gradients", "weight gradients"), *results, strict=True):
        worst = float((ours - theirs).abs().max() / max(1.0, float(theirs.abs().max())))
        require_agreement(f"{what} differ from MerLin's", worst, AGREEMENT)


def _measure(calls: dict[str, Call]) -> list[tuple[str, float, float]]:
    """Who, microseconds per call, and the ratio to the first."""
    repeats = {who: _repeats(call) for who, call in calls.items()}
    times: dict[str, list[float]] = {who: [] for who in calls}
    begun = time.perf_counter()
    rounds = 0
    while rounds < 2 or (rounds < ROUNDS and time.perf_counter() - begun < ROUND_SECONDS):
        for who, call in calls.items():
            started = time.perf_counter()
            for _ in range(repeats[who]):
                call()
            times[who].append((time.perf_counter() - started) / repeats[who])
        rounds += 1
    timed = {who: np.array(seconds) for who, seconds in times.items()}
    first = next(iter(timed.values()))
    return [(who, 1e6 * float(np.median(s)), float(np.median(s / first))) for who, s in timed.items()]


def _repeats(call: Call) -> int:
    """Calls that take about as long as a block; the first call, which builds tables, does not count."""
    call()
    started = time.perf_counter()
    call()
    return max(1, int(BLOCK_SECONDS / max(1e-7, time.perf_counter() - started)))


def render(report: dict[str, Any]) -> str:
    """The report as a table: one line per size and direction."""
    people = list(dict.fromkeys(case["who"] for case in report["cases"]))
    title = (
        f"microseconds per call, full Fock distribution, float32, torch with {report['threads']} threads (simulated "
        "optics); in brackets: times the photonlink layer"
    )
    lines = [title, f"{'modes,photons':<15}{'batch':>6}  {'direction':<18}" + "".join(f"{who:>26}" for who in people)]
    for key in dict.fromkeys((c["modes"], c["photons"], c["batch"], c["direction"]) for c in report["cases"]):
        row = {c["who"]: c for c in report["cases"] if (c["modes"], c["photons"], c["batch"], c["direction"]) == key}
        cells = "".join(
            f"{row[who]['microseconds']:>16.1f} ({row[who]['ratio']:>6.2f}) " if who in row else f"{'':>26}"
            for who in people
        )
        lines.append(f"({key[0]},{key[1]})".ljust(15) + f"{key[2]:>6}  {key[3]:<18}{cells}")
    return "\n".join(lines)
