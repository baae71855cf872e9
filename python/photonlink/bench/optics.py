"""``photonlink bench optics``: the native simulator beside Perceval's SLOS backend and MerLin.

Everyone computes the same thing: the full Fock-space distribution of Haar, phases, Haar for each row of phases.
Agreement is checked before anything is timed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import photonlink as phl
from photonlink._memory import half_of_memory
from photonlink._reservoir import spaced_state
from photonlink.errors import PhotonLinkError
from photonlink.unitary import haar_unitary

SIZES = ((6, 3), (8, 4), (10, 5), (12, 6), (16, 8))
BATCHES = (1, 32, 256)
PEER_SECONDS = 4.0  # a peer that needs longer for a batch is timed on fewer rows, and the result says so
REPEATS = 5
AGREEMENT = {"float32": 5e-6, "float64": 1e-9}

Floats = NDArray[Any]
Runner = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Case:
    """One timing: microseconds per datapoint, median over repeats."""

    modes: int
    photons: int
    batch: int
    who: str
    microseconds: float
    rows_timed: int


def _median_us_per_row(run: Runner, phases: Floats, *, limit: float) -> tuple[float, int]:
    """Median microseconds per row; shrinks the batch when one call would take longer than ``limit`` seconds."""
    rows = len(phases)
    started = time.perf_counter()
    run(phases[:1])
    single = time.perf_counter() - started
    if single * rows > limit:
        rows = max(1, int(limit / single))
    part = np.ascontiguousarray(phases[:rows])
    run(part)
    durations: list[float] = []
    begun = time.perf_counter()
    while len(durations) < REPEATS and (len(durations) < 2 or time.perf_counter() - begun < limit):
        started = time.perf_counter()
        run(part)
        durations.append(time.perf_counter() - started)
    return 1e6 * float(np.median(durations)) / rows, rows


def _circuit(modes: int, seed: int) -> tuple[Any, list[NDArray[np.complex128]]]:
    """Haar, one phase per mode named px0.., Haar; as a Perceval circuit and as its two matrices."""
    import perceval as pcvl

    unitaries = [haar_unitary(modes, seed), haar_unitary(modes, seed + 1)]
    circuit = pcvl.Circuit(modes)
    circuit.add(0, pcvl.Unitary(pcvl.Matrix(unitaries[0])))
    for mode in range(modes):
        circuit.add(mode, pcvl.PS(pcvl.P(f"px{mode}")))
    circuit.add(0, pcvl.Unitary(pcvl.Matrix(unitaries[1])))
    return circuit, unitaries


def _ours(program: phl.Program, precision: str) -> Runner:
    from photonlink import _core

    simulator = _core.Simulator(program.spec, precision, half_of_memory())
    return lambda phases: simulator.run(phases)


def _perceval(unitaries: list[NDArray[np.complex128]], state: list[int]) -> Runner:
    """Perceval's backend in its own best idiom: one backend, a new unitary per datapoint, all probabilities at once."""
    import perceval as pcvl

    backend = pcvl.SLOSBackend()
    first, last = unitaries

    def run(phases: Floats) -> Floats:
        rows = []
        for row in phases:
            backend.set_circuit(pcvl.Unitary(pcvl.Matrix(last @ (np.exp(1j * row)[:, None] * first))))
            backend.set_input_state(pcvl.BasicState(state))
            rows.append(np.asarray(backend.all_prob()))
        return np.array(rows)

    return run


def _merlin(circuit: Any, state: list[int]) -> Runner | None:
    """MerLin's layer without gradients, or None when MerLin is not installed."""
    try:
        import merlin
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    layer = merlin.QuantumLayer(
        input_size=len(state),
        circuit=circuit,
        input_state=state,
        input_parameters=["px"],
        trainable_parameters=[],
        measurement_strategy=merlin.MeasurementStrategy.probs(computation_space=merlin.ComputationSpace.FOCK),
    ).eval()

    def run(phases: Floats) -> Floats:
        with torch.no_grad():
            result: Floats = layer(torch.as_tensor(phases, dtype=torch.float32)).numpy()
            return result

    return run


def run(sizes: tuple[tuple[int, int], ...] = SIZES, batches: tuple[int, ...] = BATCHES) -> dict[str, Any]:
    """Measure all cases.

    Returns:
        ``cases``: one entry per (modes, photons, batch, who); ``ratios``: peers over ours (float32) for each size.
    """
    cases: list[Case] = []
    for modes, photons in sizes:
        state = list(spaced_state(modes, photons))
        circuit, unitaries = _circuit(modes, seed=modes)
        program = phl.Program.from_perceval(
            circuit, input_state=state, input_parameters=["px"], readout=phl.Readout.probs(space="fock")
        )
        runners: dict[str, Runner | None] = {
            "photonlink float32": _ours(program, "float32"),
            "photonlink float64": _ours(program, "float64"),
            "perceval SLOS": _perceval(unitaries, state),
            "merlin float32": _merlin(circuit, state),
        }
        phases = np.random.default_rng(1).uniform(0, 2 * np.pi, size=(max(batches), modes))
        _check_agreement(runners, phases[:2])
        for batch in batches:
            for who, runner in runners.items():
                if runner is not None:
                    microseconds, rows = _median_us_per_row(runner, phases[:batch], limit=PEER_SECONDS)
                    cases.append(Case(modes, photons, batch, who, microseconds, rows))
    return {"simulated": True, "cases": [asdict(case) for case in cases], "ratios": _ratios(cases)}


def _check_agreement(runners: dict[str, Runner | None], phases: Floats) -> None:
    reference = runners["photonlink float64"]
    assert reference is not None
    expected = reference(phases)
    for who, runner in runners.items():
        if runner is None:
            continue
        worst = float(np.abs(runner(phases) - expected).max())
        tolerance = AGREEMENT["float32" if "float32" in who else "float64"]
        if not worst <= tolerance:
            raise PhotonLinkError(
                f"{who} differs from photonlink float64 by {worst:.2e} (tolerance {tolerance:.0e}): nothing was timed, "
                "since the timings would not compare the same computation"
            )


def _ratios(cases: list[Case]) -> list[dict[str, Any]]:
    ours = {(c.modes, c.photons, c.batch): c.microseconds for c in cases if c.who == "photonlink float32"}
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
    """The report as a table: one line per size and batch."""
    people = list(dict.fromkeys(case["who"] for case in report["cases"]))
    lines = [
        "microseconds per datapoint, full Fock distribution, one thread (simulated optics); in brackets: times ours",
        f"{'modes,photons':<15}{'batch':>6}" + "".join(f"{who:>26}" for who in people),
    ]
    sizes = dict.fromkeys((c["modes"], c["photons"], c["batch"]) for c in report["cases"])
    for modes, photons, batch in sizes:
        row = {
            c["who"]: c for c in report["cases"] if (c["modes"], c["photons"], c["batch"]) == (modes, photons, batch)
        }
        base = row["photonlink float32"]["microseconds"]
        cells = []
        for who in people:
            value = row[who]["microseconds"]
            fewer = "*" if row[who]["rows_timed"] < batch else ""
            cells.append(f"{value:>16.2f}{fewer:<1}({value / base:>6.1f})")
        lines.append(f"({modes},{photons})".ljust(15) + f"{batch:>6}" + "".join(f"{cell:>26}" for cell in cells))
    if any(c["rows_timed"] < c["batch"] for c in report["cases"]):
        lines.append("* timed on fewer rows, because a whole batch takes longer than the time limit per case")
    return "\n".join(lines)
