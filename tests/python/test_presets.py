"""Presets carry sources; fit says whether, how and how fast a chip could run a program."""

from __future__ import annotations

import dataclasses
import math
import re

import numpy as np
import perceval as pcvl
import pytest

from photonlink.errors import ProgramError
from photonlink.fit import HYPOTHETICAL, fit
from photonlink.presets import Figure, preset, presets
from photonlink.program import Program
from photonlink.readout import Readout


def figures(chosen):
    for field in dataclasses.fields(chosen):
        value = getattr(chosen, field.name)
        if isinstance(value, Figure):
            yield field.name, value


@pytest.mark.parametrize("chosen", presets(), ids=lambda p: p.name)
def test_every_number_has_a_source_and_a_date(chosen):
    numbers = dict(figures(chosen))
    assert numbers
    for name, figure in numbers.items():
        assert figure.source, name
        assert figure.date, name
        assert isinstance(figure.value, int | float | bool | tuple)
    plain = {"name", "description", "chip", "flat"}
    for field in dataclasses.fields(chosen):
        value = getattr(chosen, field.name)
        assert field.name in plain or value is None or isinstance(value, Figure), f"{field.name} has no source"


def test_numbers_nobody_published_are_labelled_assumptions():
    for name in ("ascella", "belenos"):
        chosen = preset(name)
        assert chosen.quick_phase_limit.source.startswith("assumption")
        assert chosen.phase_update_s.source.startswith("assumption")
    assert preset("ascella").configuration_s.source.startswith("assumption")
    assert "third party" in preset("belenos").configuration_s.source
    assert "third party" in preset("belenos").transmittance.source


def test_article_is_flat():
    article = preset("article")
    assert (article.configuration_s.value, article.phase_update_s.value) == (1.0, 0.02)
    assert article.kept_per_second(1) == article.kept_per_second(6, p_keep=0.01) == 100e3
    assert article.update_s(0) == 0.0
    assert article.update_s(10_000) == 0.02


@pytest.mark.parametrize(("name", "clock", "transmittance"), [("ascella", 80e6, 0.0244), ("belenos", 4.94e6, 0.052)])
def test_chips_fall_steeply_with_photon_number(name, clock, transmittance):
    chip = preset(name)
    for photons in range(1, 7):
        assert math.isclose(chip.kept_per_second(photons, 0.5), clock * transmittance**photons * 0.5)
    assert chip.update_s(chip.quick_phase_limit.value) == chip.phase_update_s.value
    assert chip.update_s(chip.quick_phase_limit.value + 1) == chip.full_update_s.value
    assert chip.update_s(0) == 0.0


