"""How large a kernel may be, and how it is simulated."""

from __future__ import annotations

from photonlink.cudaq.dual_rail import statevector
from photonlink.cudaq.dual_rail.optics import Layout
from photonlink.cudaq.options import Method, Options
from photonlink.errors import ProgramError

__all__ = ["MAX_SAMPLES", "method"]

MAX_STATES = 10_000_000  # of one photon, two, ... in all modes: some seconds to set up, and 300 MB
MAX_OUTCOMES = 1_000_000
MAX_NOISY_PHOTONS = 10  # every photon of a noisy source may be missing, doubled or distinguishable
MAX_SAMPLES = 1_000_000_000  # kept samples, of which most are no successes: some fifteen seconds
MAX_WIRES = 24  # of a state vector


def method(layout: Layout, options: Options, shots: int | None) -> Method:
    """Photons where they can be simulated, else qubits.

    Raises:
        ProgramError: The kernel is too large for what the target was asked to do; the message names the limit.
    """
    beyond = None if options.method == "dual_rail_vector" else _beyond_fock(layout, options, shots)
    if options.method == "fock" and beyond is not None:
        raise ProgramError(f"the kernel is too large to simulate its photons: {beyond}; method='auto' may still run it")
    if options.method != "dual_rail_vector" and beyond is None:
        return "fock"
    why = "" if beyond is None else f"the kernel is too large to simulate its photons ({beyond}), and "
    try:
        statevector.check_noise(options.noise)
    except ProgramError as error:
        raise ProgramError(f"{why}{error}") from None
    if layout.wires > MAX_WIRES:
        raise ProgramError(f"{why}its state vector of {layout.wires} qubits is over the limit of {MAX_WIRES} qubits")
    return "dual_rail_vector"


def _beyond_fock(layout: Layout, options: Options, shots: int | None) -> str | None:
    size = f"{layout.photons} photons in {layout.modes} modes, for {len(layout.entanglers)} CZ gates,"
    noise = options.noise
    if layout.simulated_states > MAX_STATES:
        return f"{size} pass through {layout.simulated_states} states, and the limit is {MAX_STATES}"
    if layout.outcomes > MAX_OUTCOMES:
        return f"{size} have {layout.outcomes} outcomes, and the limit is {MAX_OUTCOMES}"
    imperfect = noise is not None and (noise.indistinguishability < 1 or noise.g2 > 0)
    if imperfect and layout.photons > MAX_NOISY_PHOTONS:
        return f"{size} come from imperfect sources, and the limit is {MAX_NOISY_PHOTONS} photons then"
    if shots is not None and shots / layout.success_probability > MAX_SAMPLES:
        return (
            f"{size} succeed with probability {layout.success_probability:.3g}, so that {shots} shots may need more "
            f"than the limit of {MAX_SAMPLES} samples"
        )
    return None
