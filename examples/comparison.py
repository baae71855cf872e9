"""What the application examples share: several seeds, confidence intervals, one table, and words that follow from it.

An example defines ``experiment(seed, quick)``, which returns a :class:`Trial`, and calls :func:`run`. Its command line
then has ``--quick`` (a reduced setting, for tests), ``--full`` (the default), ``--seeds N`` and ``--json FILE``.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import photonlink as phl

CONFIDENCE = 0.95
QUICK_SEEDS, FULL_SEEDS = 2, 5
LEAST_SEEDS = 3  # of a verdict: two that happen to agree have an interval of no width


@dataclass(frozen=True)
class Trial:
    """One seed.

    Attributes:
        photonic: Score of each variant of the photonic model, by the row's name; the first one is what controls are
            compared with.
        controls: Scores of the controls.
        latencies: Seconds of single forward passes over the link; see :func:`time_calls`.
        info: The session that they were measured on.
    """

    photonic: Mapping[str, float]
    controls: Mapping[str, float]
    latencies: Sequence[float]
    info: phl.SessionInfo


@dataclass(frozen=True)
class Interval:
    """Mean over seeds and half the width of its Student t interval (infinite for one seed)."""

    mean: float
    half_width: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Interval:
        """The interval of one value per seed. Splits of one data set overlap: it describes the spread over seeds."""
        from scipy.stats import t

        if len(values) < 2:
            return cls(float(np.mean(values)), math.inf)
        error = np.std(values, ddof=1) / math.sqrt(len(values))
        return cls(float(np.mean(values)), float(error * t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)))


def time_calls(call: Callable[[], object], rounds: int) -> list[float]:
    """Seconds of each of `rounds` calls, after one that does not count."""
    call()
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return seconds


def run(
    title: str,
    experiment: Callable[[int, bool], Trial],
    *,
    metric: str = "test accuracy",
    percent: bool = True,
    higher_is_better: bool = True,
    arguments: Sequence[str] | None = None,
) -> None:
    """Run an experiment for several seeds and print what came out.

    Args:
        title: What is learned, and by what.
        experiment: Takes a seed and whether the setting is the reduced one.
        metric: What the scores are.
        percent: Whether scores are fractions, shown in percent.
        higher_is_better: False for errors.
        arguments: Instead of the command line's.
    """
    parser = argparse.ArgumentParser(description=title)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="reduced setting: less data, shorter training, fewer seeds")
    size.add_argument("--full", action="store_true", help="the setting of the recorded figures (default)")
    parser.add_argument("--seeds", type=int, metavar="N", help=f"{FULL_SEEDS} by default, {QUICK_SEEDS} with --quick")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything that was measured")
    chosen = parser.parse_args(arguments)
    seeds = range(chosen.seeds or (QUICK_SEEDS if chosen.quick else FULL_SEEDS))
    started = time.perf_counter()
    trials = [experiment(seed, chosen.quick) for seed in seeds]
    report = _Report(title, metric, percent, higher_is_better, chosen.quick, trials, time.perf_counter() - started)
    print(report.text())
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(report.as_dict(), indent=2) + "\n")


@dataclass(frozen=True)
class _Report:
    title: str
    metric: str
    percent: bool
    higher_is_better: bool
    quick: bool
    trials: Sequence[Trial]
    seconds: float

    def scores(self, kind: str) -> dict[str, list[float]]:
        """Per row, the score of each seed; every seed has the same rows."""
        return {name: [getattr(trial, kind)[name] for trial in self.trials] for name in getattr(self.trials[0], kind)}

    def text(self) -> str:
        info = self.trials[0].info
        simulated = "simulated processor" if info.simulated else "hardware"
        setting = "reduced setting" if self.quick else "full setting"
        lines = [
            f"{self.title}; {len(self.trials)} seeds, {setting}",
            f"target {info.target} ({simulated}), link {info.link}, chip: {info.chip}",
            "",
            f"{'':<58}{self.metric}, mean and {CONFIDENCE:.0%} interval",
        ]
        for kind, label in (("photonic", ""), ("controls", "control: ")):
            for name, values in self.scores(kind).items():
                lines.append(f"{label + name:<58}{self._shown(Interval.of(values))}")
        p50, p99 = self._latency_us()
        lines += [
            "",
            self.claim(),
            f"forward pass of one datapoint over the link ({simulated}): p50 {p50:.0f}, p99 {p99:.0f} microseconds",
            f"finished in {self.seconds:.1f} s",
        ]
        return "\n".join(lines)

    def claim(self) -> str:
        """What the table shows of the photonic model beside the best control, from differences seed by seed."""
        name, values = next(iter(self.scores("photonic").items()))
        sign = 1 if self.higher_is_better else -1
        controls = self.scores("controls")
        best = max(controls, key=lambda control: sign * float(np.mean(controls[control])))
        difference = Interval.of(np.subtract(values, controls[best]).tolist())
        if len(values) < LEAST_SEEDS or abs(difference.mean) <= difference.half_width:
            verdict = "no difference is shown"
        else:
            verdict = "better here" if sign * difference.mean > 0 else "worse here"
        return (
            f"{name} minus the best control ({best}): {self._shown(difference)} over the same seeds: {verdict}. "
            "No quantum advantage is claimed."
        )

    def _shown(self, interval: Interval) -> str:
        if self.percent:
            return f"{100 * interval.mean:.2f} +- {100 * interval.half_width:.2f} %"
        return f"{interval.mean:.4f} +- {interval.half_width:.4f}"

    def _latency_us(self) -> tuple[float, float]:
        seconds = np.concatenate([trial.latencies for trial in self.trials])
        p50, p99 = 1e6 * np.percentile(seconds, [50, 99])
        return float(p50), float(p99)

    def as_dict(self) -> dict[str, object]:
        from photonlink.bench.machine import machine

        rows = [
            {"name": name, "kind": kind, "scores": values, **_finite(Interval.of(values))}
            for kind in ("photonic", "controls")
            for name, values in self.scores(kind).items()
        ]
        p50, p99 = self._latency_us()
        return {
            "title": self.title,
            "metric": self.metric,
            "setting": "quick" if self.quick else "full",
            "seeds": len(self.trials),
            "rows": rows,
            "claim": self.claim(),
            "forward_latency_us": {"p50": p50, "p99": p99},
            "session": dataclasses.asdict(self.trials[0].info),
            "seconds": self.seconds,
            "machine": machine(),
        }


def _finite(interval: Interval) -> dict[str, float | None]:
    half_width = interval.half_width if math.isfinite(interval.half_width) else None
    return {"mean": interval.mean, "half_width": half_width}
