"""The native simulator against Perceval, permanents and statistics."""

import itertools
import math
import os

import numpy as np
import perceval as pcvl
import pytest
from scipy import stats

from photonlink import _core
from photonlink.errors import ProcessorError, ProgramError

GIB = 1 << 30
SPACES = ["fock", "unbunched", "dual_rail"]


def haar(rng, modes):
    q, r = np.linalg.qr(rng.normal(size=(modes, modes)) + 1j * rng.normal(size=(modes, modes)))
    return q * (np.diag(r) / np.abs(np.diag(r)))


def spec(interferometers, state, sites=(), kind="probabilities", space="fock", **options):
    layers = np.array([layer for layer, _ in sites], dtype=np.uint32)
    modes = np.array([mode for _, mode in sites], dtype=np.uint32)
    matrices = np.asarray(interferometers)
    return _core.ProgramSpec(len(state), list(state), matrices, layers, modes, kind, space, **options)


def simulator(program, precision="float64"):
    return _core.Simulator(program, precision, GIB)


def random_case(seed):
    """A random program: matrices, input (several photons per mode allowed), sites, phases of 3 rows and space."""
    rng = np.random.default_rng(seed)
    modes, photons, layers = int(rng.integers(2, 9)), int(rng.integers(1, 6)), int(rng.integers(1, 4))
    space = SPACES[seed % 3]
    if space == "dual_rail":
        modes -= modes % 2
        photons = modes // 2
    if space == "unbunched":
        photons = min(photons, modes)
    state = np.bincount(rng.integers(0, modes, photons), minlength=modes).tolist()
    sites = [(int(rng.integers(layers)), int(rng.integers(modes))) for _ in range(int(rng.integers(1, 2 * modes)))]
    matrices = [haar(rng, modes) for _ in range(layers + 1)]
    return matrices, state, sites, rng.uniform(-7, 7, (3, len(sites))), space


def compose(matrices, sites, phases):
    """The unitary of one datapoint."""
    total = matrices[0]
    for layer, matrix in enumerate(matrices[1:]):
        shifts = np.zeros(len(matrix))
        for (at, mode), phase in zip(sites, phases, strict=True):
            shifts[mode] += phase if at == layer else 0
        total = matrix @ np.diag(np.exp(1j * shifts)) @ total
    return total


def perceval_probabilities(unitary, state, outputs):
    backend = pcvl.BackendFactory.get_backend("SLOS")
    backend.set_circuit(pcvl.Unitary(pcvl.Matrix(unitary)))
    backend.set_input_state(pcvl.BasicState(state))
    return np.array([backend.probability(pcvl.BasicState(output)) for output in outputs.tolist()])


@pytest.mark.parametrize("first", range(0, 200, 20))
def test_distribution_agrees_with_perceval(first):
    for seed in range(first, first + 20):
        matrices, state, sites, phases, space = random_case(seed)
        program = spec(matrices, state, sites, space=space)
        outputs = _core.basis_states(len(state), sum(state), space)
        observables, details = simulator(program).run_report(phases)
        rounded = simulator(program, "float32").run(phases)
        assert observables.dtype == np.float64
        assert rounded.dtype == np.float32
        for row in range(len(phases)):
            expected = perceval_probabilities(compose(matrices, sites, phases[row]), state, outputs)
            kept = 1.0 if space == "fock" else expected.sum()
            np.testing.assert_allclose(observables[row], expected / kept, rtol=0, atol=1e-10)
            np.testing.assert_allclose(rounded[row], expected / kept, rtol=0, atol=2e-6)
            assert details["kept_fraction"][row] == pytest.approx(kept, abs=1e-10)


def test_basis_order_is_that_of_perceval():
    import exqalibur

    for modes, photons in [(2, 3), (3, 2), (5, 4)]:
        expected = [list(state) for state in exqalibur.FSArray(modes, photons)]
        assert _core.basis_states(modes, photons, "fock").tolist() == expected


