"""Fidelity kernels against MerLin and Perceval, and the two ways to get them against each other."""

import pickle

import numpy as np
import perceval as pcvl
import pytest

import photonlink as phl
from photonlink.errors import ProgramError
from photonlink.learn import FidelityKernel, merlin_kernel, project_psd
from photonlink.unitary import haar_unitary

STATE = [1, 0, 1, 0]


def circuit(modes=4, layers=2):
    """Random interferometers with a layer of phases, driven by three features, between each two of them."""
    built = pcvl.Circuit(modes)
    for layer in range(layers):
        built.add(0, pcvl.Unitary(pcvl.Matrix(haar_unitary(modes, layer))))
        for mode in range(3):
            built.add(mode, pcvl.PS(pcvl.P(f"px{layer * 3 + mode}")))
    return built.add(0, pcvl.Unitary(pcvl.Matrix(haar_unitary(modes, layers))))


@pytest.fixture(scope="module")
def feature_map():
    return phl.Program.from_perceval(circuit(), STATE, ["px"])


@pytest.fixture(scope="module")
def data():
    return np.random.default_rng(3).uniform(-2, 2, size=(9, 6))


# ---- MerLin


@pytest.mark.parametrize("space", ["fock", "unbunched", "dual_rail"])
@pytest.mark.parametrize("build", ["circuit", "builder"])
def test_kernels_are_those_of_merlin(build, space):
    merlin, torch = pytest.importorskip("merlin"), pytest.importorskip("torch")
    torch.manual_seed(5)
    if build == "builder":  # trainable meshes, and angles that are scaled and combined
        builder = merlin.CircuitBuilder(4)
        builder.add_entangling_layer(trainable=True, name="before")
        builder.add_angle_encoding([0, 1, 2], name="px", scale=0.7, subset_combinations=True, max_order=1)
        builder.add_entangling_layer(trainable=True, name="after")
        feature_map = merlin.FeatureMap(builder=builder, input_size=3, input_parameters=None, dtype="float64")
    else:
        feature_map = merlin.FeatureMap(circuit(), 6, input_parameters="px", dtype="float64")
    reference = merlin.FidelityKernel(feature_map, STATE, computation_space=space, dtype=torch.float64)
    kernel = merlin_kernel(reference)
    assert kernel.method == ("amplitudes" if space == "fock" else "uncompute")
    x = np.random.default_rng(1).uniform(-2, 2, size=(12, feature_map.input_size))
    np.testing.assert_allclose(kernel(x), reference(torch.from_numpy(x)).detach(), rtol=0, atol=1e-9)
    expected = reference(torch.from_numpy(x[:5]), torch.from_numpy(x[3:])).detach()
    np.testing.assert_allclose(kernel(x[:5], x[3:]), expected, rtol=0, atol=1e-9)


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")  # torch's, about MerLin's detectors
@pytest.mark.parametrize("threshold", [False, True])
@pytest.mark.parametrize(
    "noise",
    [
        {"indistinguishability": 0.7},
        {"brightness": 0.9, "transmittance": 0.8},
        {"indistinguishability": 0.9, "g2": 0.05},
    ],
    ids=str,
)
def test_noisy_kernels_are_those_of_merlin(noise, threshold):
    merlin, torch = pytest.importorskip("merlin"), pytest.importorskip("torch")
    experiment = pcvl.Experiment(circuit(), noise=pcvl.NoiseModel(**noise))
    for mode in range(4) if threshold else ():
        experiment.detectors[mode] = pcvl.Detector.threshold()
    feature_map = merlin.FeatureMap(experiment=experiment, input_size=6, input_parameters="px", dtype="float64")
    reference = merlin.FidelityKernel(feature_map, STATE)
    x = np.random.default_rng(2).uniform(-2, 2, size=(6, 6))
    expected = reference(torch.from_numpy(x[:2]), torch.from_numpy(x[2:])).detach()
    np.testing.assert_allclose(merlin_kernel(reference)(x[:2], x[2:]), expected, rtol=0, atol=1e-9)


def test_a_merlin_feature_map_alone_is_enough_without_weights():
    merlin, torch = pytest.importorskip("merlin"), pytest.importorskip("torch")
    feature_map = merlin.FeatureMap(circuit(), 6, input_parameters="px", dtype="float64")
    x = np.random.default_rng(1).uniform(-2, 2, size=(4, 6))
    expected = merlin.FidelityKernel(feature_map, n_photons=1)(torch.from_numpy(x)).detach()
    np.testing.assert_allclose(merlin_kernel(feature_map, n_photons=1)(x), expected, rtol=0, atol=1e-9)
    with pytest.raises(ProgramError, match="trainable parameters"):
        merlin_kernel(merlin.FeatureMap.simple(input_size=3))
    with pytest.raises(ProgramError, match="has its input state"):
        merlin_kernel(merlin.FidelityKernel(feature_map, n_photons=1), n_photons=1)
    with pytest.raises(ProgramError, match="expected a merlin"):
        merlin_kernel(feature_map.circuit)


