"""What a session is reserved with: checked here, so that a mistake is named in the caller's words."""

from __future__ import annotations

import math

from photonlink import _core
from photonlink._checks import integer, one_of, seconds
from photonlink.errors import ProgramError
from photonlink.fit import Fit
from photonlink.program import Program

_CLOCKS = ("virtual", "realtime", "none")
_PRECISIONS = ("float64", "float32")

# A chip keeps fewer samples for some phases than on average; a wait that long is still no fault.
_RARE_SAMPLES = 10.0

# Costs of the native simulator, several times what a slow core takes.
_CALL_SECONDS = 20e-6
_MULTIPLICATION_SECONDS = 4e-9
_SHOT_SECONDS = 200e-9


def session_options(
    program: Program,
    fit: Fit,
    *,
    shots: int | None,
    seed: int,
    clock: str,
    precision: str,
    token_budget: int | None,
    idle_timeout: float | None,
    max_duration: float | None,
    threads: int | None = None,
) -> _core.SessionOptions:
    """The native options of a session.

    Raises:
        ProgramError: An option has a wrong type or value.
    """
    if program.readout.kind == "samples" and shots is None:
        raise ProgramError("a samples readout has no exact result: pass shots=<samples per datapoint>")
    options = _core.SessionOptions()
    options.shots = 0 if shots is None else integer("shots", shots, 1, 2**32 - 1)
    options.seed = integer("seed", seed, 0, 2**64 - 1)
    options.threads = 0 if threads is None else integer("threads", threads, 1, 1024)
    options.precision = one_of("precision", precision, _PRECISIONS)
    options.clock = getattr(_core.ClockMode, one_of("clock", clock, _CLOCKS))
    options.token_budget = None if token_budget is None else integer("token_budget", token_budget, 0, 2**63 - 1)
    options.idle_timeout_s = seconds("idle_timeout", idle_timeout)
    options.max_duration_s = seconds("max_duration", max_duration)
    timing = _core.TimingModel()
    for field, value in fit.timing().items():
        setattr(timing, field, value)
    options.timing = timing
    return options


def computing_seconds(program: Program, shots: int) -> float:
    """What the simulator may take for one datapoint, on the high side: some times the figures of one slow core."""
    multiplications = program.modes * math.comb(program.modes + program.photons - 1, program.photons - 1)
    if program.noisy:  # each photon may be lost or not, and distinguishable or not
        multiplications *= 4**program.photons
    return _CALL_SECONDS + multiplications * _MULTIPLICATION_SECONDS + shots * _SHOT_SECONDS


def modelled_seconds(options: _core.SessionOptions, fit: Fit) -> float:
    """What one datapoint may take because the clock waits for it; 0 for clocks that do not wait."""
    if options.clock != _core.ClockMode.realtime or options.shots == 0:
        return 0.0
    acquisition = options.shots / fit.kept_per_second if fit.kept_per_second > 0 else math.inf
    update = fit.preset.update_s(fit.physical_phases_per_datapoint)
    return update + acquisition * (1.0 if fit.preset.flat else _RARE_SAMPLES)