@pytest.mark.parametrize(("space", "modes", "photons"), [("fock", 4, 3), ("unbunched", 5, 2), ("dual_rail", 6, 3)])
def test_basis_order_and_results_are_those_of_merlin(space, modes, photons):
    merlin = pytest.importorskip("merlin")
    unitary = haar(np.random.default_rng(5), modes)
    state = [1, 0] * photons + [0] * modes
    state = state[:modes] if sum(state[:modes]) == photons else [1] * photons + [0] * (modes - photons)
    layer = merlin.QuantumLayer(
        input_size=0,
        circuit=pcvl.Circuit(modes).add(0, pcvl.Unitary(pcvl.Matrix(unitary))),
        input_state=state,
        measurement_strategy=merlin.MeasurementStrategy.probs(computation_space=merlin.ComputationSpace(space)),
    )
    assert [list(key) for key in layer.output_keys] == _core.basis_states(modes, photons, space).tolist()
    result = simulator(spec([unitary], state, space=space), "float32").run(np.zeros((1, 0)))
    np.testing.assert_allclose(layer().detach().numpy(), result, rtol=0, atol=2e-6)


def test_groupings_are_those_of_merlin():
    merlin = pytest.importorskip("merlin")
    torch = pytest.importorskip("torch")
    matrices, state, sites = [haar(np.random.default_rng(6), 3)], [1, 1, 0], ()
    full = simulator(spec(matrices, state, sites)).run(np.zeros((1, 0)))
    for groups, name in itertools.product([1, 2, 4, 5, 6, 9], ["lex", "mod"]):
        grouping = {"lex": merlin.LexGrouping, "mod": merlin.ModGrouping}[name]
        expected = grouping(full.shape[1], groups)(torch.from_numpy(full)).numpy()
        program = spec(matrices, state, sites, grouping=name, groups=groups)
        assert _core.output_size(program) == groups
        np.testing.assert_allclose(simulator(program).run(np.zeros((1, 0))), expected, rtol=0, atol=1e-14)


def permanent(matrix):
    size = len(matrix)
    return sum(math.prod(matrix[i, p[i]] for i in range(size)) for p in itertools.permutations(range(size)))


