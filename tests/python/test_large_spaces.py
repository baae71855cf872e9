"""Sampling without a distribution, threads, and what sessions say of both."""

import contextlib
import math
import subprocess
import sys

import numpy as np
import perceval as pcvl
import pytest
from scipy import stats

import photonlink as phl
from photonlink import _core
from photonlink.errors import ProcessorError, ProgramError
from photonlink.unitary import haar_unitary

SAMPLER = "clifford_clifford_2017"


def program_of(modes, photons, readout, seed=5):
    return phl.Program.reservoir(modes, photons, features=modes, seed=seed, readout=readout)


def unitary_of(program, phases):
    first, last = program.interferometers
    return last @ np.diag(np.exp(1j * phases)) @ first


@contextlib.contextmanager
def session_of(program, memory_limit=None, **options):
    with (
        phl.Controller(memory_limit=memory_limit) as controller,
        phl.reserve("sim", program, clock="none", controller=controller, **options) as session,
    ):
        yield session


def tight(program):
    """Bytes that hold a sampler of the program, and not its distribution."""
    return _core.predict_bytes(program.spec, "float64", True)


@pytest.mark.parametrize("space", ["fock", "unbunched"])
def test_samples_without_a_distribution_follow_it(space):
    program = program_of(9, 4, phl.Readout.samples(space=space))
    x = np.random.default_rng(0).uniform(0, 6, 9)
    shots = 20_000
    with session_of(program, tight(program), shots=shots, seed=3) as session:
        assert session.info.sampler == SAMPLER
        samples, info = session.infer(x, return_info=True)
    assert samples.shape == (shots, 9)
    assert (samples.sum(axis=1) == 4).all()
    exact = program_of(9, 4, phl.Readout.probs(space=space)).simulate(x)
    seen = np.zeros(len(exact))
    seen[info.counts[0].index] = info.counts[0].count
    expected = exact * shots
    rare = expected < 8
    cells = np.append(seen[~rare], seen[rare].sum())
    means = np.append(expected[~rare], expected[rare].sum())
    assert stats.chisquare(cells, means * cells.sum() / means.sum()).pvalue > 1e-4


def test_samples_are_distributed_like_those_of_perceval():
    """Two-sample chi-square of the photon numbers' patterns at a size that neither lists here."""
    modes, photons, shots = 16, 6, 8000
    program = program_of(modes, photons, phl.Readout.samples(space="fock"))
    x = np.random.default_rng(1).uniform(0, 6, modes)
    with session_of(program, tight(program), shots=shots, seed=9) as session:
        ours = session.infer(x)
    pcvl.random_seed(4)
    backend = pcvl.Clifford2017Backend()
    backend.set_circuit(pcvl.Unitary(pcvl.Matrix(unitary_of(program, program.encode(x[None])[0]))))
    backend.set_input_state(pcvl.BasicState(list(program.input_state)))
    theirs = np.array([list(state) for state in backend.samples(shots)])
    for columns in (slice(0, 4), slice(6, 10), slice(12, 16)):  # joint photon numbers of four modes
        base = photons + 1
        keys = [(each[:, columns] @ base ** np.arange(4)).astype(int) for each in (ours.astype(int), theirs)]
        table = np.array([np.bincount(key, minlength=base**4) for key in keys])
        common = table.sum(axis=0) >= 20
        table = np.column_stack([table[:, common], table[:, ~common].sum(axis=1)])
        assert stats.chi2_contingency(table[:, table.sum(axis=0) > 0]).pvalue > 1e-4


