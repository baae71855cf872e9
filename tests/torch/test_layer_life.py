"""Copies, files, devices, precisions and compilers: a layer is an ordinary module."""

import copy
import io
import pickle

import perceval as pcvl
import pytest
import torch

import photonlink as phl
from photonlink.errors import ProgramError
from photonlink.torch import QuantumLayer
from photonlink.torch import _runtime as runtime


def make(**arguments):
    return QuantumLayer.simple(input_size=4, dtype=torch.float64, **arguments)


@pytest.fixture
def x():
    return torch.rand(3, 4, dtype=torch.float64)


def test_copies_are_equal_and_apart(x):
    layer = make()
    y = layer(x)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(other(x), y)
        with torch.no_grad():
            other.LI_simple.add_(0.5)
        assert not torch.allclose(other(x), y)
        assert torch.equal(layer(x), y)


def test_files(x):
    model = torch.nn.Sequential(torch.nn.Linear(4, 4, dtype=torch.float64), make())
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other = torch.nn.Sequential(torch.nn.Linear(4, 4, dtype=torch.float64), make())
    assert not torch.allclose(other(x), model(x))
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other(x), model(x))
    assert set(model.state_dict()) == {"0.weight", "0.bias", "1.LI_simple", "1.RI_simple"}


def test_an_optimiser_steps_and_the_program_follows(x):
    layer = make()
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.05)
    target = torch.softmax(torch.rand(3, 10, dtype=torch.float64), 1)
    losses = []
    for _ in range(40):
        optimiser.zero_grad()
        loss = ((layer(x) - target) ** 2).sum()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert abs(layer.program.simulate(x.numpy()) - layer(x).detach().numpy()).max() < 1e-12


def test_writing_into_data_is_noticed(x):
    layer = make()
    before = layer(x)
    layer.LI_simple.data.add_(0.3)  # past autograd's version counter
    assert not torch.allclose(layer(x), before)


def test_precisions(x):
    layer = make()
    exact = layer(x)
    assert layer.float() is layer
    assert layer.dtype == torch.float32
    assert layer(x.float()).dtype == torch.float32
    assert (layer(x.float()) - exact).abs().max() < 1e-6
    with pytest.raises(ProgramError, match=r"torch\.float16, expected"):
        layer.half()
    assert layer.dtype == layer.LI_simple.dtype == torch.float32  # and nothing was converted half-way
    assert (layer.double()(x) - exact).abs().max() < 1e-6  # weights were rounded once


def test_devices(x):
    """Away and back: the second call after a move. (The meta device holds no numbers, but moves like any other.)"""
    layer = make()
    y = layer(x)
    weights = layer.state_dict()
    layer.to("meta")
    assert layer.device == torch.device("meta")
    with pytest.raises(ProgramError, match="on cpu and the layer on meta"):
        layer(x)
    layer.to_empty(device="cpu").load_state_dict(weights)
    assert torch.equal(layer(x), y)
    assert torch.equal(layer(x), y)


def test_a_layer_can_be_made_on_a_device():
    assert make(device="meta").LI_simple.device == torch.device("meta")


def test_autocast_keeps_the_layers_precision():
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), QuantumLayer.simple(input_size=4), torch.nn.Linear(10, 2))
    x = torch.rand(3, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden = model[0](x)
        assert hidden.dtype == torch.bfloat16
        y = model[1](hidden)
        assert y.dtype == torch.float32
        model(x).float().sum().backward()
    assert torch.equal(y, model[1](hidden.float()))
    assert model[0].weight.grad is not None
    with pytest.raises(ProgramError, match="bfloat16"):
        model[1](hidden)


@pytest.mark.parametrize("readout", [phl.Readout.probs("fock"), phl.Readout.mode_expectations("unbunched")])
@pytest.mark.usefixtures("compiler")
def test_compiled_in_one_graph(readout):
    circuit = pcvl.Circuit(3) // pcvl.BS(theta=pcvl.P("theta")) // (0, pcvl.PS(pcvl.P("px"))) // (1, pcvl.BS())
    layer = QuantumLayer(
        circuit=circuit,
        input_state=[1, 1, 0],
        trainable_parameters=["theta"],
        input_parameters=["px"],
        measurement_strategy=readout,
        dtype=torch.float64,
    )
    model = torch.nn.Sequential(torch.nn.Linear(2, 1, dtype=torch.float64), layer)
    x = torch.rand(4, 2, dtype=torch.float64)
    y = model(x)
    y[:, 0].sum().backward()
    expected = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    assert torch.allclose(compiled(x), y)
    compiled(x)[:, 0].sum().backward()
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        assert torch.allclose(parameter.grad, gradient)


def test_the_operator_is_registered_soundly(x):
    layer = make()
    values = layer._values().detach().requires_grad_()
    arguments = (x.requires_grad_(), values, layer._runtime.handle, 0)
    torch.library.opcheck(
        torch.ops.photonlink.observables,
        arguments,
        test_utils=("test_schema", "test_autograd_registration", "test_faketensor"),
    )
    assert torch.equal(runtime.observables(x, values, layer._runtime, 0), torch.ops.photonlink.observables(*arguments))


def test_parallel_threads_take_turns(x):
    from concurrent.futures import ThreadPoolExecutor

    layer = make()
    with torch.no_grad(), ThreadPoolExecutor(4) as pool:
        expected = layer(x)
        results = list(pool.map(lambda _: layer(x).detach(), range(40)))
    assert all(torch.equal(y, expected) for y in results)