def test_timing_names_are_those_of_the_clock():
    assert preset("belenos").timing(photons=3) == {
        "name": "belenos",
        "configuration_s": 15.5,
        "phase_update_s": 0.02,
        "full_update_s": 15.5,
        "quick_phase_limit": 24,
        "flat": False,
        "kept_rate_hz": 0.0,
        "clock_hz": 4.94e6,
        "transmittance": 0.052,
        "photons": 3,
    }


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: preset("nowhere"), "'nowhere'.*article, ascella, belenos"),
        (lambda: Program.reservoir(4, 2, 2).fit("nowhere"), "'nowhere'.*article, ascella, belenos"),
        (lambda: preset("belenos").kept_per_second(0), "at least 1 photon"),
        (lambda: preset("belenos").kept_per_second(2, 1.5), "p_keep from 0 to 1"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(ProgramError, match=words):
        call()


# ---- fit


def test_a_small_reservoir_lies_directly_on_the_chip():
    answer = Program.reservoir(11, 3, 11, seed=1).fit("belenos")
    assert answer.fits
    assert (answer.label, answer.realisation, answer.mesh_columns) == ("belenos", "direct", 23)
    assert answer.physical_phases_per_datapoint == 11
    assert answer.reasons == ()
    share = math.comb(11, 3) / math.comb(13, 3)
    assert math.isclose(answer.p_keep, share)
    assert math.isclose(answer.kept_per_second, 4.94e6 * 0.052**3 * share)
    expected = 15.5 + 100 * (0.02 + 1000 / answer.kept_per_second)
    assert math.isclose(answer.quantum_seconds(100, 1000), expected)


def test_a_larger_one_is_compiled_anew_for_every_datapoint():
    answer = Program.reservoir(12, 3, 12, seed=1).fit("belenos")
    assert answer.fits
    assert (answer.realisation, answer.mesh_columns) == ("compiled", 25)
    assert answer.physical_phases_per_datapoint == 12 * 11
    assert any("full update of 15.5 s" in note for note in answer.notes)
    assert answer.quantum_seconds(10, 1) > 10 * 15.5


def test_a_compiled_program_never_updates_quickly():
    direct, compiled = (Program.reservoir(modes, 3, modes, seed=1).fit("belenos") for modes in (11, 12))
    assert direct.timing() == preset("belenos").timing(photons=3)
    assert compiled.timing() == {**direct.timing(), "phase_update_s": 15.5}
    small = Program.reservoir(4, 3, 4, seed=1, input_state=[1, 1, 1, 0])
    routed = fit(small, dataclasses.replace(preset("belenos"), quick_phase_limit=Figure(600, "a bench", "today")))
    assert routed.realisation == "compiled"
    assert routed.timing()["phase_update_s"] == 0.02


def test_phase_columns_and_neighbouring_blocks_count():
    block = np.eye(6, dtype=complex)
    block[2:5, 2:5] = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    program = (
        Program.layered(6, [1, 0, 1, 0, 0, 0])
        .interferometer(block)
        .phases(["a", "b"], modes=[2, 3])
        .interferometer(block)
        .build()
    )
    assert program.fit("belenos").mesh_columns == 3 + 1 + 3
    assert Program.layered(3, [1, 0, 0]).phases(["a"]).build().fit("belenos").mesh_columns == 1


@pytest.mark.parametrize("modes", range(3, 9))
def test_a_full_interferometer_takes_the_columns_of_percevals_universal_mesh(modes):
    mesh = pcvl.GenericInterferometer(modes, lambda _: pcvl.BS())
    program = Program.layered(modes, [1] + [0] * (modes - 1)).haar(3).build()
    assert program.fit("belenos").mesh_columns == max(mesh.mzi_depths)
    compiled = Program.reservoir(modes, 1, 1, input_state=[0] * (modes - 1) + [1])
    tight = dataclasses.replace(preset("belenos"), modes=Figure(modes, "a bench", "today"))
    tight = dataclasses.replace(tight, input_modes=Figure((modes - 1,), "a bench", "today"))
    splitters = sum(component.m == 2 for _, component in mesh)
    assert fit(compiled, tight).physical_phases_per_datapoint == 2 * splitters


def test_photons_are_shifted_or_routed_to_permitted_inputs():
    shifted = Program.reservoir(5, 2, 5, seed=1, input_state=[0, 1, 0, 1, 0]).fit("ascella")
    assert (shifted.realisation, shifted.physical_phases_per_datapoint) == ("direct", 5)
    neighbours = Program.reservoir(5, 2, 5, seed=1, input_state=[1, 1, 0, 0, 0]).fit("ascella")
    assert neighbours.fits
    assert (neighbours.realisation, neighbours.physical_phases_per_datapoint) == ("compiled", 12 * 11)


@pytest.mark.parametrize(
    ("program", "chip", "words"),
    [
        (Program.reservoir(25, 2, 4), "belenos", "25 modes, the chip has 24"),
        (Program.reservoir(14, 7, 4), "ascella", "7 photons, the chip has at most 6"),
        (Program.reservoir(4, 3, 4, input_state=[2, 0, 1, 0]), "belenos", "one per mode"),
        (Program.reservoir(4, 2, 4, readout=Readout.probs("fock")), "belenos", "only click.*unbunched"),
        (Program.reservoir(4, 2, 4, interference=False), "ascella", "control calculation"),
        (Program.reservoir(4, 2, 4), "article", "no particular chip"),
    ],
)
def test_what_fits_no_chip_is_hypothetical(program, chip, words):
    answer = program.fit(chip)
    assert not answer.fits
    assert answer.label == HYPOTHETICAL == "hypothetical chip"
    assert answer.realisation == "none"
    assert any(re.search(words, reason) for reason in answer.reasons), answer.reasons


def test_several_reasons_are_all_given():
    program = Program.reservoir(13, 7, 4, readout=Readout.correlators("fock"))
    assert len(program.fit("ascella").reasons) == 4


def test_notes_tell_what_a_chip_cannot_tell():
    clicks = Program.reservoir(6, 2, 4, readout=Readout.click_patterns()).fit("belenos")
    assert clicks.fits
    assert any("lost photon" in note for note in clicks.notes)
    single = Program.reservoir(6, 1, 4, readout=Readout.mode_expectations("fock")).fit("belenos")
    assert single.fits
    assert any("no multi-photon interference" in note for note in single.notes)


def test_article_still_gives_a_rate():
    answer = Program.reservoir(6, 2, 6).fit("article")
    assert answer.kept_per_second == 100e3
    assert math.isclose(answer.quantum_seconds(1797, 1000), 1 + 1797 * (0.02 + 0.01))


def test_presets_may_be_given_as_objects_and_changed():
    slow = dataclasses.replace(preset("belenos"), clock_hz=Figure(1e6, "a bench", "today"))
    program = Program.reservoir(6, 2, 6)
    assert fit(program, slow).kept_per_second < fit(program, "belenos").kept_per_second
    dark = dataclasses.replace(preset("belenos"), transmittance=Figure(0.0, "lights out", "today"))
    assert fit(program, dark).quantum_seconds(1, 1) == math.inf