# ---- Perceval


@pytest.mark.parametrize("noise", [{}, {"indistinguishability": 0.8, "g2": 0.05, "transmittance": 0.6}], ids=str)
def test_a_pair_is_what_perceval_computes_of_circuit_and_inverse(feature_map, data, noise):
    forward, back = circuit(), circuit()
    for built, x in ((forward, data[0]), (back, data[1])):
        for name, value in zip(feature_map.features, x, strict=True):
            built.param(name).set_value(value)
    whole = np.array(back.compute_unitary()).conj().T @ np.array(forward.compute_unitary())
    simulator = pcvl.simulators.Simulator(pcvl.SLOSBackend())
    simulator.set_circuit(pcvl.Unitary(pcvl.Matrix(whole)))
    simulator.set_precision(0)
    simulator.set_selection(min_detected_photons_filter=2)
    source = pcvl.Source.from_noise_model(pcvl.NoiseModel(**noise))
    result = simulator.probs_svd(source.generate_distribution(pcvl.BasicState(STATE), 0))["results"]
    kernel = FidelityKernel(feature_map.replace(noise=phl.Noise(**noise)), target="sim")
    expected = result[pcvl.BasicState(STATE)]
    np.testing.assert_allclose(kernel(data[:1], data[1:2]), [[expected]], rtol=0, atol=1e-9)


# ---- the two ways


@pytest.mark.parametrize("convention", ["states", "merlin"])
def test_amplitudes_and_uncomputing_agree(feature_map, data, convention):
    overlaps = FidelityKernel(feature_map, convention=convention)
    measured = FidelityKernel(feature_map, convention=convention, target="sim")
    assert (overlaps.method, measured.method) == ("amplitudes", "uncompute")
    np.testing.assert_allclose(overlaps(data), measured(data), rtol=0, atol=1e-13)
    np.testing.assert_allclose(overlaps(data[:4], data), measured(data[:4], data), rtol=0, atol=1e-13)
    assert measured.usage.tokens == 4 * 9
    assert measured.info.target == "sim"
    assert overlaps.usage is None
    rounded = FidelityKernel(feature_map, convention=convention, precision="float32")(data)
    assert rounded.dtype == np.float32
    np.testing.assert_allclose(rounded, overlaps(data), rtol=0, atol=2e-6)


def test_conventions_are_kernels_of_different_maps(feature_map, data):
    """MerLin's is that of the inverted circuit, so that a change of the last interferometer shows in it."""
    states, merlin = (FidelityKernel(feature_map, convention=c)(data) for c in ("states", "merlin"))
    assert abs(states - merlin).max() > 0.1


def test_exact_kernels_are_kernels(feature_map, data):
    matrix = FidelityKernel(feature_map)(data)
    np.testing.assert_array_equal(matrix, matrix.T)
    np.testing.assert_array_equal(np.diag(matrix), 1)
    assert np.linalg.eigvalsh(matrix).min() > -1e-12
    assert ((matrix >= 0) & (matrix <= 1)).all()
    np.testing.assert_allclose(FidelityKernel(feature_map)(data, data), matrix, rtol=0, atol=1e-13)


@pytest.mark.parametrize("rows", [3, 4, 10])
def test_little_memory_means_blocks(feature_map, data, rows):
    simulator = phl.AmplitudeSimulator(feature_map, space="fock", threads=1)
    limit = simulator.memory_bytes + rows * simulator.basis_size * 16
    small = FidelityKernel(feature_map, memory_limit=limit, threads=1)
    large = FidelityKernel(feature_map)
    np.testing.assert_allclose(small(data), large(data), rtol=0, atol=1e-14)
    np.testing.assert_array_equal(small(data), small(data).T)
    np.testing.assert_allclose(small(data, data[:5]), large(data, data[:5]), rtol=0, atol=1e-14)


def test_too_little_memory_is_refused(feature_map, data):
    least = phl.AmplitudeSimulator(feature_map, space="fock", threads=1).memory_bytes
    with pytest.raises(ProgramError, match="raise memory_limit"):
        FidelityKernel(feature_map, memory_limit=least + 100, threads=1)(data)


# ---- samples


def test_sampled_kernels_scatter_around_exact_ones(feature_map, data):
    exact, shots = FidelityKernel(feature_map)(data), 2000
    kernel = FidelityKernel(feature_map, shots=shots, seed=1, psd=False)
    sampled = kernel(data)
    assert kernel.method == "uncompute"
    np.testing.assert_array_equal(np.diag(sampled), 1)
    i, j = np.triu_indices(9, k=1)
    spread = np.sqrt(exact[i, j] * (1 - exact[i, j]) / shots)
    deviations = (sampled[i, j] - exact[i, j]) / spread
    assert abs(deviations).max() < 4.5  # 36 pairs
    assert 0.6 < deviations.std() < 1.5
    np.testing.assert_array_equal(kernel(data), sampled)  # the same seed
    assert (FidelityKernel(feature_map, shots=shots, seed=2, psd=False)(data) != sampled).any()


