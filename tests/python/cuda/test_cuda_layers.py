"""Torch layers whose tensors lie on a device, around a stand-in for the simulator there; tensors are the CPU's."""

import types

import numpy as np
import pytest

import photonlink as phl
from photonlink.cuda._frameworks import FRAMEWORKS
from photonlink.errors import ProgramError, SessionClosed

torch = pytest.importorskip("torch")
pytest.importorskip("perceval")

from photonlink.torch import QuantumLayer, _runtime  # noqa: E402
from photonlink.torch._device_engine import DeviceEngine  # noqa: E402
from photonlink.torch._engines import NativeEngine, OpenedEngine  # noqa: E402

HERE = torch.device("cpu", 0)
CUDA = torch.device("cuda", 0)
PRECISION = {torch.float32: "float32", torch.float64: "float64"}
TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-12}
READOUTS = [
    phl.Readout.probs("unbunched"),
    phl.Readout.probs("fock", phl.ModGrouping(4)),
    phl.Readout.correlators("fock"),
    phl.Readout.mode_expectations("unbunched"),
]


@pytest.fixture(autouse=True)
def _stream(monkeypatch):
    monkeypatch.setattr(FRAMEWORKS["torch"], "current_stream", lambda _device: 19, raising=False)


@pytest.fixture(params=range(len(READOUTS)), ids=lambda k: f"{READOUTS[k].kind}-{READOUTS[k].space}")
def readout(request):
    return READOUTS[request.param]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_values_and_gradients_are_those_of_the_cpu(double, readout, dtype):
    """The engine on the device computes every trainable angle as a phase, the one on the CPU as an interferometer."""
    torch.manual_seed(3)
    trainable = _layer(readout).trainable
    here = DeviceEngine(trainable, PRECISION[dtype], HERE)
    reference = NativeEngine(trainable, PRECISION[dtype])
    x, values = torch.rand(7, 3, dtype=dtype) * 4, torch.randn(len(trainable.parameters), dtype=dtype)
    y = here.value(x, values)
    expected = reference.value(x, values)
    tolerance = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype]}
    torch.testing.assert_close(y, expected, **tolerance)
    cotangent = torch.randn_like(expected)
    for mine, theirs in zip(here.vjp(x, values, cotangent), reference.vjp(x, values, cotangent), strict=True):
        assert mine.dtype == dtype
        torch.testing.assert_close(mine, theirs, **{name: 20 * size for name, size in tolerance.items()})
    (simulator,) = double.simulators  # new weights need no other one
    assert simulator.streams == [19, 19]
    assert simulator.waits == []
    here.close()
    assert simulator.closed


def _layer(readout):
    import perceval as pcvl

    circuit = pcvl.Circuit(4)
    for mode in (0, 2, 1):
        circuit.add(mode, pcvl.BS(theta=pcvl.P(f"theta{mode}")))
        circuit.add(mode, pcvl.PS(pcvl.P(f"px{mode}")))
    circuit.add(0, pcvl.BS()).add(2, pcvl.BS()).add(1, pcvl.BS(theta=pcvl.P("theta_last")))
    return QuantumLayer(
        circuit=circuit,
        input_state=[1, 0, 1, 0],
        input_parameters=["px"],
        trainable_parameters=["theta"],
        measurement_strategy=readout,
    )._layer


def test_programs_without_weights(double):
    program = phl.Program.reservoir(5, 2, features=5, seed=2)
    engine = DeviceEngine(QuantumLayer(program=program)._layer.trainable, "float64", HERE)
    x, none = torch.rand(4, 10, dtype=torch.float64)[:, ::2], torch.empty(0, dtype=torch.float64)
    np.testing.assert_allclose(engine.value(x, none).numpy(), program.simulate(x.numpy()), rtol=1e-12)
    features, weights = engine.vjp(x, none, torch.ones(4, program.output_size).double())
    assert features.abs().max() < 1e-12  # probabilities add up to one
    assert weights.shape == (0,)
    assert engine.value(x[:0], none).shape == (0, program.output_size)
    assert engine.vjp(x[:0], none, torch.ones(0, program.output_size))[0].shape == (0, 5)
    assert len(double.simulators[0].streams) == 2
    engine.close()
    with pytest.raises(SessionClosed):
        engine.value(x, none)


def test_a_failed_row_is_raised_by_the_next_call(double):
    engine = DeviceEngine(_layer(READOUTS[0]).trainable, "float64", HERE)
    x, values = torch.rand(3, 3, dtype=torch.float64), torch.zeros(4, dtype=torch.float64)
    x[1, 2] = torch.nan
    y = engine.value(x, values)
    assert torch.isnan(y).any(1).tolist() == [False, True, False]
    with pytest.raises(ProgramError, match="a feature of row 1 is not finite"):
        engine.value(x, values)
    assert len(double.simulators[0].streams) == 1


@pytest.mark.parametrize("target", ["sim", "sim:cuda"])
def test_exact_layers_on_a_device_are_computed_there(monkeypatch, target):
    made = []

    class Engine(DeviceEngine):
        def __init__(self, *arguments):
            made.append(arguments)

        def close(self):
            made.append("closed")

    monkeypatch.setattr(_runtime, "DeviceEngine", Engine)
    layer = QuantumLayer.simple(3, target=target)
    x = types.SimpleNamespace(device=CUDA, is_cpu=False, is_cuda=True, dtype=torch.float32)
    engine = layer._runtime.engine(x, 0)
    assert isinstance(engine, Engine)
    assert layer._runtime.engine(x, 0) is engine
    assert made == [(layer._layer.trainable, "float32", CUDA)]
    engine.require_gradients(CUDA)
    layer.close()
    assert made[-1] == "closed"
    assert layer._runtime.engine(x, 0) is not engine


def test_others_take_a_session(photonlink_session):
    noisy = QuantumLayer(program=phl.Program.reservoir(4, 2, features=4, noise=phl.Noise(transmittance=0.9)))
    sampled = QuantumLayer(program=phl.Program.reservoir(4, 2, features=4))
    bound = QuantumLayer(session=photonlink_session(phl.Program.reservoir(4, 2, features=4)))
    x = types.SimpleNamespace(device=CUDA, is_cpu=False, is_cuda=True, dtype=torch.float64)
    assert isinstance(noisy._runtime.engine(x, 0), OpenedEngine)
    assert isinstance(sampled._runtime.engine(x, 10), OpenedEngine)
    assert bound._runtime.engine(x, 0) is bound._runtime._bound
    noisy.close()
    sampled.close()


def test_a_layer_with_tensors_of_the_cpu_reserves_the_device(double):
    """Shots and weights go to one session, as on any other target; it ends with the layer."""
    layer = QuantumLayer.simple(3, target="sim:cuda", dtype=torch.float64)
    reference = QuantumLayer.simple(3, dtype=torch.float64)
    reference.load_state_dict(layer.state_dict())
    x = torch.rand(4, 3, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), reference(x), rtol=1e-9, atol=1e-12)
        assert layer(x, shots=100).shape == reference(x).shape
    layer.close()
    assert [simulator.closed for simulator in double.simulators] == [True, True]
