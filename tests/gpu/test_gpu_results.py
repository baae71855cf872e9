"""What comes back to device memory is what the host gets, and what Perceval says."""

from pathlib import Path

import numpy as np
import pytest
from datapoint_ids import NEXT_IDS, ids

import photonlink as phl

FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("*.npz"))
TOLERANCE = {"float64": 1e-12, "float32": 1e-6}


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shots", [None, 300])
def test_results_are_those_of_the_host(xp, program, x, precision, dtype, shots):
    features = x.astype(dtype)
    with phl.reserve("sim", program, shots=shots, seed=11, precision=precision) as session:
        y = session.infer(xp.put(features))
        session.synchronize()
        assert isinstance(y, xp.kind)
        assert session.usage.tokens == len(x)
    expected = program.simulate(features.astype(float), precision=precision, shots=shots, seed=11, ids=ids(len(x)))
    found = xp.get(y)
    assert found.dtype == expected.dtype
    if shots:
        assert np.array_equal(found, expected)
    else:
        np.testing.assert_allclose(found, expected, rtol=TOLERANCE[precision], atol=TOLERANCE[precision] * 1e-2)


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_results_are_those_of_perceval(xp, path, precision):
    case = np.load(path)
    program = phl.Program.from_bytes(case["program"].tobytes())
    with phl.reserve("sim", program, precision=precision) as session:
        y = session.infer(xp.put(case["x"]))
        session.synchronize()
    np.testing.assert_allclose(xp.get(y), case["expected"], atol=1e-9 if precision == "float64" else 2e-6)


def test_there_are_fixtures():
    assert len(FIXTURES) == 3


@pytest.mark.parametrize("dac_bits", [0, 3, 12])
def test_a_device_encodes_as_the_host_does(xp, dac_bits):
    """Features to phases, bit for bit: a linear map with offsets, wrapped or rounded to the steps of a converter."""
    rng = np.random.default_rng(dac_bits)
    builder = phl.Program.layered(5, [1, 0, 1, 0, 1]).haar(1)
    builder = builder.phases(["a", "b", "c", "a", "b"], scale=rng.normal(size=5).tolist(), offset=0.3).haar(2)
    program = builder.phases(["c", "d"], scale=3.0).haar(3).build(phl.Readout.correlators("fock"), dac_bits=dac_bits)
    x = rng.normal(scale=20, size=(500, 4))
    with phl.reserve("sim", program, slots=256) as session:
        y = session.infer(xp.put(x))
        session.synchronize()
    assert np.array_equal(xp.get(y), program.simulate(x))


def test_single_datapoints_and_none(xp, program, x):
    with phl.reserve("sim", program) as session:
        y = session.infer(xp.put(x[0]))
        nothing = session.infer(xp.put(x[:0]))
        session.synchronize()
        assert y.shape == (20,)
        assert nothing.shape == (0, 20)
        assert session.usage.tokens == 1
    np.testing.assert_allclose(xp.get(y), program.simulate(x[0]), rtol=1e-12)


@pytest.mark.parametrize("slots", [1, 3, 64, 1024])
def test_any_number_of_slots(xp, program, x, slots):
    many = np.tile(x, (10, 1))
    with phl.reserve("sim", program, slots=slots) as session:
        y = session.infer(xp.put(many))
        session.synchronize()
        assert session.usage.tokens == len(many)
    np.testing.assert_allclose(xp.get(y), np.tile(program.simulate(x), (10, 1)), rtol=1e-12)


def test_long_acquisitions_are_split(xp, program, x):
    """Datapoints of 20 ms + 100 samples at 100 kHz, 21 ms each, waited for by the clock."""
    with phl.reserve("sim", program, shots=100, seed=2, clock="realtime") as session:
        y = session.infer(xp.put(x[:60]))
        session.synchronize()
    assert np.array_equal(xp.get(y), program.simulate(x[:60], shots=100, seed=2, ids=ids(60)))


def test_host_and_device_share_a_session(xp, program, x):
    with phl.reserve("sim", program, shots=50, seed=1) as session:
        on_host = session.infer(x)
        on_device = session.infer(xp.put(x))
        session.synchronize()
        again = session.infer(x)
        assert session.usage.tokens == 3 * len(x)
    assert np.array_equal(on_host, program.simulate(x, shots=50, seed=1))
    assert np.array_equal(xp.get(on_device), program.simulate(x, shots=50, seed=1, ids=ids(len(x), NEXT_IDS)))
    assert np.array_equal(again, program.simulate(x, shots=50, seed=1, ids=ids(len(x), len(x))))


def test_tensors_that_cannot_be_used_are_refused(program, x):
    torch = pytest.importorskip("torch")
    features = torch.from_numpy(x).cuda()
    with phl.reserve("sim", program) as session:
        for wrong, words in [
            (features.clone().requires_grad_(), "detach"),
            (features.half(), "float16"),
            (features.bfloat16(), "bfloat16"),
            (features.T.contiguous().T, "contiguous"),
            (features[:, :5], r"shape \(200, 5\)"),
        ]:
            with pytest.raises(phl.errors.ProgramError, match=words):
                session.infer(wrong)
        with pytest.raises(phl.errors.ProgramError, match="host memory"):
            session.infer(features, out=np.empty((200, 20)))
        with pytest.raises(phl.errors.ProgramError, match="device memory"):
            session.infer(x, out=torch.empty(200, 20, dtype=torch.float64, device="cuda"))
        session.synchronize()
        assert session.usage.tokens == 0