def test_sampled_kernels_are_made_positive_semidefinite(feature_map, data):
    near = 0.2 * data  # alike, so that samples easily contradict each other
    rough = FidelityKernel(feature_map, shots=5, psd=False)(near)
    assert np.linalg.eigvalsh(rough).min() < -1e-3
    smooth = FidelityKernel(feature_map, shots=5)(near)
    assert np.linalg.eigvalsh(smooth).min() > -1e-12
    np.testing.assert_array_equal(smooth, project_psd(rough))


def test_projection_is_the_nearest():
    """No other positive semidefinite matrix tried is nearer, and those that are one already stay."""
    generator = np.random.default_rng(8)
    a = generator.normal(size=(6, 6))
    projected = project_psd(a)
    symmetric = (a + a.T) / 2
    distance = np.linalg.norm(projected - symmetric)
    for size in (1e-3, 1e-2, 0.1, 1):
        for _ in range(50):
            root = np.linalg.cholesky(projected + 1e-9 * np.eye(6)) + size * generator.normal(size=(6, 6))
            assert np.linalg.norm(root @ root.T - symmetric) >= distance - 1e-6
    np.testing.assert_allclose(project_psd(projected), projected, atol=1e-13)
    assert project_psd(np.eye(2, dtype=np.float32)).dtype == np.float32
    with pytest.raises(ProgramError, match=r"shape \(2, 3\)"):
        project_psd(np.zeros((2, 3)))


def test_cost_on_a_chip(feature_map, data):
    kernel = FidelityKernel(feature_map, shots=1000)
    assert (kernel.settings(100), kernel.settings(100, 20)) == (4950, 2000)
    assert kernel.quantum_seconds(100) == pytest.approx(1 + 4950 * (0.02 + 1000 / 100e3))
    kernel(data)
    used = kernel.usage
    assert used.tokens == 36
    assert used.quantum_seconds + used.configuration_seconds == pytest.approx(kernel.quantum_seconds(9))
    with pytest.raises(ProgramError, match="no quantum time"):
        FidelityKernel(feature_map).quantum_seconds(100)


# ---- sessions


def test_a_with_statement_keeps_one_session(feature_map, data):
    with FidelityKernel(feature_map, target="sim") as kernel:
        kernel(data)
        kernel(data[:2], data)
        assert kernel.usage.tokens == 36 + 18
    assert kernel.usage.tokens == 36 + 18
    kernel(data)
    assert kernel.usage.tokens == 36


def test_an_open_session_is_used_and_left_open(feature_map, data):
    plain = FidelityKernel(feature_map, target="sim")
    with phl.reserve("sim", plain.program) as session:
        given = FidelityKernel(feature_map, target=session)
        np.testing.assert_array_equal(given(data), plain(data))
        assert session.usage.tokens == 36
        again = pickle.loads(pickle.dumps(given))
        np.testing.assert_array_equal(again(data), plain(data))  # on a session of its own
        assert session.usage.tokens == 36
        with pytest.raises(ProgramError, match="reserved with shots=None"):
            FidelityKernel(feature_map, target=session, shots=10)(data)
    with phl.reserve("sim", feature_map) as other, pytest.raises(ProgramError, match="the session executes"):
        FidelityKernel(feature_map, target=other)(data)


def test_no_pairs_need_no_session(feature_map, data):
    kernel = FidelityKernel(feature_map, target="sim")
    np.testing.assert_array_equal(kernel(data[:1]), [[1.0]])
    assert kernel(data[:0], data).shape == (0, 9)
    assert kernel.usage is None


def test_refusals(feature_map, data):
    with pytest.raises(ProgramError, match=r"expected a photonlink\.Program"):
        FidelityKernel("map")
    with pytest.raises(ProgramError, match="convention"):
        FidelityKernel(feature_map, convention="other")
    with pytest.raises(ProgramError, match="precision"):
        FidelityKernel(feature_map, precision="half")
    with pytest.raises(ProgramError, match="x1 has shape"):
        FidelityKernel(feature_map)(data[0])
    with pytest.raises(ProgramError, match="expected datapoints of 6 features"):
        FidelityKernel(feature_map)(data[:, :5])
    bunched = phl.Program.from_perceval(circuit(), [2, 0, 0, 0], ["px"], phl.Readout.probs("fock"))
    with pytest.raises(ProgramError, match="use space='fock'"):
        FidelityKernel(bunched, space="unbunched")(data)
