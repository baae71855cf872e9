"""Runs the main job: every image crosses the link to a controller that holds a session."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

import photonlink as phl
from photonlink.demo import data, readout
from photonlink.demo.callers import Caller, Via, caller
from photonlink.demo.data import Progress

# Published figure for a quantum layer called through a cloud job stack; shown as published, never as measured.
CLOUD_SECONDS_PER_DATAPOINT = 5.0
ECHO_ROUNDS = 20_000


def no_progress(rows: Iterable[int], _label: str) -> Iterable[int]:
    """Progress display that shows nothing."""
    return rows


@dataclass
class DemoResult:
    """What the demo measured; ``as_json`` is the documented form."""

    table: list[readout.Score]
    main: readout.Score
    baseline: readout.Score
    labels: NDArray[np.int64]
    tokens: int
    shots: int | None
    quantum_seconds: float | None
    device_quantum_seconds: float | None
    infer_latency_us: NDArray[np.float64]
    echo_latency_us: NDArray[np.float64]
    clock: str
    preset: str
    simulated: bool
    target: str
    link: str
    caller: str
    latency_note: str
    gpu: str | None
    chip: str
    modes: int
    photons: int
    images: int
    seed: int
    seconds: float = field(default=0.0)

    def as_json(self) -> dict[str, object]:
        """One JSON-serialisable object; times in the units their names carry."""
        return {
            "accuracy": self.main.accuracy,
            "baseline_accuracy": self.baseline.accuracy,
            "table": [row.as_json() for row in self.table],
            "tokens": self.tokens,
            "shots": self.shots,
            "quantum_seconds": self.quantum_seconds,
            "device_quantum_seconds": self.device_quantum_seconds,
            "latency_us": summary(self.echo_latency_us),
            "infer_latency_us": summary(self.infer_latency_us),
            "clock": self.clock,
            "preset": self.preset,
            "simulated": self.simulated,
            "target": self.target,
            "link": self.link,
            "caller": self.caller,
            "gpu": self.gpu,
            "chip": self.chip,
            "modes": self.modes,
            "photons": self.photons,
            "images": self.images,
            "test_images": len(self.main.correct),
            "seed": self.seed,
            "seconds": self.seconds,
            "published": {"cloud_seconds_per_datapoint": CLOUD_SECONDS_PER_DATAPOINT},
        }


def summary(samples_us: NDArray[np.float64]) -> dict[str, float]:
    """p50, p99 and maximum of latencies in microseconds."""
    return {
        "p50": float(np.percentile(samples_us, 50)),
        "p99": float(np.percentile(samples_us, 99)),
        "max": float(samples_us.max()),
    }


@dataclass
class _Pass:
    """One pass of all images over the link."""

    features: NDArray[np.float64]
    latency_us: NDArray[np.float64]
    echo_us: NDArray[np.float64]
    usage: phl.Usage
    info: phl.SessionInfo


def _through_the_link(
    digits: data.Digits,
    program: phl.Program,
    *,
    shots: int | None,
    seed: int,
    label: str,
    progress: Progress,
    target: str,
    via: Caller,
    echoes: int = 0,
) -> _Pass:
    """Send every image as one datapoint."""
    with phl.reserve(target, program, shots=shots, seed=seed) as session:
        features, latency = via.send(digits, session, label, progress)
        echo = via.echo(session, echoes) * 1e6 if echoes else np.empty(0)
        info = session.info
    return _Pass(features, latency, echo, session.usage, info)


def run(
    *,
    modes: int = 10,
    photons: int = 3,
    shots: int | None = 1000,
    seed: int = 7,
    limit: int | None = None,
    target: str = "sim",
    via: Via = "cpu",
    chip: str = "belenos",
    progress: Progress = no_progress,
) -> DemoResult:
    """Run the photonic reservoir on the handwritten digits.

    Args:
        modes: Modes of the interferometer, and principal components per image.
        photons: Photons per shot.
        shots: Kept samples per datapoint; ``None`` uses exact probabilities throughout.
        seed: Seeds split, interferometer, samples and controls.
        limit: Use fewer images.
        target: Where the photonic layer runs.
        via: Who calls the link: "cpu", one image at a time; "cuda", from device memory through a CUDA graph; or
            "cudaq", a CUDA-Q kernel while it runs.
        chip: Preset of the chip that the program is checked against, and whose modelled time is reported beside the
            published flat figures.
        progress: Wraps an iterable of rows with a progress display.

    Returns:
        The table of accuracies and what the session reported.

    Raises:
        photonlink.errors.PhotonLinkError: Anything that the session raises.
    """
    started = time.perf_counter()
    used = caller(via)
    digits = data.load(modes, seed, limit)
    readout_kind = phl.Readout.probs(space="unbunched")
    program = phl.Program.reservoir(modes, photons, features=modes, seed=seed, readout=readout_kind)
    fit = program.fit(chip)
    classical = phl.Program.reservoir(
        modes, photons, features=modes, seed=seed, readout=readout_kind, interference=False
    )
    exact = _through_the_link(
        digits,
        program,
        shots=None,
        seed=seed,
        label="exact",
        progress=progress,
        target=target,
        via=used,
        echoes=0 if shots else ECHO_ROUNDS,
    )
    main_pass = exact
    table = [readout.score(digits, "photons, exact probabilities", exact.features)]
    if shots:
        main_pass = _through_the_link(
            digits,
            program,
            shots=shots,
            seed=seed,
            label=f"{shots} samples",
            progress=progress,
            target=target,
            via=used,
            echoes=ECHO_ROUNDS,
        )
        table.append(readout.score(digits, "photons, sampled", main_pass.features, shots))
    apart = _through_the_link(
        digits, classical, shots=None, seed=seed, label="no interference", progress=progress, target=target, via=used
    )
    table.append(readout.score(digits, "distinguishable photons (no interference), exact", apart.features))
    fourier = readout.fourier_features(digits, program.output_size, seed)
    table.append(readout.score(digits, "random Fourier features, same width", fourier))
    baseline = readout.score(digits, "pixels alone", None)
    table.append(baseline)

    return DemoResult(
        table=table,
        main=table[1] if shots else table[0],
        baseline=baseline,
        labels=digits.labels[digits.test],
        tokens=main_pass.usage.tokens,
        shots=shots,
        quantum_seconds=main_pass.usage.quantum_seconds,
        device_quantum_seconds=fit.quantum_seconds(digits.images, shots) if shots else None,
        infer_latency_us=main_pass.latency_us,
        echo_latency_us=main_pass.echo_us,
        clock=main_pass.info.clock,
        preset=main_pass.info.preset,
        simulated=main_pass.info.simulated,
        target=main_pass.info.target,
        link=main_pass.info.link,
        caller=used.name,
        latency_note=used.note,
        gpu=used.gpu,
        chip=fit.label,
        modes=modes,
        photons=photons,
        images=digits.images,
        seed=seed,
        seconds=time.perf_counter() - started,
    )
