"""What a session and its results say about themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from photonlink.latency import LatencyOutcome

__all__ = ["Counts", "InferInfo", "SessionInfo", "Usage"]


@dataclass(frozen=True)
class Counts:
    """Kept samples of one datapoint, sparse.

    Attributes:
        index: uint32, distinct positions in the readout's basis (``program.output_keys`` of an ungrouped readout),
            ascending.
        count: uint32, kept samples seen at each of them; they add up to ``shots``.
    """

    index: NDArray[np.uint32]
    count: NDArray[np.uint32]


@dataclass(frozen=True)
class InferInfo:
    """What came with the results of one ``infer`` call of B datapoints.

    Attributes:
        counts: Per datapoint, the kept samples; ``None`` when exact.
        kept_fraction: float64 (B,), probability that an event passes the photon-number and post-selection filters. With
            noise: that an attempt of the sources ends in such an event, all loss included.
        standard_errors: float64 (B, O), of the returned estimates; ``None`` when exact or for samples.
        quantum_seconds: float64 (B,), modelled time on the chip; ``None`` when exact, since exact results have none.
        changed_phases: uint32 (B,), physical phases that differed from the datapoint before.
        clock: Clock that ``quantum_seconds`` belongs to: "virtual", "realtime" or "none".
        simulated: Whether the photons were simulated.
        target: Target that executed the datapoints.
        noise_method: How noise was simulated; see :class:`SessionInfo`.
    """

    counts: list[Counts] | None
    kept_fraction: NDArray[np.float64]
    standard_errors: NDArray[np.float64] | None
    quantum_seconds: NDArray[np.float64] | None
    changed_phases: NDArray[np.uint32]
    clock: str
    simulated: bool
    target: str
    noise_method: str


@dataclass(frozen=True)
class Usage:
    """What a session has used so far.

    Attributes:
        tokens: Datapoints executed, those nobody waited for included.
        shots: Kept samples asked for by those datapoints; 0 when exact.
        kept_samples: Kept samples that came back.
        quantum_seconds: Modelled time of the datapoints on the chip; ``None`` when exact: such results have none.
        configuration_seconds: Modelled time of loading the program, likewise.
        wall_seconds: Time since the session was reserved.
    """

    tokens: int
    shots: int
    kept_samples: int
    quantum_seconds: float | None
    configuration_seconds: float | None
    wall_seconds: float


@dataclass(frozen=True)
class SessionInfo:
    """What a session runs on.

    Attributes:
        target: Target in use.
        target_overridden_from: Target that was asked for when ``PHOTONLINK_TARGET`` replaced it, else ``None``.
        processor: Name of the processor.
        simulated: Whether the photons are simulated.
        clock: "virtual" (adds up modelled time), "realtime" (waits for it) or "none".
        preset: Timing preset of the clock.
        chip: Name of the chip that the program fits, or "hypothetical chip".
        digest: Digest of the program.
        link: Kind of link, e.g. "in-process".
        precision: "float64" or "float32".
        kernel_profile: SIMD profile of the simulator, or the compute capability of its device.
        slots: Requests that can be in flight; on "sim:cuda", that are computed side by side.
        calibration_age_seconds: Time since the last calibration, ``None`` where nothing is calibrated.
        threads: Threads of the CPU that a batch may be simulated with.
        sampler: How samples are drawn: "inverse_cdf" (from the distribution) or, where that does not fit into memory,
            "clifford_clifford_2017", or "sampled_sources" for noisy programs; "processor" where one detects photons by
            itself; ``None`` for exact results.
        noise_method: How the noise of the program is simulated: "none" (it has none), "ideal" (its photons are only
            fewer, its phases only different), "closed form", "exact mixture" (of all configurations of the sources), or
            "sampled sources" (a configuration is drawn per shot; unbiased, and the kept fraction is an estimate). "by
            the processor" if that is not the native simulator.
        latency: What the controller asked of the system for low latency, and what it was granted.
    """

    target: str
    target_overridden_from: str | None
    processor: str
    simulated: bool
    clock: str
    preset: str
    chip: str
    digest: str
    link: str
    precision: str
    kernel_profile: str
    slots: int
    calibration_age_seconds: float | None
    threads: int
    sampler: str | None
    noise_method: str
    latency: tuple[LatencyOutcome, ...] = ()

    def __getitem__(self, name: str) -> Any:
        """The field called `name`, so that ``session.info["clock"]`` works too."""
        try:
            return getattr(self, name)
        except AttributeError:
            raise KeyError(name) from None
