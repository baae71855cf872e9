"""Torch layers whose tensors lie on the device: as on the host, in the stream and in a graph."""

import copy

import pytest

import photonlink as phl
from photonlink.errors import ProgramError

torch = pytest.importorskip("torch")
pytest.importorskip("perceval")

from photonlink.torch import QuantumLayer  # noqa: E402

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}


@pytest.fixture(params=[torch.float32, torch.float64], ids=str)
def trained(request):
    """A layer with trainable meshes, on the host."""
    torch.manual_seed(4)
    layer = QuantumLayer.simple(input_size=5, dtype=request.param)
    yield layer
    layer.close()


def test_a_layer_computes_on_the_device_what_it_computes_on_the_host(trained):
    x = torch.rand(64, 5, dtype=trained.dtype)
    moved = copy.deepcopy(trained).cuda()
    with torch.no_grad():
        y = moved(x.cuda())
        assert y.is_cuda
        assert y.dtype == trained.dtype
        tolerance = TOLERANCE[trained.dtype]
        torch.testing.assert_close(y.cpu(), trained(x), rtol=tolerance, atol=tolerance)
        moved.LI_simple.add_(0.1)  # other weights are other phases, and no new simulator
        trained.LI_simple.add_(0.1)
        torch.testing.assert_close(moved(x.cuda()).cpu(), trained(x), rtol=tolerance, atol=tolerance)
    moved.close()


def test_gradients_on_the_device_are_those_of_the_host(trained):
    x = torch.rand(16, 5, dtype=trained.dtype)
    moved = copy.deepcopy(trained).cuda()
    here, there = x.clone().requires_grad_(), x.cuda().requires_grad_()
    weights = torch.rand(16, trained.output_size, dtype=trained.dtype)
    (trained(here) * weights).sum().backward()
    (moved(there) * weights.cuda()).sum().backward()
    assert there.grad.is_cuda
    tolerance = {"rtol": 20 * TOLERANCE[trained.dtype], "atol": 20 * TOLERANCE[trained.dtype]}
    torch.testing.assert_close(there.grad.cpu(), here.grad, **tolerance)
    for name, parameter in moved.named_parameters():
        torch.testing.assert_close(parameter.grad.cpu(), trained.get_parameter(name).grad, **tolerance)
    moved.close()


def test_a_step_of_training_in_a_graph(trained):
    """Forward and backward wait for nothing, so that a graph can hold both."""
    moved = copy.deepcopy(trained).cuda()
    x = torch.rand(16, 5, dtype=trained.dtype, device="cuda")
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            moved.zero_grad(set_to_none=True)
            moved(x)[:, 0].sum().backward()
    torch.cuda.current_stream().wait_stream(side)
    moved.zero_grad(set_to_none=True)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        moved(x)[:, 0].sum().backward()
    x.uniform_()
    graph.replay()
    trained.zero_grad()
    trained(x.cpu())[:, 0].sum().backward()
    tolerance = {"rtol": 20 * TOLERANCE[trained.dtype], "atol": 20 * TOLERANCE[trained.dtype]}
    for name, parameter in moved.named_parameters():
        torch.testing.assert_close(parameter.grad.cpu(), trained.get_parameter(name).grad, **tolerance)
    moved.close()


def test_gradients_from_sessions_are_refused_before_anything_runs():
    """Shifted settings are put together in host memory."""
    layer = QuantumLayer(program=phl.Program.reservoir(4, 2, features=4, noise=phl.Noise(transmittance=0.9)))
    moved = layer.cuda()
    with pytest.raises(ProgramError, match="train on the CPU"):
        moved(torch.rand(2, 4, device="cuda", requires_grad=True))
    moved.close()


def test_a_model_with_a_bound_layer_is_captured_once(program):
    options = {"device": "cuda", "dtype": torch.float32}
    with phl.reserve("sim", program, precision="float32") as session, torch.no_grad():
        layer = QuantumLayer(session=session).cuda()
        model = torch.nn.Sequential(torch.nn.Linear(16, 6, **options), layer, torch.nn.Linear(20, 3, **options))
        pixels = torch.rand(32, 16, **options)
        session.device_link()
        model(pixels)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            scores = model(pixels)
        for _ in range(3):
            pixels.uniform_()
            graph.replay()
            session.synchronize()
            observables = program.simulate(model[0](pixels).cpu().numpy(), precision="float32")
            torch.testing.assert_close(scores, model[2](torch.from_numpy(observables).cuda()), rtol=1e-4, atol=1e-4)
