"""How noise is described, stored and refused."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import photonlink as phl
from photonlink.errors import ProgramError


def test_noise_is_checked_field_by_field():
    for field, value in (
        ("brightness", 1.5),
        ("transmittance", -0.1),
        ("indistinguishability", float("nan")),
        ("g2", "much"),
        ("g2_distinguishable", 1),
        ("phase_error", 4.0),
        ("phase_imprecision", float("inf")),
        ("phase_seed", -1),
    ):
        with pytest.raises(ProgramError, match=f"{field} is .*expected"):
            phl.Noise(**{field: value})
    with pytest.raises(ProgramError, match=r"at most 0\.5"):
        phl.Noise(g2=0.6)
    with pytest.raises(ProgramError, match="flat figures"):
        phl.Noise.preset("article")
    with pytest.raises(ProgramError, match="NoiseModel"):
        phl.Noise.from_perceval(3)
    with pytest.raises(ProgramError, match="min_detected_photons is 4"):
        phl.Program.reservoir(4, 2, 4, min_detected_photons=4)
    with pytest.raises(ProgramError, match="'threshold'"):
        phl.Program.reservoir(4, 2, 4, detectors="geiger")  # type: ignore[arg-type]


def test_noise_is_part_of_a_programs_identity():
    plain = phl.Program.reservoir(4, 2, 4, seed=1)
    assert plain.replace(noise=phl.Noise()) == plain
    assert plain.replace(min_detected_photons=2) == plain
    variants = [
        plain,
        plain.replace(noise=phl.Noise(transmittance=0.5)),
        plain.replace(noise=phl.Noise(transmittance=np.nextafter(0.5, 1))),
        plain.replace(detectors="threshold"),
        plain.replace(min_detected_photons=1),
        phl.Program.reservoir(4, 2, 4, seed=1, noise=phl.Noise(phase_error=0.1)),
        phl.Program.reservoir(4, 2, 4, seed=1, noise=phl.Noise(phase_error=0.1, phase_seed=1)),
    ]
    assert len({program.digest for program in variants}) == len(variants)
    for program in variants:
        loaded = pickle.loads(pickle.dumps(program))
        assert loaded.digest == program.digest
        assert (loaded.noise, loaded.detectors, loaded.min_detected_photons) == (
            program.noise,
            program.detectors,
            program.min_detected_photons,
        )
        np.testing.assert_array_equal(loaded.phase_errors, program.phase_errors)


def test_a_mixture_that_is_too_large_is_refused_with_its_size():
    program = phl.Program.reservoir(
        24, 12, 1, readout=phl.Readout.probs("fock"), noise=phl.Noise(indistinguishability=0.9)
    )
    with pytest.raises(ProgramError, match=r"4096 configurations .* bytes .* use fewer photons"):
        program.simulate(np.zeros(1))
