"""Torch layers whose tensors lie on the device: as on the host, in the stream and in a graph, without gradients."""

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
        moved.LI_simple.add_(0.1)  # other weights are other phases, and no new configuration
        trained.LI_simple.add_(0.1)
        torch.testing.assert_close(moved(x.cuda()).cpu(), trained(x), rtol=tolerance, atol=tolerance)
    moved.close()


def test_gradients_on_the_device_are_refused_before_anything_runs(trained):
    moved = copy.deepcopy(trained).cuda()
    with pytest.raises(ProgramError, match="train on the CPU"):
        moved(torch.rand(2, 5, dtype=trained.dtype, device="cuda"))
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