@pytest.mark.parametrize("first", range(3))
def test_distinguishable_photons_follow_permanents_of_probabilities(first):
    for seed in range(first, 30, 3):
        matrices, state, sites, phases, space = random_case(seed)
        got = simulator(spec(matrices, state, sites, space=space, interference=False)).run(phases)
        columns = np.repeat(np.arange(len(state)), state)
        outputs = _core.basis_states(len(state), sum(state), space)
        for row in range(len(phases)):
            weights = np.abs(compose(matrices, sites, phases[row])) ** 2
            expected = np.array(
                [
                    permanent(weights[np.ix_(np.repeat(np.arange(len(state)), output), columns)])
                    / math.prod(math.factorial(n) for n in output)
                    for output in outputs.tolist()
                ]
            )
            np.testing.assert_allclose(got[row], expected / expected.sum(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("interference", [True, False])
@pytest.mark.parametrize("space", SPACES)
def test_readouts_are_linear_in_the_distribution(space, interference):
    rng = np.random.default_rng(11)
    matrices, state, sites = [haar(rng, 6), haar(rng, 6)], [1, 0, 1, 0, 1, 0], [(0, mode) for mode in range(6)]
    phases = rng.uniform(0, 6, (4, 6))
    options = {"space": space, "interference": interference}
    p = simulator(spec(matrices, state, sites, **options)).run(phases)
    n = _core.basis_states(6, 3, space).astype(float)
    patterns = _core.click_patterns(6, 3, space)
    clicks = (n > 0).astype(np.uint8)
    which = np.array([np.flatnonzero((patterns == click).all(axis=1))[0] for click in clicks])
    pairs = np.array([n[:, i] * n[:, j] for i in range(6) for j in range(i + 1, 6)]).T
    expected = {
        "mode_expectations": p @ n,
        "correlators": p @ pairs,
        "click_probabilities": p @ clicks,
        "click_patterns": p @ np.eye(len(patterns))[which],
    }
    for kind, values in expected.items():
        program = spec(matrices, state, sites, kind=kind, **options)
        np.testing.assert_allclose(simulator(program).run(phases), values, rtol=0, atol=1e-10)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("shots", [0, 40])
def test_batches_of_any_size_give_the_same_bits(precision, shots, monkeypatch):
    matrices, state, sites, _, _ = random_case(4)
    phases = np.random.default_rng(1).uniform(0, 6, (67, len(sites)))
    ids = np.arange(67, dtype=np.uint64) + (1 << 40)
    for profile in _core.simd_profiles():
        monkeypatch.setenv("PHOTONLINK_SIMD", profile)
        run = simulator(spec(matrices, state, sites, space="fock"), precision).run
        whole = run(phases, ids, 3, shots)
        for batch in (1, 2, 3, 5, 8, 16, 17, 33, 66):
            parts = [run(phases[i : i + batch], ids[i : i + batch], 3, shots) for i in range(0, 67, batch)]
            assert np.concatenate(parts).tobytes() == whole.tobytes()


@pytest.mark.parametrize("space", SPACES)
def test_sampled_frequencies_pass_a_chi_square_test(space):
    rng = np.random.default_rng(21)
    program = spec([haar(rng, 6)], [1, 0, 1, 0, 1, 0], space=space)
    phases, shots = np.zeros((1, 0)), 100_000
    exact = simulator(program).run(phases)[0]
    observables, details = simulator(program).run_report(phases, np.array([5], np.uint64), 8, shots)
    states, counts = details["counts"][0]
    assert counts.sum() == shots
    frequencies = np.zeros(len(exact))
    frequencies[states] = counts
    np.testing.assert_allclose(observables[0], frequencies / shots, rtol=0, atol=1e-12)
    errors = np.sqrt(observables[0] * (1 - observables[0]) / shots)
    np.testing.assert_allclose(details["standard_errors"][0], errors, rtol=0, atol=1e-9)
    common = exact * shots >= 5
    seen = np.append(frequencies[common], frequencies[~common].sum())
    due = np.append(exact[common], exact[~common].sum()) * shots
    present = due > 0
    p_value = stats.chisquare(seen[present], due[present] * (shots / due.sum())).pvalue
    assert p_value > 1e-4


def test_samples_depend_on_seed_and_id_only():
    program = spec([haar(np.random.default_rng(2), 5)], [1, 1, 1, 0, 0], kind="samples")
    run = simulator(program).run_report
    counts = {}
    for seed, first in [(0, 0), (0, 1), (1, 0)]:
        _, details = run(np.zeros((2, 0)), np.array([first, first + 1], np.uint64), seed, 64)
        counts[seed, first] = [(states.tolist(), n.tolist()) for states, n in details["counts"]]
    assert counts[0, 0][1] == counts[0, 1][0]
    assert counts[0, 0][0] != counts[0, 0][1]
    assert counts[0, 0][0] != counts[1, 0][0]


def test_impossible_post_selection_gives_zeros_and_refuses_to_sample():
    half = np.sqrt(0.5)
    program = spec([np.array([[half, half], [half, -half]])], [1, 1], space="unbunched")
    observables, details = simulator(program).run_report(np.zeros((1, 0)))
    assert observables.tolist() == [[0.0]]
    assert details["kept_fraction"].tolist() == [0.0]
    with pytest.raises(ProcessorError, match="no sample of row 0 can be kept"):
        simulator(program).run(np.zeros((1, 0)), shots=3)


def test_spec_shows_what_it_was_made_of():
    rng = np.random.default_rng(3)
    matrices, sites = np.array([haar(rng, 4), haar(rng, 4)]), [(0, 2), (0, 1)]
    program = spec(matrices, [1, 0, 2, 0], sites, grouping="lex", groups=7, interference=False, digest="abc")
    assert (program.modes, program.input, program.photons) == (4, [1, 0, 2, 0], 3)
    np.testing.assert_array_equal(program.interferometers, matrices)
    assert program.phase_layers.tolist() == [0, 0]
    assert program.phase_modes.tolist() == [2, 1]
    assert (program.readout_kind, program.space) == ("probabilities", "fock")
    assert (program.grouping, program.groups) == ("lex", 7)
    assert (program.interference, program.digest) == (False, "abc")
    with pytest.raises(AttributeError):
        program.modes = 5


def test_simulator_shows_its_sizes():
    made = simulator(spec([np.eye(12)], [1, 0] * 6), "float32")
    assert made.output_size == made.basis_size == _core.basis_size(12, 6, "fock") == 12376
    assert made.kernel_profile in _core.simd_profiles()
    assert made.memory_bytes >= _core.predict_bytes(spec([np.eye(12)], [1, 0] * 6), "float32")
    assert made.preferred_batch >= 1


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_results_go_into_the_callers_array(precision):
    matrices, state, sites, phases, space = random_case(4)
    made = simulator(spec(matrices, state, sites, space=space), precision)
    expected = made.run(phases)
    out = np.full_like(expected, np.nan)
    assert made.run(phases, out=out) is out
    np.testing.assert_array_equal(out, expected)
    for wrong in (
        out[:2],
        out.astype("float16"),
        np.asfortranarray(out),
        out[:, ::-1],
        np.broadcast_to(0.0, out.shape),
    ):
        kept = wrong.copy()
        with pytest.raises(ProgramError, match="expected"):
            made.run(phases, out=wrong)
        np.testing.assert_array_equal(wrong, kept)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: simulator(spec([2 * np.eye(2)], [1, 0])), r"not unitary: max \|U\^dagger U - 1\| is 3"),
        (lambda: spec([np.eye(3)], [1, 0]), r"shape \(1, 3, 3\); expected \(layers \+ 1, 2, 2\)"),
        (lambda: spec([np.eye(2)], [1, 0], kind="tomography"), 'unknown readout kind "tomography"; expected one of'),
        (lambda: spec([np.eye(2)], [1, 0], space="qubit"), "expected one of fock, unbunched, dual_rail"),
        (lambda: simulator(spec([np.eye(2)], [1, 0]), "float16"), "expected one of float32, float64"),
        (lambda: simulator(spec([np.eye(2)], [1, 0])).run(np.zeros((2, 3))), r"shape \(2, 3\); expected \(rows, 0\)"),
        (lambda: simulator(spec([np.eye(2)], [1, 0])).run(np.zeros((2, 0)), ids=np.zeros(1)), "1 ids for 2 rows"),
        (lambda: _core.Simulator(spec([np.eye(24)], [1, 0] * 12), "float64", GIB), "basis states in the fock space"),
        (lambda: _core.basis_states(64, 30, "fock"), "more than 4 GiB"),
    ],
)
def test_errors_say_what_was_received_and_expected(make, message):
    with pytest.raises(ProgramError, match=message):
        make()


