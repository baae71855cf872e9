"""Whether a chip could run a program, how, and at what rate.

A chip has one universal mesh: as many columns of two-mode interferometers as it has modes, two phases each. A program
alternates L + 1 fixed interferometers with L layers of phases. There are two ways to bring it onto the chip:

* **direct**: interferometers and phases lie one behind the other. A fixed interferometer that couples b neighbouring
  modes takes b columns (none if it couples nothing). A layer of phases takes one column: that column and the next one
  have a phase shifter on every second mode each. A datapoint then changes only the program's own phases. Two full
  meshes with phases between take about twice the columns of one, so that a chip of M modes runs a reservoir of less
  than M/2 modes this way. The count is sufficient, not necessary: a cleverer layout may be shorter.
* **compiled**: for each datapoint the whole product of interferometers and phases is one unitary, which a universal
  mesh of the program's modes can take. Exact, too, but a datapoint then changes every phase of that mesh, m (m - 1)
  of them (all of the chip's if photons must be routed from the permitted input modes), and that is a full update.

The expected rate uses ``p_keep`` averaged over Haar-random unitaries, for which all Fock states are equally likely.
Photons are lost once: a program without noise loses them with the preset's transmittance, of which all photons must
survive; a program with noise says itself what is lost, and the preset's transmittance is left out. The rate of such a
program counts the events whose sources deliver enough photons, and among them the share that indistinguishable photons
would have in the readout's space.

Examples:
    >>> import photonlink as phl
    >>> fit = phl.Program.reservoir(modes=11, photons=3, features=11, seed=7).fit("belenos")
    >>> fit.fits, fit.label, fit.realisation, fit.physical_phases_per_datapoint
    (True, 'belenos', 'direct', 11)
    >>> fit = phl.Program.reservoir(modes=12, photons=3, features=12, seed=7).fit("belenos")
    >>> fit.fits, fit.label, fit.realisation, fit.physical_phases_per_datapoint
    (True, 'belenos', 'compiled', 132)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photonlink import _checks, _core
from photonlink._description import Description
from photonlink.presets import Figure, Preset, T_co
from photonlink.presets import preset as find_preset
from photonlink.readout import basis_size

__all__ = ["HYPOTHETICAL", "Fit", "fit"]

HYPOTHETICAL = "hypothetical chip"


@dataclass(frozen=True, slots=True)
class Fit:
    """The answer to "could this chip run this program?".

    Attributes:
        preset: The figures that the answer is based on.
        photons: Photons of the program.
        fits: Whether the chip can run the program.
        label: The chip's name if it fits, else ``"hypothetical chip"``.
        reasons: Why it does not fit; empty if it does.
        notes: What to know about a program that fits, or about the figures.
        realisation: ``"direct"``, ``"compiled"`` (see the module) or ``"none"``.
        mesh_columns: Columns that the direct realisation takes.
        physical_phases_per_datapoint: Physical phases that one datapoint changes; without a realisation, the phases
            of the program itself.
        p_keep: Average probability that an n-photon event passes the readout's post-selection; of a program with noise,
            that an attempt of the sources ends in a kept event.
        kept_per_second: Expected kept samples per second of quantum time.
        loss_in_program: Whether the program's own noise says what is lost, instead of the preset's transmittance.
    """

    preset: Preset
    photons: int
    fits: bool
    label: str
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    realisation: str
    mesh_columns: int
    physical_phases_per_datapoint: int
    p_keep: float
    kept_per_second: float
    loss_in_program: bool

    def timing(self) -> dict[str, Any]:
        """Plain numbers for the controller's clock, by the names of its timing model, for this program on this chip.

        They are the preset's, except for a compiled program: the controller counts the program's own phases, of
        which each stands for a change of the whole mesh, so that any change takes what the mesh takes.
        """
        numbers = self.preset.timing(self.photons)
        if self.loss_in_program:
            numbers["transmittance"] = 1.0  # the kept fractions that the processor reports include the loss
        if self.realisation == "compiled":
            numbers["phase_update_s"] = self.preset.update_s(self.physical_phases_per_datapoint)
        return numbers

    def quantum_seconds(self, datapoints: int, shots: int) -> float:
        """Modelled time on the chip: one configuration, then update and acquisition of every datapoint.

        Args:
            datapoints: Number of datapoints.
            shots: Kept samples per datapoint.

        Returns:
            Seconds, by the figures of the preset; infinite if no sample would be kept.
        """
        datapoints = _checks.integer("datapoints", datapoints, 0, 2**63 - 1)
        seconds = datapoints * self.datapoint_seconds(shots) if datapoints else 0.0
        return self.preset.configuration_s.value + seconds

    def datapoint_seconds(self, shots: int) -> float:
        """Modelled time of one datapoint of `shots` kept samples, in seconds; infinite if no sample would be kept."""
        shots = _checks.integer("shots", shots, 0, 2**63 - 1)
        acquisition = shots / self.kept_per_second if self.kept_per_second else float("inf")
        return self.preset.update_s(self.physical_phases_per_datapoint) + acquisition


def fit(program: Description, preset: str | Preset) -> Fit:
    """Whether, how and how fast a chip could run a program; see the module for what is assumed.

    Args:
        program: Any program.
        preset: A preset or its name.

    Raises:
        ProgramError: If there is no such preset.
    """
    _checks.instance("program", program, Description, "a photonlink.Program")
    figures = preset if isinstance(preset, Preset) else find_preset(preset)
    columns = _columns(program)
    p_keep = _p_keep(program)
    realisation, phases = "none", program.phases_per_datapoint
    if figures.chip:
        reasons = _reasons(program, figures)
        if not reasons:
            realisation, phases = _realisation(program, figures, columns)
    else:
        reasons = [f"{figures.name} holds flat figures of no particular chip"]
    return Fit(
        preset=figures,
        photons=program.photons,
        fits=not reasons,
        label=HYPOTHETICAL if reasons else figures.name,
        reasons=tuple(reasons),
        notes=tuple(_notes(program, figures, realisation, phases)),
        realisation=realisation,
        mesh_columns=columns,
        physical_phases_per_datapoint=phases,
        p_keep=p_keep,
        kept_per_second=_kept_per_second(program, figures, p_keep),
        loss_in_program=program.noise is not None,
    )


def _kept_per_second(program: Description, figures: Preset, p_keep: float) -> float:
    if program.noise is None:
        return figures.kept_per_second(program.photons, p_keep)
    return figures.attempts_per_second * (1.0 if figures.flat else p_keep)


def _known(figure: Figure[T_co] | None) -> T_co:
    """A figure that every chip has."""
    if figure is None:
        raise TypeError("a preset of a chip must give modes, photons, input_modes and threshold_detectors")
    return figure.value


def _reasons(program: Description, chip: Preset) -> list[str]:
    reasons = []
    modes, photons, inputs = _known(chip.modes), _known(chip.photons), _known(chip.input_modes)
    if program.modes > modes:
        reasons.append(f"{program.modes} modes, the chip has {modes}")
    if program.photons > photons:
        reasons.append(f"{program.photons} photons, the chip has at most {photons}")
    if max(program.input_state) > 1:
        reasons.append(f"{max(program.input_state)} photons in one input mode, the chip takes one per mode")
    elif program.photons > len(inputs):
        reasons.append(f"{program.photons} input modes, the chip permits {len(inputs)}: {', '.join(map(str, inputs))}")
    if _known(chip.threshold_detectors) and _counts_photons(program):
        reasons.append(
            f"readout {program.readout.kind} over the Fock space counts photons per mode, the chip's detectors only "
            "click: use space='unbunched'"
        )
    if not program.interference:
        reasons.append("photons without interference are a control calculation; those of the chip interfere")
    return reasons


def _counts_photons(program: Description) -> bool:
    readout = program.readout
    counting = program.detectors == "pnr" and readout.space == "fock" and not readout.kind.startswith("click")
    return counting and program.photons > 1


def _realisation(program: Description, chip: Preset, columns: int) -> tuple[str, int]:
    modes, inputs = _known(chip.modes), set(_known(chip.input_modes))
    occupied = np.flatnonzero(program.input_state)
    placed = any(inputs.issuperset((occupied + shift).tolist()) for shift in range(modes - program.modes + 1))
    if placed and columns <= modes:
        return "direct", program.phases_per_datapoint
    if program.phases_per_datapoint == 0:
        return "compiled", 0
    mesh = program.modes if placed else modes
    return "compiled", mesh * (mesh - 1)


def _notes(program: Description, figures: Preset, realisation: str, phases: int) -> list[str]:
    notes = []
    limit = figures.quick_phase_limit
    if realisation == "compiled" and phases:
        notes.append(
            f"needs more columns than the mesh has, or other input modes: compiled into one mesh per datapoint, which "
            f"changes {phases} phases"
        )
    if limit.value and phases > limit.value:
        notes.append(
            f"{phases} phases per datapoint exceed the quick update of {limit.value} ({limit.source}): every datapoint "
            f"takes a full update of {figures.full_update_s.value:g} s"
        )
    if figures.chip and program.readout.kind.startswith("click") and program.readout.space == "fock":
        notes.append("with loss, a pattern of fewer clicks than photons may also be a lost photon; a chip cannot tell")
    if figures.chip and program.noise is not None:
        lost = _core.probability_of_enough(program.spec)
        notes.append(
            f"the program's own noise says what is lost (enough photons arrive with probability {lost:.3g}); the "
            "transmittance of the preset is not applied on top of it"
        )
    if program.readout.kind == "mode_expectations" and program.readout.space == "fock":
        notes.append("mean photon numbers in the Fock space carry no multi-photon interference")
    return notes


def _columns(program: Description) -> int:
    """Mesh columns of the direct realisation."""
    return sum(_couples(matrix) for matrix in program.interferometers) + program.layers


def _couples(matrix: NDArray[np.complex128]) -> int:
    """Size of the largest block of neighbouring modes that an interferometer couples; 0 if it couples none."""
    coupled = abs(matrix) > 1e-12
    largest, begin, reach = 0, 0, 0
    for mode in range(len(matrix)):
        partners = np.flatnonzero(coupled[mode] | coupled[:, mode])
        reach = max(reach, mode, int(partners.max(initial=mode)))
        if reach == mode:
            largest = max(largest, mode - begin + 1)
            begin = mode + 1
    return largest if largest > 1 else 0


def _p_keep(program: Description) -> float:
    """Share of the Fock space that the readout keeps: its average weight under Haar-random unitaries."""
    space = program.readout.space
    if program.detectors == "threshold" and space == "fock" and program.min_detected_photons is None:
        space = "unbunched"  # as many clicks as photons
    kept = basis_size(program.modes, program.photons, space)
    enough = 1.0 if program.noise is None else _core.probability_of_enough(program.spec)
    return enough * kept / basis_size(program.modes, program.photons, "fock")
