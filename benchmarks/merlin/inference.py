"""Inference of one quantum layer: MerLin's layer and processor beside photonlink's, and the layer offloaded.

The same trained circuit, inputs and weights; exact probabilities of the Fock space without grouping or encoding scale,
because there MerLin's own processor returns what its layer returns. That processor runs Perceval's SLOS backend in this
process; nothing here runs on photonic hardware, or over a network. Agreement is checked before anything is timed.
Everybody runs in turn in every round, those that take no time several times, of which the median counts; figures and
ratios are medians over the rounds. Ratios are those of processor time, all threads together, which other work on the
machine disturbs least.

    python benchmarks/merlin/inference.py [--sizes 6,3 8,4] [--rows 1 32] [--rounds 5] [--json FILE]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import merlin
import numpy as np
import perceval as pcvl
import torch

from photonlink.bench.machine import machine
from photonlink.bench.timing import in_turn
from photonlink.merlin import Processor, offload
from photonlink.torch import QuantumLayer

TOLERANCE = 1e-6  # largest difference of a probability, float32
MOST_CALLS, ROUND_SECONDS = 101, 0.5  # of each in a round
RATIOS = {
    "photonlink layer": "MerLin layer",
    "offloaded layer": "MerLin layer",
    "photonlink Processor": "MerlinProcessor, local SLOS",
}

Forward = Callable[[torch.Tensor], torch.Tensor]


@contextlib.contextmanager
def competitors(modes: int, photons: int) -> Iterator[dict[str, Forward]]:
    """Everybody's forward pass of one layer: trainable mesh, a phase per mode but one, trainable mesh."""
    torch.manual_seed(0)
    builder = merlin.CircuitBuilder(modes)
    builder.add_entangling_layer(trainable=True, name="before")
    builder.add_angle_encoding(modes=list(range(modes - 1)), name="px")
    builder.add_entangling_layer(trainable=True, name="after")
    strategy = merlin.MeasurementStrategy.probs(merlin.ComputationSpace.FOCK)
    layer = merlin.QuantumLayer(builder=builder, n_photons=photons, measurement_strategy=strategy).eval()
    theirs = merlin.MerlinProcessor(processor=pcvl.Processor("SLOS", modes))
    with Processor("sim") as ours, offload(layer, "sim") as offloaded, theirs:
        yield {
            "MerLin layer": layer,
            "photonlink layer": QuantumLayer.from_merlin(layer).eval(),
            "offloaded layer": offloaded,
            "MerlinProcessor, local SLOS": lambda x: theirs.forward(layer, x),
            "photonlink Processor": lambda x: ours.forward(layer, x),
        }


def differences(made: dict[str, Forward], x: torch.Tensor) -> dict[str, float]:
    """Largest difference of each from MerLin's layer; ends the program where it is too large to compare timings."""
    expected = made["MerLin layer"](x)
    found = {who: float((forward(x) - expected).abs().max()) for who, forward in made.items()}
    for who, difference in found.items():
        if not difference <= TOLERANCE:
            sys.exit(f"{who} differs by {difference:.1e}: nothing was timed")
    return found


def compare(modes: int, photons: int, rows: int, rounds: int) -> dict[str, object]:
    """One size and batch."""
    with torch.no_grad(), competitors(modes, photons) as made:
        x = torch.rand(rows, modes - 1)
        agreement = differences(made, x)
        calls = {who: partial(forward, x) for who, forward in made.items()}
        seconds = in_turn(calls, rounds, most_calls=MOST_CALLS, seconds=ROUND_SECONDS)
    ratios = {who: float(np.median(seconds[peer][:, 1] / seconds[who][:, 1])) for who, peer in RATIOS.items()}
    microseconds = {who: (1e6 * np.median(values, axis=0)).tolist() for who, values in seconds.items()}
    print(f"{modes} modes, {photons} photons, {rows} rows, float32{'elapsed':>16}{'processor':>15}")
    for who, (elapsed, processor) in microseconds.items():
        ratio = f"{ratios[who]:10.1f}x {RATIOS[who]}" if who in ratios else ""
        print(f"  {who:<30}{elapsed:12.1f} us{processor:12.1f} us{ratio}")
    return {
        "modes": modes,
        "photons": photons,
        "rows": rows,
        "microseconds": microseconds,
        "processor_time_ratios": ratios,
        "largest_difference": agreement,
    }


def main() -> None:
    """Print the table, and write it with what it was measured on."""
    parser = argparse.ArgumentParser(description="Inference of one layer beside MerLin")
    parser.add_argument("--sizes", nargs="+", default=["6,3", "8,4"], metavar="M,N", help="modes, photons")
    parser.add_argument("--rows", nargs="+", type=int, default=[1, 32])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--json", type=Path, metavar="FILE")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    sizes = [tuple(map(int, size.split(","))) for size in chosen.sizes]
    cases = [compare(*size, rows, chosen.rounds) for size in sizes for rows in chosen.rows]
    if chosen.json is not None:
        report = {"threads": chosen.threads, "rounds": chosen.rounds, "cases": cases, "machine": machine()}
        chosen.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
