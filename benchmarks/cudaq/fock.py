"""Photonic kernels on target photonlink-fock beside CUDA-Q's own orca-photonics, in one run: `python fock.py [--json]`.

Both targets sample the same kernel: photons in the first modes, a rectangular mesh of beam splitters and phases, and
all modes measured. The level of the qudits holds all photons, so that both must agree, which is checked first, on exact
distributions. "linear" kernels are linear optics and go over the link to the simulated processor; "mixed" ones create
one photon more in the middle of the mesh, which takes a state vector on both targets.

In every round everybody runs once; times are medians over the rounds, and so are the ratios within a round.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from dataclasses import asdict, dataclass

import numpy as np

warnings.filterwarnings("ignore", category=FutureWarning, module="__main__")  # which CUDA-Q raises at import
import cudaq  # noqa: E402

from photonlink.bench.machine import machine  # noqa: E402
from photonlink.bench.timing import require_agreement  # noqa: E402
from photonlink.cudaq import fock  # noqa: E402
from photonlink.cudaq.fock import beam_splitter, create, mz, phase_shift, qudit  # noqa: E402

OURS, THEIRS = "photonlink-fock", "orca-photonics"
SHOTS, ROUNDS = 1000, 5
AGREEMENT = 1e-10  # of probabilities
BESIDE = (("linear", 4, 2), ("linear", 6, 3), ("linear", 7, 3), ("mixed", 4, 2), ("mixed", 6, 3))
LARGE = (("linear", 8, 4), ("mixed", 8, 4))  # half a minute and more per sample on orca-photonics
ALONE = (("linear", 12, 6), ("linear", 16, 8), ("linear", 24, 12), ("mixed", 10, 4), ("mixed", 12, 6), ("mixed", 16, 6))


@dataclass(frozen=True)
class Case:
    """One kernel on one target, or on both.

    Attributes:
        kind: "linear" or "mixed".
        modes: Qudits.
        photons: Photons at the end; the level of the qudits is one more.
        amplitudes: Entries of the state vector that orca-photonics would keep.
        method: How photonlink-fock ran it.
        ours_s: Seconds per ``cudaq.sample`` there, median.
        theirs_s: The same on orca-photonics, or None where it was not run.
        ratio: Median over the rounds of theirs / ours.
    """

    kind: str
    modes: int
    photons: int
    amplitudes: float
    method: str
    ours_s: float
    theirs_s: float | None
    ratio: float | None


def prepare_and_mix(q, photons: int, angles: list[float], extra: bool) -> None:
    """The kernel without its measurement; with `extra`, the last photon is created halfway."""
    for mode in range(photons - extra):
        create(q[mode])
    modes, angle = len(q), iter(angles)
    for column in range(modes):
        if extra and column == modes // 2:
            create(q[0])
        for mode in range(column % 2, modes - 1, 2):
            beam_splitter(q[mode], q[mode + 1], next(angle))
            phase_shift(q[mode], next(angle))


@cudaq.kernel
def sampled(modes: int, photons: int, angles: list[float], extra: bool):
    q = [qudit(photons + 1) for _ in range(modes)]
    prepare_and_mix(q, photons, angles, extra)
    mz(q)


@cudaq.kernel
def unmeasured(modes: int, photons: int, angles: list[float], extra: bool):
    q = [qudit(photons + 1) for _ in range(modes)]
    prepare_and_mix(q, photons, angles, extra)


def arguments(kind: str, modes: int, photons: int) -> tuple[int, int, list[float], bool]:
    angles = np.random.default_rng(modes).uniform(0, 2 * np.pi, modes * (modes - 1)).tolist()
    return modes, photons, angles, kind == "mixed"


def check_agreement(case: tuple[str, int, int]) -> None:
    """Raises unless both targets give the same exact distribution."""
    cudaq.set_target(THEIRS)
    modes, photons, *_ = given = arguments(*case)
    squares = abs(np.array(cudaq.get_state(unmeasured, *given))) ** 2
    ours = np.zeros((photons + 1,) * modes)
    for text, probability in fock.distribution(sampled, *given).items():
        ours[tuple(map(int, text))] = probability
    worst = float(abs(ours.ravel() - squares / squares.sum()).max())
    require_agreement(f"{case} differs", worst, AGREEMENT)


def seconds(target: str, case: tuple[str, int, int]) -> tuple[float, str]:
    """Time of one sample, and how it was done."""
    cudaq.set_target(target)
    given = arguments(*case)
    begun = time.perf_counter()
    result = cudaq.sample(sampled, *given, shots_count=SHOTS)
    return time.perf_counter() - begun, (result.annotations or {}).get("method", "")


def measure(case: tuple[str, int, int], *, beside: bool, rounds: int) -> Case:
    kind, modes, photons = case
    if beside:
        check_agreement(case)
    seconds(OURS, case)  # the first launch compiles the empty kernel that carries it
    ours, theirs, method = [], [], ""
    for _ in range(rounds):
        taken, method = seconds(OURS, case)
        ours.append(taken)
        if beside:
            theirs.append(seconds(THEIRS, case)[0])
    return Case(
        kind=kind,
        modes=modes,
        photons=photons,
        amplitudes=float(photons + 1) ** modes,
        method=method,
        ours_s=float(np.median(ours)),
        theirs_s=float(np.median(theirs)) if beside else None,
        ratio=float(np.median(np.divide(theirs, ours))) if beside else None,
    )


def table(cases: list[Case]) -> str:
    lines = [f"{'kernel':8} modes photons  {'amplitudes':>10}  {OURS:>15}  {THEIRS:>14}  ratio  method of {OURS}"]
    for case in cases:
        theirs = "not run" if case.theirs_s is None else f"{case.theirs_s * 1e3:.2f} ms"
        ratio = "" if case.ratio is None else f"{case.ratio:.3g}"
        lines.append(
            f"{case.kind:8} {case.modes:5} {case.photons:7}  {case.amplitudes:10.3g}  {case.ours_s * 1e3:12.2f} ms  "
            f"{theirs:>14}  {ratio:>5}  {case.method}"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true", help="also 8 modes with 4 photons on both: minutes")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds per case, at least 1 (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args()
    if chosen.rounds < 1:
        parser.error("--rounds must be at least 1")
    cases = [measure(case, beside=True, rounds=chosen.rounds) for case in BESIDE]
    if chosen.large:
        cases += [measure(case, beside=True, rounds=1) for case in LARGE]
    cases += [measure(case, beside=False, rounds=min(chosen.rounds, 2)) for case in ALONE]
    if chosen.json:
        report = {"machine": {**machine(), "cudaq": cudaq.__version__}, "simulated": True, "shots": SHOTS}
        print(json.dumps({**report, "cases": [asdict(case) for case in cases]}, indent=2))
    else:
        print(f"{SHOTS} shots per sample; both targets agree on all probabilities to {AGREEMENT:g}\n\n{table(cases)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