def test_unknown_simd_profile_is_refused(monkeypatch):
    monkeypatch.setitem(os.environ, "PHOTONLINK_SIMD", "mmx")
    with pytest.raises(ProgramError, match="PHOTONLINK_SIMD"):
        simulator(spec([np.eye(2)], [1, 0]))


def encoding(wrap=False):
    """Phase 0 = 1 + 2 x1, phase 1 = 0.5, phase 2 = -x0 + 3 x1."""
    return _core.Encoding(2, [0, 1, 1, 3], [1, 0, 1], [2.0, -1.0, 3.0], [1.0, 0.5, 0.0], wrap)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("wrap", [False, True])
def test_encoding_is_an_affine_map(dtype, wrap):
    x = np.random.default_rng(4).normal(size=(9, 2)).astype(dtype)
    wide = x.astype(np.float64)
    expected = wide @ np.array([[0, 0, -1], [2, 0, 3.0]]) + np.array([1, 0.5, 0])
    phases = encoding(wrap).encode(x)
    assert phases.dtype == np.float64
    np.testing.assert_allclose(phases, expected % (2 * np.pi) if wrap else expected, rtol=0, atol=1e-12)


def test_encoding_names_the_feature_that_is_not_finite():
    x = np.zeros((3, 2))
    x[2, 1] = np.nan
    with pytest.raises(ProgramError, match="row 2, column 1"):
        encoding().encode(x)
    with pytest.raises(ProgramError, match=r"shape \(3, 5\); expected \(rows, 2\)"):
        encoding().encode(np.zeros((3, 5)))
