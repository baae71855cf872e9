"""The estimators among scikit-learn's own: its checks, pipelines, clones, pickles; the reservoir against MerLin's."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import estimator_checks_generator

import photonlink as phl
from photonlink.errors import ProgramError
from photonlink.learn import FidelityKernel, KernelTransformer, PhotonicReservoir
from photonlink.unitary import haar_unitary


def checks():
    """All of scikit-learn's, but that of array libraries other than numpy, which has to be switched on to run."""
    for estimator in (PhotonicReservoir(), PhotonicReservoir(concatenate=False), KernelTransformer()):
        for tested, check in estimator_checks_generator(estimator):
            name = check.func.__name__
            if name != "check_array_api_input":
                yield pytest.param(tested, check, id=f"{estimator!r}-{name}")


@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def iris():
    x, y = load_iris(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    return x[order], y[order]


# ---- KernelTransformer


def test_the_training_matrix_is_symmetric_and_the_other_rectangular(iris):
    x = MinMaxScaler().fit_transform(iris[0])
    transformer = KernelTransformer(photons=2, seed=3)
    train = transformer.fit_transform(x[:40])
    kernel = FidelityKernel(phl.Program.reservoir(5, 2, features=4, seed=3))
    np.testing.assert_array_equal(train, kernel(x[:40]))
    np.testing.assert_array_equal(transformer.transform(x[40:60]), kernel(x[40:60], x[:40]))
    np.testing.assert_array_equal(transformer.transform(x[:40]), train)
    assert transformer.get_feature_names_out()[39] == "kerneltransformer39"


def test_a_support_vector_machine_sees_the_kernel(iris):
    """The same machine with the kernel as a function decides the same."""
    x, y = MinMaxScaler().fit_transform(iris[0]), iris[1]
    program = phl.Program.reservoir(5, 3, features=4, seed=5)
    piped = make_pipeline(KernelTransformer(program), SVC(kernel="precomputed")).fit(x[:100], y[:100])
    called = SVC(kernel=FidelityKernel(program)).fit(x[:100], y[:100])
    np.testing.assert_array_equal(piped.predict(x[100:]), called.predict(x[100:]))
    assert piped.score(x[100:], y[100:]) > 0.9


def test_a_grid_search_takes_it(iris):
    model = make_pipeline(MinMaxScaler(), KernelTransformer(seed=1), SVC(kernel="precomputed"))
    search = GridSearchCV(model, {"kerneltransformer__photons": [1, 2], "svc__C": [1.0, 10.0]}, cv=3)
    assert search.fit(*iris).best_score_ > 0.85


def test_a_sampled_kernel_on_a_target(iris):
    x = MinMaxScaler().fit_transform(iris[0])[:12]
    transformer = KernelTransformer(target="sim", shots=200, seed=2, options={"preset": "article"})
    matrix = transformer.fit_transform(x)
    assert transformer.usage.tokens == 66
    assert transformer.usage.quantum_seconds == pytest.approx(66 * (0.02 + 200 / 100e3))
    assert np.linalg.eigvalsh(matrix).min() > -1e-12
    np.testing.assert_array_equal(transformer.transform(x), matrix)


def test_merlin_feature_maps_are_taken(iris):
    merlin, torch = pytest.importorskip("merlin"), pytest.importorskip("torch")
    torch.manual_seed(1)
    reference = merlin.FidelityKernel(merlin.FeatureMap.simple(4, dtype="float64"), n_photons=2)
    x = MinMaxScaler().fit_transform(iris[0])[:20]
    found = KernelTransformer(reference).fit(x[:10]).transform(x[10:])
    expected = reference(torch.from_numpy(x[10:]), torch.from_numpy(x[:10])).detach()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


# ---- PhotonicReservoir


@pytest.mark.parametrize("photons", [1, 3])
@pytest.mark.parametrize("reduced", [False, True])
def test_features_are_those_of_merlins_reservoir(photons, reduced):
    merlin, torch = pytest.importorskip("merlin"), pytest.importorskip("torch")
    x, y = load_digits(return_X_y=True)
    x = x[:200].astype(np.float32)
    x, reduction = (x, PCA(6, svd_solver="full")) if reduced else (x[:, 18:26], None)
    reference = merlin.ReservoirClassifier(
        in_features=x.shape[1],
        out_features=10,
        n_photons=photons,
        reduction=reduction,
        seed=4,
        dtype=torch.float64,
    )
    reference.fit_reservoir(x[:140])
    ours = PhotonicReservoir(photons, unitary=reference._unitary_matrix, reduction=reduction)
    train = ours.fit_transform(x[:140])
    expected = reference.make_dataset(x[:140], y[:140]).tensors[0].numpy()
    np.testing.assert_allclose(train, expected, rtol=0, atol=1e-5)
    expected = reference.transform_reservoir(x[140:]).numpy()
    np.testing.assert_allclose(ours.transform(x[140:])[:, x.shape[1] :], expected, rtol=0, atol=1e-5)


def test_parts_of_the_features(iris):
    x = iris[0]
    plain = PhotonicReservoir(2, seed=1, scale=2.0, standardise=False, concatenate=False, modes=6).fit(x)
    scaled = 2.0 * (x - x.min()) / (x.max() - x.min() + 1e-8)
    unitary = haar_unitary(6, 1)
    program = phl.Program.layered(6, [1, 0, 0, 0, 0, 1]).interferometer(unitary).phases(["a", "b", "c", "d"])
    program = program.interferometer(unitary).build(phl.Readout.probs())
    observed = program.simulate(scaled)
    np.testing.assert_allclose(plain.transform(x), observed, rtol=0, atol=1e-14)
    standard = PhotonicReservoir(2, seed=1, scale=2.0, concatenate=False, modes=6).fit(x).transform(x)
    np.testing.assert_allclose(standard, (observed - observed.mean(0)) / (observed.std(0) + 1e-8), atol=1e-9)
    both = PhotonicReservoir(2, seed=1, scale=2.0, modes=6).fit_transform(x)
    np.testing.assert_array_equal(both, np.hstack([x, standard]))
    assert PhotonicReservoir(2, precision="float32").fit_transform(x).dtype == np.float32


def test_distinguishable_and_noisy_photons_are_controls(iris):
    x = iris[0]
    same = {"photons": 2, "seed": 1, "concatenate": False, "standardise": False}
    ideal = PhotonicReservoir(**same).fit_transform(x)
    apart = PhotonicReservoir(**same, interference=False).fit_transform(x)
    noisy = PhotonicReservoir(**same, noise=phl.Noise(indistinguishability=0.0)).fit_transform(x)
    assert abs(ideal - apart).max() > 0.01
    np.testing.assert_allclose(apart, noisy, rtol=0, atol=1e-12)


def test_a_reservoir_in_a_pipeline(iris):
    model = make_pipeline(PhotonicReservoir(2, scale=3.0, seed=1), RidgeClassifier())
    assert cross_val_score(model, *iris, cv=3).mean() > 0.85


# ---- sessions


def test_a_with_statement_keeps_one_session(iris):
    x = iris[0]
    with PhotonicReservoir(2, seed=1, shots=100) as reservoir:
        reservoir.fit(x)
        reservoir.transform(x[:10])
        assert reservoir.usage.tokens == 160
        assert reservoir.info.simulated
        assert reservoir.usage.quantum_seconds > 160 * 0.02 * 0.9
    reservoir.transform(x[:10])
    assert reservoir.usage.tokens == 10
    reservoir.close()


def test_an_open_session_is_shared_by_clones_and_left_behind_by_pickles(iris):
    x = iris[0]
    program = PhotonicReservoir(2, seed=1).fit(x).program_
    with phl.reserve("sim", program) as session:
        reservoir = PhotonicReservoir(2, seed=1, target=session)
        expected = reservoir.fit_transform(x)
        twin = clone(reservoir)
        assert twin.target is session
        np.testing.assert_array_equal(twin.fit_transform(x), expected)
        assert session.usage.tokens == 300
        copied = pickle.loads(pickle.dumps(reservoir))
        assert copied.target == "sim"
        np.testing.assert_array_equal(copied.transform(x), expected)
        assert session.usage.tokens == 300
        with pytest.raises(ProgramError, match="the session executes"):
            PhotonicReservoir(1, target=session).fit(x)


def test_two_reservoirs_on_sim_do_not_wait_for_each_other(iris):
    with PhotonicReservoir(1) as one, PhotonicReservoir(2) as two:
        one.fit(iris[0])
        two.fit(iris[0])
        assert one.usage.tokens == two.usage.tokens == 150


# ---- refusals


def test_refusals(iris):
    x = iris[0]
    with pytest.raises(NotFittedError):
        PhotonicReservoir().transform(x)
    with pytest.raises(NotFittedError):
        KernelTransformer().transform(x)
    with pytest.raises(ProgramError, match=r"PCA\(2\)"):
        PhotonicReservoir(1, modes=3).fit(x)
    with pytest.raises(ProgramError, match="9 photons do not fit"):
        PhotonicReservoir(9).fit(x)
    with pytest.raises(ProgramError, match=r"unitary has shape \(3, 3\)"):
        PhotonicReservoir(1, modes=5, unitary=np.eye(3)).fit(x)
    with pytest.raises(phl.errors.TargetUnavailable, match="unknown target"):
        PhotonicReservoir(target="nowhere").fit(x)
    with pytest.raises(ProgramError, match="expected datapoints of 3 features"):
        KernelTransformer(phl.Program.reservoir(4, 2, features=3)).fit_transform(x)