@pytest.mark.parametrize(("modes", "photons"), [(24, 12), (30, 10)])
def test_large_spaces_are_sampled_in_a_session(modes, photons):
    shots = 200
    x = np.random.default_rng(2).uniform(0, 6, (2, modes))
    expectations = program_of(modes, photons, phl.Readout.mode_expectations(space="fock"))
    exact = expectations.simulate(x)
    with session_of(expectations, 1 << 30, shots=shots, seed=1) as session:
        assert session.info.sampler == SAMPLER
        means, info = session.infer(x, return_info=True)
    with session_of(program_of(modes, photons, phl.Readout.samples(space="fock")), shots=shots, seed=1) as session:
        states = session.infer(x)
    assert np.abs((means - exact) / (info.standard_errors + 0.02)).max() < 5
    np.testing.assert_allclose(states.mean(axis=1), means, atol=1e-12)  # the same samples, read out twice


def test_what_fits_is_sampled_from_its_distribution():
    program = program_of(6, 3, phl.Readout.samples(space="fock"))
    with session_of(program, shots=10) as session:
        assert session.info.sampler == "inverse_cdf"
    with session_of(program_of(6, 3, phl.Readout.probs(space="fock"))) as session:
        assert session.info.sampler is None


def test_a_refusal_names_bytes_and_alternative():
    program = program_of(30, 10, phl.Readout.probs(space="fock"))
    refused = pytest.raises((ProgramError, ProcessorError), match=r"needs \d+ bytes .* shots=")
    with refused as refusal, session_of(program, 1 << 30):
        pass
    assert str(math.comb(39, 10)) in str(refusal.value)


def test_post_selection_that_keeps_nothing_is_given_up():
    program = program_of(9, 4, phl.Readout.mode_expectations(space="unbunched"))
    spec = _core.ProgramSpec(
        9, [4] + 8 * [0], np.eye(9)[None].astype(complex), np.zeros(0, np.uint32), np.zeros(0, np.uint32),
        "mode_expectations", "unbunched",
    )  # fmt: skip
    limit = _core.predict_bytes(program.spec, "float64", True)
    simulator = _core.Simulator(spec, "float64", limit, sampled=True)
    assert simulator.sampler == SAMPLER
    with pytest.raises(ProcessorError, match="given up after"):
        simulator.run(np.zeros((1, 0)), shots=10)


@pytest.mark.parametrize("space", ["fock", "unbunched", "dual_rail"])
def test_states_are_found_by_their_position(space):
    states = _core.basis_states(8, 4, space)
    positions = np.random.default_rng(0).integers(0, len(states), 50).astype(np.uint32)
    np.testing.assert_array_equal(_core.states_at(8, 4, space, positions), states[positions])
    with pytest.raises(ProgramError, match="beyond"):
        _core.states_at(8, 4, space, np.array([len(states)], np.uint32))


@pytest.mark.parametrize("space", ["fock", "unbunched"])
def test_results_do_not_depend_on_threads(space):
    program = program_of(12, 6, phl.Readout.probs(space=space))
    x = np.random.default_rng(3).uniform(0, 6, (70, 12))
    results = []
    for threads in (1, 2, 3):
        with session_of(program, precision="float32", threads=threads) as session:
            assert session.info.threads == threads
            results.append(session.infer(x))
    assert (results[0] == results[1]).all()
    assert (results[0] == results[2]).all()


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, 2000])
def test_unusable_numbers_of_threads_are_refused(threads):
    with pytest.raises(ProgramError, match="threads is"):
        phl.reserve("sim", program_of(4, 2, phl.Readout.probs()), threads=threads)


def test_the_affinity_mask_bounds_the_threads():
    script = (
        "import os\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "os.environ.pop('PHOTONLINK_THREADS', None)\n"
        "import photonlink as phl\n"
        "with phl.reserve('sim', phl.Program.reservoir(4, 2, features=4)) as session: print(session.info.threads)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    assert result.stdout.strip() == "1"


def test_interferometers_of_the_reservoir_are_those_of_the_package():
    """What unitary_of() relies on."""
    program = program_of(5, 2, phl.Readout.probs(), seed=7)
    assert len(program.interferometers) == 2
    assert np.abs(haar_unitary(5, 7)).shape == program.interferometers[0].shape
