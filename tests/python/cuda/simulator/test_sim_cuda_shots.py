"""Samples on "sim:cuda" whose distribution does not fit into the memory limit, which a stand-in draws."""

import numpy as np
import pytest

import photonlink as phl
from photonlink import _core
from photonlink.errors import ProcessorError, ProgramError

SAMPLER = "clifford_clifford_2017"
LIMIT = 2**16  # a sampler of the programs below, not their distributions


def program_of(readout, modes=16, photons=6):
    return phl.Program.reservoir(modes, photons, features=modes, seed=3, readout=readout)


def reserved(program, **options):
    return phl.reserve("sim:cuda", program, memory_limit=LIMIT, **options)


def reference_of(program, x, **options):
    """What the CPU answers within the same limit."""
    with (
        phl.Controller(memory_limit=LIMIT) as controller,
        phl.reserve("sim", program, controller=controller, **options) as session,
    ):
        assert session.info.sampler == SAMPLER
        return session.infer(x, return_info=True)


@pytest.mark.parametrize(
    "readout",
    [phl.Readout.samples("fock"), phl.Readout.correlators("unbunched"), phl.Readout.probs("fock", phl.ModGrouping(4))],
    ids=lambda readout: readout.kind,
)
def test_results_and_reports_are_those_of_the_cpu(readout):
    program = program_of(readout)
    x = np.random.default_rng(0).uniform(0, 6, (3, 16))
    expected, known = reference_of(program, x, shots=50, seed=4)
    with reserved(program, shots=50, seed=4) as session:
        assert (session.info.sampler, session.info.processor) == (SAMPLER, "cuda-slos")
        found, info = session.infer(x, return_info=True)
        assert session.usage.kept_samples == 150
    assert np.array_equal(found, expected)
    for mine, theirs in zip(info.counts, known.counts, strict=True):
        assert np.array_equal(mine.index, theirs.index)
        assert np.array_equal(mine.count, theirs.count)
    np.testing.assert_allclose(info.kept_fraction, known.kept_fraction, rtol=1e-12)
    if readout.kind != "samples":
        np.testing.assert_allclose(info.standard_errors, known.standard_errors, atol=1e-12)


def test_samples_of_a_space_that_nobody_could_list():
    program = program_of(phl.Readout.samples("fock"), 24, 10)
    x = np.zeros(24)
    with reserved(program, shots=20, seed=1) as session:
        samples = session.infer(x)
    assert samples.shape == (20, 24)
    assert (samples.sum(axis=1) == 10).all()
    assert np.array_equal(samples, reference_of(program, x, shots=20, seed=1)[0])


def test_a_sample_that_is_given_up_is_a_failure_of_the_processor():
    """All photons leave by mode 0: nothing is unbunched."""
    names = [f"x{k}" for k in range(16)]
    program = phl.Program.layered(16, [6, *[0] * 15]).phases(names).build(phl.Readout.mode_expectations("unbunched"))
    with reserved(program, shots=2) as session:
        assert session.info.sampler == SAMPLER
        with pytest.raises(ProcessorError, match="given up after thousands of events outside the unbunched space"):
            session.infer(np.zeros((1, 16)))


def test_outputs_that_do_not_fit_are_refused():
    program = program_of(phl.Readout.probs("fock"), 24, 8)
    assert _core.predict_bytes(program.spec, "float64", True) > LIMIT
    with pytest.raises(ProgramError, match="limit is 65536 bytes"):
        reserved(program, shots=10)
