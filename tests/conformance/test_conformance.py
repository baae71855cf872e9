"""Random programs and readouts give the same results on every route to every target.

The reference is direct simulation in this process, without link, controller or session; that itself is compared with
Perceval elsewhere. The random cases are the same on every route.
"""

import numpy as np
import pytest
from routes import ROUTES, Job

import photonlink as phl

CASES = 24


def _readout(rng, space):
    kinds = [
        lambda: phl.Readout.probs(space),
        lambda: phl.Readout.probs(space, phl.LexGrouping(int(rng.integers(1, 9)))),
        lambda: phl.Readout.probs(space, phl.ModGrouping(int(rng.integers(1, 9)))),
        lambda: phl.Readout.mode_expectations(space),
        lambda: phl.Readout.correlators(space),
        lambda: phl.Readout.click_patterns(space),
        lambda: phl.Readout.click_probabilities(space),
    ]
    return kinds[rng.integers(len(kinds))]()


def random_case(number):
    """Program and features of case `number`: 2 to 7 modes, 1 to 4 photons, 1 to 3 phase layers, any space."""
    rng = np.random.default_rng([20, number])
    space = ["fock", "unbunched", "dual_rail"][number % 3]
    photons = int(rng.integers(1, 4)) if space == "dual_rail" else int(rng.integers(1, 5))
    modes = 2 * photons if space == "dual_rail" else int(rng.integers(max(2, photons), 8))
    if space == "fock":
        state = rng.multinomial(photons, np.full(modes, 1 / modes)).tolist()  # several photons in one mode, too
    else:
        state = rng.permutation([1] * photons + [0] * (modes - photons)).tolist()
    names = [f"x{k}" for k in range(int(rng.integers(1, modes + 1)))]
    builder = phl.Program.layered(modes, state).haar(seed=int(rng.integers(1000)))
    for _ in range(rng.integers(1, 4)):
        builder = builder.phases(names, scale=float(rng.uniform(0.5, 2))).haar(seed=int(rng.integers(1000)))
    program = builder.build(_readout(rng, space), interference=bool(rng.random() < 0.8))
    return program, rng.uniform(-4, 4, size=(int(rng.integers(2, 30)), len(names)))


@pytest.fixture(params=ROUTES)
def route(request):
    """Every route, or those to the targets named on the command line."""
    wanted = request.config.getoption("--conformance-target")
    if wanted and ROUTES[request.param].target not in wanted:
        pytest.skip(f"runs on {ROUTES[request.param].target}, not on {', '.join(wanted)}")
    if ROUTES[request.param].on_device:
        usable, _, reason = phl.cuda.available()
        if not usable:
            pytest.skip(reason)
        pytest.importorskip("torch")
    return ROUTES[request.param]


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("shots", [None, 37])
def test_routes_agree_with_direct_simulation(route, shots, precision):
    for number in range(CASES):
        program, x = random_case(number)
        job = Job(program, x, shots, seed=number, precision=precision)
        expected = program.simulate(x, shots=shots, seed=number, precision=precision)
        result = route.run(job)
        assert result.shape == (len(x), program.output_size)
        assert result.dtype == np.dtype(precision)
        if route.exact_bits:
            assert np.array_equal(result, expected), f"case {number}: {program!r}"
        else:
            np.testing.assert_allclose(result, expected, atol=1e-10 if precision == "float64" else 2e-6)


def test_the_cases_cover_what_they_should():
    programs = [random_case(number)[0] for number in range(CASES)]
    assert {program.readout.space for program in programs} == {"fock", "unbunched", "dual_rail"}
    assert len({program.readout.kind for program in programs}) == 5
    assert {program.layers for program in programs} == {1, 2, 3}
    assert {program.interference for program in programs} == {True, False}
    assert max(max(program.input_state) for program in programs) > 1
