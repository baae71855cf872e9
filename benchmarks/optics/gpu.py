"""The simulated processor on a GPU beside MerLin on the same GPU and beside the CPU, and what the GPU can do at best.

Haar, one phase per mode, Haar; single photons, spread over the modes; the whole distribution, float32. Agreement with
the CPU in double precision is checked before anything is timed. In every round everybody runs in turn; figures are
medians over the rounds of the time between the first launch and the end of the last, by the clock of the host.

The floor of a case is the larger of two times: its flops at the multiply-add rate of a float32 matrix product without
tensor cores, and the bytes of its levels and results, each written and read once, at the bandwidth of a copy. Both
rates are measured in the same run. `roofline` is floor / time.

    python benchmarks/optics/gpu.py [--device 0] [--rounds 7] [--quick] [--json FILE]
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import torch
from gpu_command import options_of, write

import photonlink as phl
from photonlink.bench.optics_peers import Task
from photonlink.bench.timing import require_agreement
from photonlink.readout import Space

OURS, CPU, MERLIN = "sim:cuda", "sim", "MerLin"
TOLERANCE = 1e-5  # of the largest probability
CASES: tuple[tuple[Space, int, int, int], ...] = (
    ("fock", 12, 6, 8),
    ("fock", 12, 6, 1024),
    ("fock", 16, 8, 8),
    ("fock", 16, 8, 64),
    ("unbunched", 20, 10, 8),
    ("unbunched", 24, 12, 8),
)
MOST_MERLIN_STATES = 600_000  # more takes MerLin minutes to set up
MOST_CPU_SECONDS = 20.0  # of a case on the CPU
FLOAT = 4  # bytes


@dataclass(frozen=True)
class Case:
    """Milliseconds per batch, medians over the rounds.

    Attributes:
        space: "fock" or "unbunched".
        modes: Of the program.
        photons: Of the program.
        batch: Rows per call.
        milliseconds: By name; who was left out is not there.
        setup_seconds: Opening the session on the GPU, tables included.
        floor_milliseconds: See the head of this file.
        roofline: Floor over time on the GPU.
        ratios: The others' time over that on the GPU.
    """

    space: str
    modes: int
    photons: int
    batch: int
    milliseconds: dict[str, float]
    setup_seconds: float
    floor_milliseconds: float
    roofline: float
    ratios: dict[str, float]


def states(space: str, modes: int, photons: int) -> int:
    """Size of a basis.

    Examples:
        >>> states("fock", 12, 6), states("unbunched", 24, 12)
        (12376, 2704156)
    """
    return math.comb(modes + photons - 1, photons) if space == "fock" else math.comb(modes, photons)


def flops(space: str, modes: int, photons: int) -> int:
    """Flops of one datapoint's sweep: a complex multiply-add per parent, half of one in the last level, whose column is
    real, and 4 per probability.
    """  # noqa: D205
    parents = [
        modes * states(space, modes, k - 1) if space == "fock" else k * states(space, modes, k)
        for k in range(1, photons + 1)
    ]
    return 8 * sum(parents[:-1]) + 4 * parents[-1] + 4 * states(space, modes, photons)


def moved_bytes(space: str, modes: int, photons: int) -> int:
    """Bytes of one datapoint if each level is written and read once, and the result written."""
    levels = sum(states(space, modes, k) for k in range(photons))
    return 2 * 2 * FLOAT * levels + FLOAT * states(space, modes, photons)


def seconds_of(call: Callable[[], object]) -> float:
    """From the first launch to the end of the last."""
    torch.cuda.synchronize()
    started = time.perf_counter()
    call()
    torch.cuda.synchronize()
    return time.perf_counter() - started


def best_seconds(call: Callable[[], object], rounds: int) -> float:
    """After one call that warms up."""
    call()
    return min(seconds_of(call) for _ in range(rounds))


def limits(device: torch.device, rounds: int) -> dict[str, float]:
    """Multiply-add rate and copy bandwidth of the GPU."""
    torch.backends.cuda.matmul.allow_tf32 = False
    size, words = 8192, 1 << 28
    a, b = torch.rand(size, size, device=device), torch.rand(size, size, device=device)
    product = best_seconds(lambda: a @ b, rounds)
    source, target = torch.ones(words, device=device), torch.empty(words, device=device)
    copy = best_seconds(lambda: target.copy_(source), rounds)
    return {"gflops": 2e-9 * size**3 / product, "gbytes": 2e-9 * words * FLOAT / copy}


def merlin_call(task: Task, space: str, x: torch.Tensor) -> Callable[[], torch.Tensor] | None:
    """MerLin's layer on the device of `x`, or None where it is not installed."""
    try:
        import merlin
    except ModuleNotFoundError:
        return None
    layer = merlin.QuantumLayer(
        input_size=task.modes,
        circuit=task.circuit(),
        input_state=task.state,
        input_parameters=["px"],
        trainable_parameters=[],
        dtype=torch.float32,
        device=x.device,
        measurement_strategy=merlin.MeasurementStrategy.probs(
            computation_space=getattr(merlin.ComputationSpace, space.upper())
        ),
    ).eval()

    def call() -> torch.Tensor:
        with torch.no_grad():
            return layer(x)

    return call


