"""Samples on the GPU whose distribution does not fit into its memory limit: the CPU's, of the same random numbers.

Draws within rounding of a boundary between two modes may differ, and these seeds have none.
"""

import numpy as np
import pytest

import photonlink as phl

SAMPLER = "clifford_clifford_2017"
CPU_LIMIT = GPU_LIMIT = 2**22  # neither holds the distributions below
SEED, SHOTS = 3, 200


def program_of(modes, photons, readout, seed=5):
    return phl.Program.reservoir(modes, photons, features=modes, seed=seed, readout=readout)


def reference_of(program, x, shots):
    with (
        phl.Controller(memory_limit=CPU_LIMIT) as controller,
        phl.reserve("sim", program, controller=controller, clock="none", shots=shots, seed=SEED) as session,
    ):
        assert session.info.sampler == SAMPLER
        return session.infer(x, return_info=True)


def found_of(program, x, shots, precision="float64"):
    with phl.reserve(
        "sim:cuda", program, shots=shots, seed=SEED, clock="none", memory_limit=GPU_LIMIT, precision=precision
    ) as session:
        assert session.info.sampler == SAMPLER
        return session.infer(x, return_info=True)


def compare(program, rows, shots, precision="float64"):
    x = np.random.default_rng(program.modes).uniform(0, 6, (rows, program.modes))
    expected, known = reference_of(program, x, shots)
    found, info = found_of(program, x, shots, precision)
    np.testing.assert_allclose(found, expected, rtol=1e-12 if precision == "float64" else 1e-6)
    np.testing.assert_allclose(info.kept_fraction, known.kept_fraction, rtol=1e-12)
    for mine, theirs in zip(info.counts, known.counts, strict=True):
        assert np.array_equal(mine.index, theirs.index)
        assert np.array_equal(mine.count, theirs.count)
    if info.standard_errors is not None:
        np.testing.assert_allclose(info.standard_errors, known.standard_errors, atol=1e-12)


@pytest.mark.parametrize(
    "readout",
    [
        phl.Readout.samples("fock"),
        phl.Readout.samples("unbunched"),
        phl.Readout.mode_expectations("fock"),
        phl.Readout.correlators("unbunched"),
        phl.Readout.click_probabilities(),
        phl.Readout.probs("fock", phl.LexGrouping(9)),
        phl.Readout.probs("unbunched", phl.ModGrouping(7)),
    ],
    ids=lambda readout: f"{readout.kind}-{readout.space}-{readout.grouping_name}",
)
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_every_readout(readout, precision):
    compare(program_of(20, 8, readout), 3, SHOTS, precision)


@pytest.mark.parametrize(("modes", "photons", "shots"), [(40, 6, 500), (24, 12, 100), (18, 17, 20), (10, 25, 3)])
def test_any_number_of_photons(modes, photons, shots):
    """Kernels differ by how many photons they take at most."""
    state = np.bincount(np.arange(photons) % modes, minlength=modes).tolist()
    program = phl.Program.layered(modes, state).haar(1).phases([f"x{k}" for k in range(modes)]).haar(2)
    compare(program.build(phl.Readout.samples("fock")), 1, shots)


def test_device_arrays_and_graphs(torch):
    program = program_of(20, 8, phl.Readout.mode_expectations("fock"))
    x = np.random.default_rng(1).uniform(0, 6, (4, 20))
    expected = reference_of(program, np.concatenate([x, x]), SHOTS)[0]
    with phl.reserve("sim:cuda", program, shots=SHOTS, seed=SEED, memory_limit=GPU_LIMIT) as session:
        features = torch.from_numpy(x).cuda()
        first = session.infer(features)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            second = session.infer(features)
        graph.replay()
        torch.cuda.synchronize()
        session.check()
        np.testing.assert_allclose(first.cpu().numpy(), expected[:4], rtol=1e-12)
        np.testing.assert_allclose(second.cpu().numpy(), expected[4:], rtol=1e-12)
        assert session.usage.tokens == 8
