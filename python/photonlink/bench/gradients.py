"""Forward and backward pass beside MerLin's: observables, and their derivatives by inputs and trainable parameters."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photonlink import _packages
from photonlink.bench.timing import require_agreement
from photonlink.gradients import Differentiator, TrainableProgram
from photonlink.program import spaced_state
from photonlink.readout import Readout

SIZES = ((6, 3, 1024), (12, 6, 32), (12, 6, 256))
ROUNDS = 5
ROUND_SECONDS = 20.0  # no further round once a size has taken so long
AGREEMENT = 1e-4  # of float32 derivatives, relative to the largest

Arrays = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
Runner = Callable[[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]], Arrays]


@dataclass(frozen=True)
class Case:
    """One measurement: a batch forward and back, full Fock distribution, by one program in one precision."""

    modes: int
    photons: int
    batch: int
    who: str
    microseconds: float  # per datapoint, median over the rounds
    ratio: float  # to photonlink float32: median over the rounds, in each of which everybody ran once


def circuit(modes: int) -> Any:
    """MerLin's usual layer: a trainable mesh, one phase per mode that an input sets, another trainable mesh."""
    import perceval as pcvl

    def mesh(prefix: str) -> Any:
        made = pcvl.Circuit(modes)
        for column in range(modes):
            for k in range(column % 2, modes - 1, 2):
                made.add((k, k + 1), pcvl.BS()).add(k, pcvl.PS(pcvl.P(f"{prefix}_i{column}_{k}")))
                made.add((k, k + 1), pcvl.BS()).add(k, pcvl.PS(pcvl.P(f"{prefix}_o{column}_{k}")))
        return made

    whole = mesh("theta_l")
    for mode in range(modes):
        whole.add(mode, pcvl.PS(pcvl.P(f"px{mode}")))
    return whole.add(0, mesh("theta_r"), merge=True)


def merlin_layer(modes: int, photons: int) -> Any:
    """A ``merlin.QuantumLayer`` of that circuit, in single precision; MerLin must be installed."""
    import merlin

    return merlin.QuantumLayer(
        input_size=modes,
        circuit=circuit(modes),
        input_state=list(spaced_state(modes, photons)),
        input_parameters=["px"],
        trainable_parameters=["theta"],
        measurement_strategy=merlin.MeasurementStrategy.probs(computation_space=merlin.ComputationSpace.FOCK),
    )


def _ours(modes: int, photons: int, precision: Any, threads: int) -> tuple[Runner, int]:
    trainable = TrainableProgram.from_perceval(
        circuit(modes), spaced_state(modes, photons), ["px"], ["theta"], Readout.probs("fock")
    )
    differentiator = Differentiator(trainable, precision=precision, threads=threads)

    def run(x: NDArray[np.float64], values: NDArray[np.float64], cotangent: NDArray[np.float32]) -> Arrays:
        vjp = differentiator.value_and_vjp(x, cotangent, parameters=values, interferometers=False)
        assert vjp.parameters is not None
        return vjp.value, vjp.features, vjp.parameters

    return run, len(trainable.parameters)


def _merlin(modes: int, photons: int, threads: int) -> Runner:
    _packages.require(["merlin", "torch"], "torch,merlin", by="the benchmark of gradients")
    import torch

    torch.set_num_threads(threads)
    layer = merlin_layer(modes, photons)
    (weights,) = list(layer.parameters())

    def run(x: NDArray[np.float64], values: NDArray[np.float64], cotangent: NDArray[np.float32]) -> Arrays:
        with torch.no_grad():
            weights.copy_(torch.as_tensor(values))
        weights.grad = None
        inputs = torch.tensor(x, dtype=torch.float32, requires_grad=True)
        outputs = layer(inputs)
        outputs.backward(torch.as_tensor(cotangent))
        return outputs.detach().numpy(), inputs.grad.numpy(), weights.grad.numpy()

    return run


def run(sizes: tuple[tuple[int, int, int], ...] = SIZES, threads: int = 2) -> dict[str, Any]:
    """Measure all sizes, everybody in turn in every round, after checking that all agree.

    Args:
        sizes: (modes, photons, batch) of each.
        threads: Threads that each program may use.

    Returns:
        ``cases``: one entry per (modes, photons, batch, who), with ``ratio`` over photonlink float32; ``threads``.

    Raises:
        TargetUnavailable: MerLin is not installed.
        PhotonLinkError: Results differ, so that timings would not compare the same computation.
    """
    cases: list[Case] = []
    for modes, photons, batch in sizes:
        ours, parameters = _ours(modes, photons, "float32", threads)
        runners = {
            "photonlink float32": ours,
            "photonlink float64": _ours(modes, photons, "float64", threads)[0],
            "merlin float32": _merlin(modes, photons, threads),
        }
        rng = np.random.default_rng(1)
        x, values = rng.uniform(-np.pi, np.pi, (batch, modes)), rng.uniform(-np.pi, np.pi, parameters)
        outputs = Readout.probs("fock").output_size(modes, photons)
        cotangent = rng.normal(size=(batch, outputs)).astype(np.float32)
        _check_agreement(runners, x[:2], values, cotangent[:2])
        cases += _measure(runners, (modes, photons, batch), (x, values, cotangent))
    return {"simulated": True, "threads": threads, "cases": [asdict(case) for case in cases]}


def _check_agreement(runners: dict[str, Runner], x: Any, values: Any, cotangent: Any) -> None:
    expected = runners["photonlink float64"](x, values, cotangent)
    for who, runner in runners.items():
        for got, wanted in zip(runner(x, values, cotangent), expected, strict=True):
            worst = float(np.abs(got - wanted).max() / np.abs(wanted).max())
            require_agreement(f"{who} differs from photonlink float64", worst, AGREEMENT, of=" of the largest value")


def _measure(runners: dict[str, Runner], size: tuple[int, int, int], data: tuple[Any, Any, Any]) -> list[Case]:
    times: dict[str, list[float]] = {who: [] for who in runners}
    begun = time.perf_counter()
    rounds = 0
    while rounds < 2 or (rounds <= ROUNDS and time.perf_counter() - begun < ROUND_SECONDS):
        for who, runner in runners.items():
            started = time.perf_counter()
            runner(*data)
            times[who].append(time.perf_counter() - started)
        rounds += 1
    timed = {who: np.array(seconds[1:]) for who, seconds in times.items()}  # the first round warms up
    ours = timed["photonlink float32"]
    return [
        Case(*size, who, 1e6 * float(np.median(seconds)) / size[2], float(np.median(seconds / ours)))
        for who, seconds in timed.items()
    ]


def render(report: dict[str, Any]) -> str:
    """The report as a table: one line per size."""
    people = list(dict.fromkeys(case["who"] for case in report["cases"]))
    title = (
        f"microseconds per datapoint, forward and backward, full Fock distribution, {report['threads']} threads each "
        "(simulated optics); in brackets: times ours"
    )
    lines = [
        title,
        f"{'modes,photons':<15}{'batch':>6}" + "".join(f"{who:>26}" for who in people),
    ]
    for size in dict.fromkeys((c["modes"], c["photons"], c["batch"]) for c in report["cases"]):
        row = {c["who"]: c for c in report["cases"] if (c["modes"], c["photons"], c["batch"]) == size}
        cells = "".join(f"{row[who]['microseconds']:>16.2f} ({row[who]['ratio']:>6.1f}) " for who in people)
        lines.append(f"({size[0]},{size[1]})".ljust(15) + f"{size[2]:>6} {cells}")
    return "\n".join(lines)