def check(name: str, result: torch.Tensor, expected: np.ndarray) -> None:
    """Raises PhotonLinkError where somebody computes something else."""
    worst = float(np.abs(result.cpu().numpy() - expected).max() / expected.max())
    require_agreement(
        f"{name} differs from the CPU in double precision", worst, TOLERANCE, of=" of the largest probability"
    )


def measure(
    space: Space, modes: int, photons: int, batch: int, device: torch.device, rates: dict[str, float], rounds: int
) -> Case:
    """One case."""
    state = [0] * modes
    for photon in range(photons):
        state[photon * modes // photons] = 1
    task = Task.haar(state, threads=0)
    program = (
        phl.Program.layered(modes, state)
        .interferometer(task.unitaries[0])
        .phases([f"px{mode}" for mode in range(modes)])
        .interferometer(task.unitaries[1])
        .build(phl.Readout.probs(space=space))
    )
    x = torch.as_tensor(np.random.default_rng(1).uniform(0, 2 * np.pi, (batch, modes)), device=device)
    host = x.cpu().numpy()
    expected = program.simulate(host[:2])
    x32 = x.float()
    started = time.perf_counter()
    with (
        phl.reserve(OURS, program, precision="float32") as gpu,
        phl.reserve(CPU, program, clock="none", precision="float32") as cpu,
    ):
        gpu.infer(x[:1])
        torch.cuda.synchronize()
        setup = time.perf_counter() - started
        calls: dict[str, Callable[[], object]] = {OURS: lambda: gpu.infer(x)}
        check(OURS, gpu.infer(x[:2]), expected)
        theirs = merlin_call(task, space, x32) if program.output_size <= MOST_MERLIN_STATES else None
        if theirs is not None:
            check(MERLIN, theirs()[:2], expected)
            calls[MERLIN] = theirs
        if seconds_of(lambda: cpu.infer(host[:1])) * batch < MOST_CPU_SECONDS:
            calls[CPU] = lambda: cpu.infer(host)
        seconds = {name: [best_seconds(call, 1)] for name, call in calls.items()}
        for _ in range(rounds - 1):
            for name, call in calls.items():
                seconds[name].append(seconds_of(call))
    milliseconds = {name: 1e3 * float(np.median(times)) for name, times in seconds.items()}
    floor = batch * max(
        1e-6 * flops(space, modes, photons) / rates["gflops"],
        1e-6 * moved_bytes(space, modes, photons) / rates["gbytes"],
    )
    ours = milliseconds[OURS]
    ratios = {name: other / ours for name, other in milliseconds.items() if name != OURS}
    return Case(space, modes, photons, batch, milliseconds, setup, floor, floor / ours, ratios)


def main() -> int:
    """Measure, print, and write what was measured."""
    options = options_of(__doc__.split("\n", 1)[0], quick="small cases only")
    device = torch.device("cuda", options.device)
    rates = limits(device, options.rounds)
    print(f"{torch.cuda.get_device_name(device)}: {rates['gflops']:.0f} Gflop/s, {rates['gbytes']:.0f} GB/s copied")
    cases = []
    for space, modes, photons, batch in CASES[: 2 if options.quick else None]:
        case = measure(space, modes, photons, batch, device, rates, options.rounds)
        cases.append(case)
        times = ", ".join(f"{name} {value:.3g} ms" for name, value in case.milliseconds.items())
        print(f"{space} ({modes},{photons}) batch {batch}: {times}; {case.roofline:.0%} of the roofline")
    write(options, {"limits": rates, "cases": [asdict(case) for case in cases]})
    return 0


if __name__ == "__main__":
    sys.exit(main())
