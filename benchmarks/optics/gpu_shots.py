"""Samples without a distribution on a GPU beside those of the CPU: the same shots, drawn from the same random numbers.

Haar, one phase per mode, Haar; single photons, spread over the modes; mode expectations in the Fock space from one
datapoint's shots. Both are given too little memory for the distribution. Agreement is checked before anything is timed;
figures are medians over the rounds of the time between the launch and the end, by the clock of the host.

    python benchmarks/optics/gpu_shots.py [--device 0] [--rounds 7] [--quick] [--json FILE]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import torch
from gpu_command import options_of, write

import photonlink as phl
from photonlink.bench.optics_peers import Task

SAMPLER = "clifford_clifford_2017"
LIMIT = 2**22  # bytes; no distribution below fits
CASES = ((24, 8, 100_000), (24, 12, 20_000), (20, 16, 1_000), (18, 17, 1_000))  # modes, photons, shots
TOLERANCE = 1e-12


@dataclass(frozen=True)
class Case:
    """Shots per second, medians over the rounds, and how many times more the GPU draws."""

    modes: int
    photons: int
    shots: int
    gpu_per_second: float
    cpu_per_second: float
    ratio: float


def median_seconds(call: Callable[[], object], rounds: int) -> float:
    """Of calls whose work on the GPU is waited for, after one that warms up."""
    call()
    times = []
    for _ in range(rounds):
        torch.cuda.synchronize()
        started = time.perf_counter()
        call()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def measure(modes: int, photons: int, shots: int, rounds: int) -> Case:
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
        .build(phl.Readout.mode_expectations("fock"))
    )
    x = np.random.default_rng(1).uniform(0, 2 * np.pi, (1, modes))
    with (
        phl.Controller(memory_limit=LIMIT) as controller,
        phl.reserve("sim", program, clock="none", shots=shots, controller=controller) as cpu,
        phl.reserve("sim:cuda", program, clock="none", shots=shots, memory_limit=LIMIT) as gpu,
    ):
        if (gpu.info.sampler, cpu.info.sampler) != (SAMPLER, SAMPLER):
            raise SystemExit(f"({modes},{photons}) was drawn from its distribution; lower the limit")
        on_gpu = torch.as_tensor(x, device="cuda")
        worst = float(np.abs(gpu.infer(on_gpu).cpu().numpy() - cpu.infer(x)).max())
        if worst > TOLERANCE:
            raise SystemExit(
                f"({modes},{photons}): the GPU's shots are not the CPU's; expectations differ by {worst:.1e}"
            )
        gpu_seconds = median_seconds(lambda: gpu.infer(on_gpu), rounds)
        cpu_seconds = median_seconds(lambda: cpu.infer(x), rounds)
    return Case(modes, photons, shots, shots / gpu_seconds, shots / cpu_seconds, cpu_seconds / gpu_seconds)


def main() -> int:
    """Measure, print, and write what was measured."""
    options = options_of(__doc__.split("\n", 1)[0], quick="the first case only")
    gpu = torch.cuda.get_device_name(options.device)
    cases = []
    for modes, photons, shots in CASES[: 1 if options.quick else None]:
        case = measure(modes, photons, shots, options.rounds)
        cases.append(case)
        print(
            f"({modes},{photons}) {shots} shots: {case.gpu_per_second:.3g} per second on {gpu}, "
            f"{case.cpu_per_second:.3g} on the CPU: {case.ratio:.3g} times as many"
        )
    write(options, {"cases": [asdict(case) for case in cases]})
    return 0


if __name__ == "__main__":
    sys.exit(main())
