"""Exact full-Fock fidelity kernels beside MerLin's: N x N matrices of the same feature map, same data, same threads.

MerLin simulates one circuit per pair; photonlink computes one amplitude vector per datapoint, and one matrix product.
Agreement is checked before anything is timed. Everybody runs in turn in every round, those that take no time several
times, of which the median counts; ratios are medians over the rounds. Processor time is that of all threads; it is the
one to read on a busy machine.

    python benchmarks/learn/kernels.py [--sizes 6,3 8,4] [--rows 100] [--rounds 5] [--threads 2] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import merlin
import numpy as np
import perceval as pcvl
import torch
from threadpoolctl import threadpool_limits

from photonlink.bench.machine import machine
from photonlink.bench.timing import in_turn
from photonlink.learn import merlin_kernel
from photonlink.unitary import haar_unitary

TOLERANCE = {"float64": 1e-9, "float32": 2e-5}  # largest entry of the difference; kernels are between 0 and 1
OURS = "photonlink float64"
MOST_CALLS, ROUND_SECONDS = 21, 0.5  # of each in a round

Kernel = Callable[[np.ndarray], np.ndarray]


def kernels(modes: int, photons: int, threads: int) -> dict[str, Kernel]:
    """Everybody's kernel of one feature map: random interferometers around one phase per mode."""
    unitary = pcvl.Unitary(pcvl.Matrix(haar_unitary(modes, seed=1)))
    circuit = pcvl.Circuit(modes).add(0, unitary)
    for mode in range(modes):
        circuit.add(mode, pcvl.PS(pcvl.P(f"px{mode}")))
    circuit.add(0, unitary.copy())
    made: dict[str, Kernel] = {}
    for precision in ("float64", "float32"):
        feature_map = merlin.FeatureMap(circuit, modes, input_parameters="px", dtype=precision)
        theirs = merlin.FidelityKernel(feature_map, n_photons=photons, force_psd=False)
        made[f"photonlink {precision}"] = merlin_kernel(theirs, precision=precision, threads=threads)
        made[f"merlin {precision}"] = _without_gradients(theirs, getattr(torch, precision))
    return made


def _without_gradients(kernel: Any, dtype: Any) -> Kernel:
    def run(x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return np.asarray(kernel(torch.as_tensor(x, dtype=dtype)))

    return run


def check_agreement(made: dict[str, Kernel], x: np.ndarray) -> dict[str, float]:
    """Largest difference of each from ours; ends the program where it is too large to compare timings."""
    expected = made[OURS](x)
    differences = {who: float(np.abs(kernel(x) - expected).max()) for who, kernel in made.items()}
    for who, difference in differences.items():
        if not difference <= TOLERANCE[who.split()[1]]:
            sys.exit(f"{who} differs by {difference:.1e}: nothing was timed")
    return differences


def run(sizes: list[tuple[int, int]], rows: int, rounds: int, threads: int) -> dict[str, Any]:
    """The report: a case per size and program; ``ratio`` is to photonlink at the same precision."""
    torch.set_num_threads(threads)
    cases = []
    with threadpool_limits(threads):  # matrix products of numpy
        for modes, photons in sizes:
            cases += compare(modes, photons, rows, rounds, threads)
    return {"machine": machine(), "simulated": True, "threads": threads, "rounds": rounds, "cases": cases}


def compare(modes: int, photons: int, rows: int, rounds: int, threads: int) -> list[dict[str, Any]]:
    """The cases of one size."""
    made = kernels(modes, photons, threads)
    x = np.random.default_rng(0).uniform(0, np.pi, size=(rows, modes))
    differences = check_agreement(made, x)
    calls = {who: partial(kernel, x) for who, kernel in made.items()}
    seconds = in_turn(calls, rounds, most_calls=MOST_CALLS, seconds=ROUND_SECONDS)
    ratios = {who: np.median(times / seconds[f"photonlink {who.split()[1]}"], axis=0) for who, times in seconds.items()}
    return [
        {
            "modes": modes,
            "photons": photons,
            "rows": rows,
            "who": who,
            "milliseconds": 1e3 * float(np.median(times[:, 0])),
            "ratio": float(ratios[who][0]),
            "processor_milliseconds": 1e3 * float(np.median(times[:, 1])),
            "processor_ratio": float(ratios[who][1]),
            "difference": differences[who],
        }
        for who, times in seconds.items()
    ]


def render(report: dict[str, Any]) -> str:
    """The report as a table."""
    lines = [
        f"exact full-Fock fidelity kernel of a dataset with itself (simulated), {report['threads']} threads each",
        "modes,photons       matrix  who                  milliseconds    ratio  processor ms    ratio  difference",
    ]
    lines += [
        f"{c['modes']},{c['photons']:<13}{c['rows']:>5} x {c['rows']:<4} {c['who']:<20}{c['milliseconds']:>13.2f}"
        f"{c['ratio']:>9.1f}{c['processor_milliseconds']:>14.2f}{c['processor_ratio']:>9.1f}{c['difference']:>12.1e}"
        for c in report["cases"]
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["6,3", "8,4"], metavar="MODES,PHOTONS")
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, metavar="FILE")
    chosen = parser.parse_args()
    sizes = [(int(modes), int(photons)) for modes, photons in (size.split(",") for size in chosen.sizes)]
    report = run(sizes, chosen.rows, chosen.rounds, chosen.threads)
    print(render(report))
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
