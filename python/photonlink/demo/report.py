"""Turns what the demo measured into text and a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from photonlink.demo import readout
from photonlink.demo.job import CLOUD_SECONDS_PER_DATAPOINT, DemoResult, summary


def claim(result: DemoResult) -> str:
    """What the table does and does not show, from paired differences on the same test images."""
    controls = [row for row in result.table if not row.method.startswith("photons,")]
    best = max(controls, key=lambda row: row.accuracy)
    difference, error = readout.paired_difference(result.main, best)
    verdict = (
        "within two standard errors: no difference is shown"
        if abs(difference) <= 2 * error
        else ("above it on this one split" if difference > 0 else "below it on this one split")
    )
    return (
        f"{result.main.method} minus the best control ({best.method}): "
        f"{100 * difference:+.2f} +- {100 * error:.2f} points, {verdict}. "
        "One split, one seed: no quantum benefit is claimed."
    )


def text(result: DemoResult) -> str:
    """The report that ``photonlink demo`` prints."""
    simulated = "simulated" if result.simulated else "hardware"
    lines = [
        f"photonic reservoir, {result.modes} modes, {result.photons} photons, chip: {result.chip}",
        f"target {result.target} ({simulated}), clock {result.clock}, timing {result.preset}, seed {result.seed}",
        f"called from {result.caller}, link {result.link}",
        f"{result.images} handwritten digits, {len(result.main.correct)} held out; linear readout on pixels + features",
        "",
        f"{'features beside the pixels':<50}{'width':>7}{'shots':>8}{'test accuracy':>20}",
    ]
    for row in result.table:
        shots = "exact" if row.shots is None and row.method.startswith(("photons", "disting")) else (row.shots or "-")
        score = f"{100 * row.accuracy:.2f} +- {100 * row.standard_error:.2f} %"
        lines.append(f"{row.method:<50}{row.features:>7}{shots:>8}{score:>20}")
    lines += ["", claim(result), ""]
    lines.append(f"tokens processed                    {result.tokens}")
    if result.quantum_seconds is None:
        lines.append("modelled quantum time               null (exact probabilities take no quantum time)")
    else:
        per_datapoint = 1e3 * result.quantum_seconds / result.tokens
        lines.append(
            f"modelled quantum time               {result.quantum_seconds:.1f} s, {per_datapoint:.1f} ms per datapoint "
            f"(preset {result.preset}: published flat figures)"
        )
        if result.device_quantum_seconds is not None:
            per_datapoint = 1e3 * result.device_quantum_seconds / result.tokens
            lines.append(
                f"the same on {result.chip:<24}{result.device_quantum_seconds:.1f} s, {per_datapoint:.0f} ms per "
                f"datapoint (clock and loss of that chip, {result.photons} photons; modelled)"
            )
    echo, infer = summary(result.echo_latency_us), summary(result.infer_latency_us)
    lines += [
        f"cloud job stack                     {CLOUD_SECONDS_PER_DATAPOINT:.0f} s per datapoint (published figure)",
        _latency_line("link round trip (echo, measured)", echo),
        _latency_line(f"inference over the link ({simulated})", infer),
        *([f"{'':<36}{result.latency_note}"] if result.latency_note else []),
        f"finished in                         {result.seconds:.1f} s",
    ]
    return "\n".join(lines)


def _latency_line(label: str, percentiles: dict[str, float]) -> str:
    middle, tail, worst = percentiles["p50"], percentiles["p99"], percentiles["max"]
    return f"{label:<36}p50 {middle:.2f}  p99 {tail:.2f}  max {worst:.1f} microseconds"


def figure(result: DemoResult, path: Path) -> None:
    """Write a PNG: confusion matrix of the held-out images and the latency histogram of the inferences."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    canvas = FigureCanvasAgg(Figure(figsize=(11, 4.6), layout="constrained"))
    confusion_axes, latency_axes = canvas.figure.subplots(1, 2)

    confusion = np.zeros((10, 10), dtype=np.int64)
    np.add.at(confusion, (result.labels, result.main.predicted), 1)
    confusion_axes.imshow(confusion, cmap="Blues")
    for (row, column), count in np.ndenumerate(confusion):
        if count:
            shade = "white" if count > confusion.max() / 2 else "black"
            confusion_axes.text(column, row, str(count), ha="center", va="center", color=shade, fontsize=8)
    confusion_axes.set(
        xlabel="predicted digit",
        ylabel="true digit",
        xticks=range(10),
        yticks=range(10),
        title=f"{result.main.method}: {100 * result.main.accuracy:.1f} % of {len(result.main.correct)} held-out images",
    )

    low, high = result.infer_latency_us.min(), np.percentile(result.infer_latency_us, 99)
    latency_axes.hist(result.infer_latency_us.clip(max=high), bins=np.linspace(low, high, 60).tolist(), color="#4878a8")
    simulated = "simulated processor" if result.simulated else "hardware"
    latency_axes.set(
        xlabel="microseconds per datapoint (last bin: everything above)",
        ylabel="datapoints",
        title=f"inference over the in-process link, {simulated}",
    )
    canvas.figure.savefig(path, dpi=130, format="png")
