"""What the two ways to a processor have in common: the work, the stages it passes, and what one pass measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

import photonlink as phl
from photonlink._checks import integer
from photonlink.errors import PhotonLinkError
from photonlink.presets import Preset, preset
from photonlink.reservation import Clock

__all__ = ["STAGES", "Pass", "Reference", "Stage", "Work", "check_equal", "reference"]

Floats = NDArray[np.float64]
_MOST_DATAPOINTS = 100_000


@dataclass(frozen=True)
class Stage:
    """One part of a datapoint's way.

    Attributes:
        name: As in the table.
        modelled: Whether it is the hardware's time, which the clock models, and not measured.
        text: What it holds.
    """

    name: str
    modelled: bool
    text: str


STAGES = (
    Stage("encode", False, "features to phases and a frame (link); rows to JSON (jobs)"),
    Stage("transport", False, "to the controller or job service and back, the calls themselves included"),
    Stage("queue", False, "accepted, and not begun: behind others, or held by the configured delays"),
    Stage("phase update", True, "phases of the chip settle"),
    Stage("acquisition", True, "kept samples are collected"),
    Stage("readout", False, "what the simulated processor and its observables took beyond the modelled time"),
    Stage("poll", False, "done, and not yet asked for; a link is not polled"),
    Stage("decode", False, "JSON to an array (jobs); frames hold the observables as they are used (link)"),
)


@dataclass(frozen=True)
class Work:
    """What every path does.

    Attributes:
        program: What is executed.
        x: (N, F) features, radians.
        shots: Kept samples per datapoint.
        seed: Of the samples.
        clock: "realtime" waits modelled times out, "virtual" adds them up.
        timing: Preset of the modelled times.
    """

    program: phl.Program
    x: Floats
    shots: int
    seed: int
    clock: Clock
    timing: str

    @classmethod
    def reservoir(
        cls,
        datapoints: int,
        *,
        modes: int = 10,
        photons: int = 3,
        shots: int = 1000,
        seed: int = 7,
        clock: Clock = "realtime",
        timing: str = "article",
    ) -> Work:
        """The reservoir of the main job, with random features in [0, pi)."""
        integer("datapoints", datapoints, 1, _MOST_DATAPOINTS)
        integer("shots", shots, 1, 2**32 - 1)  # exact results have no quantum time, and are not what is compared
        program = phl.Program.reservoir(modes, photons, features=modes, seed=seed)
        x = np.random.default_rng(seed).uniform(0, np.pi, (datapoints, modes))
        return cls(program, x, shots, seed, clock, timing)

    @property
    def options(self) -> dict[str, Any]:
        """What the processor is reserved with, by both paths."""
        return {"shots": self.shots, "seed": self.seed, "clock": self.clock, "preset": self.timing}


@dataclass(frozen=True)
class Reference:
    """What must come out, and what the hardware would take, from one batch on a virtual clock.

    Attributes:
        results: (N, O).
        update: (N,) modelled seconds of phase updates.
        acquisition: (N,) modelled seconds of acquisition.
    """

    results: Floats
    update: Floats
    acquisition: Floats


def reference(work: Work) -> Reference:
    """Execute all datapoints at once, on a controller of its own, without waiting."""
    chip: Preset = preset(work.timing)
    options = {**work.options, "clock": "virtual"}
    with phl.Controller() as controller, phl.reserve("sim", work.program, controller=controller, **options) as session:
        results, info = session.infer(work.x, return_info=True)
    update = np.array([chip.update_s(int(changed)) for changed in info.changed_phases])
    return Reference(results, update, info.quantum_seconds - update)


@dataclass
class Pass:
    """All datapoints through one path.

    Attributes:
        path: Short name, as in JSON.
        label: The same for people.
        rows: Datapoints per request.
        results: (N, O).
        stages: (R, len(STAGES)) seconds of each request's stages; they add up to its time.
        delays: Seconds that were configured, by name; empty where none were.
        configured_seconds: Reserving the processor and loading the program, once, in none of the stages.
    """

    path: str
    label: str
    rows: int
    results: Floats
    stages: Floats
    configured_seconds: float
    delays: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Milliseconds per datapoint of each stage (means), and until a result is there (p50, max)."""
        per_datapoint = self.stages.sum(axis=0) / len(self.results) * 1e3
        until_result = self.stages.sum(axis=1) * 1e3
        return {
            "path": self.path,
            "label": self.label,
            "datapoints": len(self.results),
            "datapoints_per_request": self.rows,
            "configured_delays_s": self.delays,
            "stages_ms": {stage.name: value for stage, value in zip(STAGES, per_datapoint.tolist(), strict=True)},
            "ms_per_datapoint": float(per_datapoint.sum()),
            "ms_beyond_modelled": float(per_datapoint[[not stage.modelled for stage in STAGES]].sum()),
            "ms_until_result": {"p50": float(np.median(until_result)), "max": float(until_result.max())},
            "configuration_s": self.configured_seconds,
        }


def check_equal(done: Pass, expected: Floats) -> None:
    """Raises PhotonLinkError unless a path returned, bit by bit, what it should have."""
    if done.results.shape != expected.shape or not np.array_equal(done.results, expected):
        raise PhotonLinkError(
            f"path {done.path!r} returned other results than the reference: nothing is reported, since the times would "
            "not be those of the same computation"
        )
