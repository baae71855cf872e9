"""What a processor is to photonlink: something that loads a task and turns phases into detected photons."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from photonlink import _core
from photonlink.noise import Detectors, Noise, executed_phase

__all__ = ["Events", "Processor", "Task"]

#: Detected states and how often each was seen: a mapping, or arrays (K, modes) and (K,).
Events: TypeAlias = Mapping[Sequence[int], int] | tuple[ArrayLike, ArrayLike]


@dataclass(frozen=True, eq=False)
class Task:
    """A program as a processor sees it: optics and phases. Features and readouts are not its business.

    Light enters in `input_state` and passes ``interferometers[0]``, then the phase shifters of layer 0, then
    ``interferometers[1]``, and so on.

    Attributes:
        modes: Number of modes m.
        input_state: Photons per mode, m entries.
        interferometers: (L+1, m, m) complex128, applied in this order.
        phase_layers: (P,) uint32; phase p lies between interferometers ``phase_layers[p]`` and the next one.
        phase_modes: (P,) uint32; mode of each phase.
        space: "fock", "unbunched" or "dual_rail": which detected states are kept.
        least_photons: Photons (clicks, for threshold detectors) that a kept event shows at least.
        detectors: "pnr" or "threshold".
        interference: False for fully distinguishable photons.
        noise: What simulated sources and phase shifters are to do; ideal for hardware, which brings its own.
        phase_errors: (P,) float64, radians: the drawn error of each simulated phase shifter.
        shots: Kept samples per datapoint, ``None`` for exact results.
        seed: Of the session.
        digest: Of the program.
    """

    modes: int
    input_state: tuple[int, ...]
    interferometers: NDArray[np.complex128]
    phase_layers: NDArray[np.uint32]
    phase_modes: NDArray[np.uint32]
    space: str
    least_photons: int
    detectors: Detectors
    interference: bool
    noise: Noise
    phase_errors: NDArray[np.float64]
    shots: int | None
    seed: int
    digest: str
    _spec: _core.ProgramSpec

    @classmethod
    def of(cls, spec: _core.ProgramSpec, shots: int = 0, seed: int = 0) -> Task:
        """The task of a native program description; `shots` 0 is exact."""
        noise = spec.noise
        errors = np.asarray(noise.phase_errors, np.float64)
        return cls(
            modes=spec.modes,
            input_state=tuple(spec.input),
            interferometers=spec.interferometers,
            phase_layers=spec.phase_layers,
            phase_modes=spec.phase_modes,
            space=spec.space,
            least_photons=spec.photons if noise.min_detected is None else noise.min_detected,
            detectors="threshold" if noise.threshold_detectors else "pnr",
            interference=spec.interference,
            noise=Noise(
                brightness=noise.brightness,
                transmittance=noise.transmittance,
                indistinguishability=noise.indistinguishability,
                g2=noise.g2,
                g2_distinguishable=noise.g2_distinguishable,
                phase_imprecision=noise.phase_imprecision,
            ),
            phase_errors=errors if errors.size else np.zeros(spec.phase_layers.size),
            shots=shots or None,
            seed=seed,
            digest=spec.digest,
            _spec=spec,
        )

    @property
    def photons(self) -> int:
        """Number of photons n that enter."""
        return sum(self.input_state)

    @cached_property
    def kept_states(self) -> NDArray[np.uint8]:
        """(K, m): detected states of kept events, in the order in which ``Processor.probabilities`` lists them."""
        return np.asarray(_core.kept_states(self._spec), np.uint8)

    def executed(self, phases: NDArray[np.float64]) -> NDArray[np.float64]:
        """What simulated phase shifters do when told `phases` (P,), radians."""
        if self.noise.phase_imprecision == 0.0 and not self.phase_errors.any():
            return phases
        pairs = zip(phases.tolist(), self.phase_errors.tolist(), strict=True)
        return np.array([executed_phase(phase, error, self.noise) for phase, error in pairs])


class Processor(abc.ABC):
    """A photonic processor: derive from it to bring your own, and pass an instance to :func:`photonlink.reserve`.

    photonlink calls it from one thread of its own, never from two at once. A processor implements :meth:`configure`,
    and :meth:`detect`, or, if it is a simulator that knows distributions, :meth:`probabilities`. Post-selection,
    readouts, standard errors and, from probabilities, samples are computed by photonlink, as for every other target.

    An exception fails the datapoint: its caller gets a :class:`photonlink.errors.ProcessorError` with the message, and
    the session goes on. :class:`photonlink.errors.ProgramError` in :meth:`configure` refuses the program.
    :class:`photonlink.errors.LinkClosed` says that the processor is lost: the session ends, and so it does when a call
    does not come back within :attr:`timeout`.

    Attributes:
        name: What ``session.info.processor`` shows.
        simulated: Whether its photons are simulated. Everything that shows results says so.
        exact: Whether it implements :meth:`probabilities`; if not, ``shots=None`` is refused.
        timeout: Seconds that :meth:`configure`, or one datapoint, may take.

    Examples:
        >>> import numpy as np
        >>> import photonlink as phl
        >>> class Mirror(phl.processors.Processor):
        ...     name = "mirror"
        ...     def configure(self, task):
        ...         self.state = task.input_state
        ...     def detect(self, phases, events, datapoint):
        ...         return {self.state: events}
        >>> program = phl.Program.reservoir(3, 2, features=3, readout=phl.Readout.mode_expectations())
        >>> with phl.reserve(Mirror(), program, shots=10) as session:
        ...     session.infer(np.zeros(3)).tolist(), session.info.simulated
        ([1.0, 1.0, 0.0], False)
    """

    name: str = "processor"
    simulated: bool = False
    exact: bool = False
    timeout: float = 60.0

    _wait_while_wanted: Any = None  # of the order at hand; set by whoever calls

    @abc.abstractmethod
    def configure(self, task: Task) -> None:
        """Load a program; once per session, before its first datapoint.

        Raises:
            ProgramError: The processor cannot run it; the message says what it has, what it needs, and the fix.
        """

    def probabilities(self, phases: NDArray[np.float64]) -> ArrayLike:
        """Distribution of one datapoint; only if :attr:`exact`.

        Args:
            phases: (P,) float64, radians.

        Returns:
            (K,) probability that an event shows each of ``task.kept_states``; they add up to the fraction of events
            that is kept, so that they need not be normalised.
        """
        raise NotImplementedError(f"{type(self).__name__} says exact = True, but does not implement probabilities()")

    def detect(self, phases: NDArray[np.float64], events: int, datapoint: int) -> Events:
        """Detect photons with these phases; unless :attr:`exact`.

        Events that the program does not keep may be among them, and are sorted out; then the method is called again
        for those that are missing.

        Args:
            phases: (P,) float64, radians.
            events: How many events are wanted.
            datapoint: 64-bit id of the datapoint, the same in every call for it.

        Returns:
            1 to `events` detected events.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement detect()")

    def wait(self, seconds: float) -> bool:
        """Sleep for `seconds`, but no longer than somebody wants the result of the call that is being served.

        Returns:
            Whether it is still wanted. If not, because the session ended or the time is over, give up and return
            anything, or raise.
        """
        return self._wait_while_wanted is None or bool(self._wait_while_wanted(seconds))

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Let go of what is held; the controller has ended. :meth:`configure` may be called again later, by another."""
