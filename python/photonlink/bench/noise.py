"""``photonlink bench noise``: distributions behind imperfect sources, beside Perceval's Processor.

Everyone computes every kept event of Haar, phases, Haar for each row of phases. Perceval leaves out what is less likely
than its precision, 1e-6 unless told otherwise; both are timed, and compared with ours before that. So are ours with the
derivatives, by all phases, of a weighted sum of each datapoint's probabilities.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

import photonlink as phl
from photonlink._memory import half_of_memory
from photonlink._reservoir import spaced_state
from photonlink.bench.optics_peers import Task
from photonlink.bench.timing import median_us_per_row, require_agreement
from photonlink.gradients import Differentiator, Vjp

__all__ = ["render", "run"]

SIZES = ((6, 3), (8, 3), (8, 4))
BATCHES = (1, 64)
# Every kind of noise at once, and a chip: its detectors click, and only events with all photons are kept.
SETTINGS: dict[str, tuple[phl.Noise, Literal["pnr", "threshold"], bool]] = {
    "all noise": (phl.Noise(brightness=0.8, transmittance=0.5, indistinguishability=0.9, g2=0.02), "pnr", False),
    "ascella": (phl.Noise.preset("ascella"), "threshold", True),
}
PRECISIONS = {"perceval Processor": 1e-6, "perceval Processor, exact": 1e-30}
AGREEMENT = {"perceval Processor": 1e-3, "perceval Processor, exact": 1e-7}
DERIVATIVES = "photonlink, derivatives"
STEP = 1e-4  # radians, of central differences
DIFFERENCES_AGREEMENT = 1e-6
MOST_EXACT_PHOTONS = 3  # more would take it minutes
SECONDS = 2.0
SHORTEST_SECONDS = 0.2

Distribution = dict[tuple[int, ...], float]


def _perceval(task: Task, setting: str, precision: float) -> Callable[[NDArray[np.float64]], Distribution]:
    """The distribution of one datapoint from a local processor, circuits handed over as one matrix."""
    import perceval as pcvl

    noise, detectors, all_photons = SETTINGS[setting]
    model = pcvl.NoiseModel(
        brightness=noise.brightness,
        transmittance=noise.transmittance,
        indistinguishability=noise.indistinguishability,
        g2=noise.g2,
    )

    def distribution(phases: NDArray[np.float64]) -> Distribution:
        experiment = pcvl.Experiment(pcvl.Unitary(pcvl.Matrix(task.unitary(phases))), noise=model)
        for mode in range(task.modes if detectors == "threshold" else 0):
            experiment.add(mode, pcvl.Detector.threshold())
        experiment.with_input(pcvl.BasicState(task.state))
        experiment.min_detected_photons_filter(task.photons if all_photons else 0)
        results = pcvl.Processor("SLOS", experiment).probs(precision=precision)["results"]
        return {tuple(state): probability for state, probability in results.items()}

    return distribution


def _peers(task: Task, setting: str) -> dict[str, Callable[[NDArray[np.float64]], Distribution]]:
    if importlib.util.find_spec("perceval") is None:
        return {}
    exact = task.photons <= MOST_EXACT_PHOTONS
    return {
        who: _perceval(task, setting, precision) for who, precision in PRECISIONS.items() if exact or "exact" not in who
    }


def _program(task: Task, setting: str) -> phl.Program:
    noise, detectors, all_photons = SETTINGS[setting]
    return phl.Program.from_perceval(
        task.circuit(),
        input_state=task.state,
        input_parameters=["px"],
        readout=phl.Readout.probs(space="fock"),
        noise=noise,
        detectors=detectors,
        min_detected_photons=None if all_photons else 0,
    )


def _check_agreement(who: str, theirs: Distribution, ours: Distribution) -> None:
    worst = max(abs(probability - theirs.get(state, 0.0)) for state, probability in ours.items())
    if not theirs.keys() <= ours.keys():  # a state that ours cannot even have
        worst = math.inf
    require_agreement(f"{who} differs from photonlink", worst, AGREEMENT[who])


def _derivatives(program: phl.Program, rows: int, threads: int) -> Callable[[NDArray[np.float64]], Vjp]:
    """Forward and backward pass of up to `rows` datapoints, after a look at differences along one direction."""
    rng = np.random.default_rng(2)
    weights = rng.normal(size=(rows, program.output_size))
    differentiator = Differentiator(program, precision="float64", threads=threads)

    def run(x: NDArray[np.float64]) -> Vjp:
        return differentiator.value_and_vjp(x, weights[: len(x)], interferometers=False)

    x, direction = rng.uniform(0, 2 * np.pi, (1, len(program.features))), rng.normal(size=(1, len(program.features)))
    ahead, behind = (differentiator.value(x + step * direction) @ weights[0] for step in (STEP, -STEP))
    worst = float(np.abs((run(x).features * direction).sum() - (ahead - behind) / (2 * STEP)).max())
    require_agreement(f"{DERIVATIVES}: these differ from differences", worst, DIFFERENCES_AGREEMENT)
    return run


def _one_by_one(
    distribution: Callable[[NDArray[np.float64]], Distribution], rows: NDArray[np.float64]
) -> list[Distribution]:
    return [distribution(row) for row in rows]


def _cases(task: Task, setting: str, batches: tuple[int, ...]) -> list[dict[str, Any]]:
    from photonlink import _core

    program = _program(task, setting)
    simulator = _core.Simulator(program.spec, "float64", half_of_memory(), threads=task.threads)
    phases = np.random.default_rng(1).uniform(0, 2 * np.pi, size=(max(batches), task.modes))
    runners = _peers(task, setting)
    ours = dict(zip(program.output_keys, simulator.run(phases[:1])[0].tolist(), strict=True))
    for who, distribution in runners.items():
        _check_agreement(who, distribution(phases[0]), ours)
    native: dict[str, Callable[[NDArray[np.float64]], object]] = {
        "photonlink": simulator.run,
        DERIVATIVES: _derivatives(program, max(batches), task.threads),
    }
    cases: list[dict[str, Any]] = []
    for batch in batches:
        timed = {
            who: median_us_per_row(call, phases[:batch], limit=SECONDS, shortest=SHORTEST_SECONDS)
            for who, call in native.items()
        }
        for who, distribution in runners.items():
            timed[who] = median_us_per_row(partial(_one_by_one, distribution), phases[:batch], limit=SECONDS)
        for who, (microseconds, rows) in timed.items():
            cases.append(
                {
                    "modes": task.modes,
                    "photons": task.photons,
                    "setting": setting,
                    "states": program.output_size,
                    "batch": batch,
                    "who": who,
                    "microseconds": microseconds,
                    "rows_timed": rows,
                    "ratio": microseconds / timed["photonlink"][0],
                }
            )
    return cases


def run(
    sizes: tuple[tuple[int, int], ...] = SIZES, batches: tuple[int, ...] = BATCHES, *, threads: int = 2
) -> dict[str, Any]:
    """Measure all cases, in double precision.

    Args:
        sizes: (modes, photons) of the programs.
        batches: Rows per call.
        threads: Threads that everyone may use.

    Returns:
        ``cases``, one entry per size, setting, batch and program: microseconds per datapoint, median over repeats, and
        its ``ratio`` to ours.

    Raises:
        PhotonLinkError: Perceval computes something else.
    """
    cases: list[dict[str, Any]] = []
    for modes, photons in sizes:
        task = Task.haar(list(spaced_state(modes, photons)), threads)
        for setting in SETTINGS:
            cases += _cases(task, setting, batches)
    return {"simulated": True, "threads": threads, "cases": cases}


def render(report: dict[str, Any]) -> str:
    """The report as a table: one line per size, setting, batch and program."""
    lines = [f"{'noisy distribution':<26}{'states':>8}{'batch':>7}{'us per datapoint':>40}{'ours is faster':>16}"]
    for case in report["cases"]:
        size = f"({case['modes']},{case['photons']}) {case['setting']}"
        cell = f"  {case['who']:<26}{case['microseconds']:>12.2f}"
        lines.append(f"{size:<26}{case['states']:>8}{case['batch']:>7}{cell:>40}{case['ratio']:>15.1f}x")
    return "\n".join([*lines, f"{report['threads']} threads each (simulated optics)"])
