"""Models whose quantum layers run over the link: same outputs as MerLin, and the same model afterwards."""

import gc

import merlin
import numpy as np
import pytest
import torch
from merlin_models import LAYERS, Branches, built, features, from_circuit, hybrid
from random_layers import random_case
from torch import nn

import photonlink as phl
from photonlink.errors import LinkTimeout, ProgramError, SessionBusy, SessionClosed
from photonlink.merlin import Offloaded, OffloadedLayer, Processor, convert, offload
from photonlink.torch import QuantumLayer


@pytest.fixture(params=LAYERS)
def layer(request):
    return LAYERS[request.param](torch.float32)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-10)])
@pytest.mark.parametrize("kind", LAYERS)
def test_outputs_are_those_of_the_layer(kind, dtype, tolerance):
    layer = LAYERS[kind](dtype)
    x = features(layer)
    with torch.no_grad():
        expected, expected_single = layer(x), layer(x[0])
        with offload(layer, "sim") as offloaded:
            y, single = offloaded(x), offloaded(x[0])
            assert offloaded.output_size == expected.shape[1]  # MerLin's own says nothing of groups
    assert y.dtype == dtype
    assert (y - expected).abs().max() < tolerance
    assert single.shape == expected_single.shape
    assert (single - expected_single).abs().max() < tolerance


@pytest.mark.parametrize("seed", range(0, 40, 2))
def test_random_layers(seed):
    case = random_case(seed)
    layer = case.layer(torch.float64).eval()
    x = torch.empty(3, case.features, dtype=torch.float64).uniform_(-3, 3)
    with torch.no_grad(), Processor("sim") as processor, offload(layer, "sim") as offloaded:
        expected = layer(x)
        expected = getattr(expected, "tensor", expected)  # of partial measurements, the probabilities
        assert (offloaded(x) - expected).abs().max() < 1e-10
        assert torch.equal(processor.forward(layer, x), offloaded(x))


def test_a_model_and_its_way_back(layer):
    model, x = hybrid(layer), torch.rand(4, 5)
    with torch.no_grad():
        expected = model(x)
        offloaded = offload(model, "sim")
        assert isinstance(model[1], OffloadedLayer)
        assert (offloaded.model(x) - expected).abs().max() < 1e-6
        assert offloaded.restore() is model
        offloaded.restore()
        assert model[1] is layer
        assert torch.equal(model(x), expected)


def test_nested_and_shared_layers():
    model, x = Branches().eval(), torch.rand(7, 3)
    before = dict(model.named_modules(remove_duplicate=False))
    with torch.no_grad():
        expected = model(x)
        handle = offload(model, "sim")
        with handle as offloaded:
            assert (offloaded(x) - expected).abs().max() < 1e-6
            assert set(handle.sessions) == {"shared", "again", "inner.0.0", "inner.1"}
            assert handle.sessions["shared"] is handle.sessions["again"]
            assert len({id(session) for session in handle.sessions.values()}) == 3
            tokens = {path: session.usage.tokens for path, session in handle.sessions.items()}
    assert tokens == {"shared": 14, "again": 14, "inner.0.0": 7, "inner.1": 7}
    after = dict(model.named_modules(remove_duplicate=False))
    assert list(before) == list(after)
    assert all(after[path] is module for path, module in before.items())
    assert all(session.closed for session in handle.sessions.values())


def test_equal_programs_share_a_session():
    model = nn.Sequential(built(seed=4), nn.Linear(6, 3), built(seed=4)).eval()
    handle = offload(model, "sim")
    with handle:
        assert handle.sessions["0"] is handle.sessions["2"]


def test_modules_of_merlin_around_the_layer():
    torch.manual_seed(0)
    model, x = nn.Sequential(merlin.QuantumLayer.simple(3, output_size=4)).eval(), torch.rand(5, 3)
    with torch.no_grad():
        expected = model(x)
        with offload(model, "sim") as offloaded:
            assert (offloaded(x) - expected).abs().max() < 1e-6


def test_merlins_generator():
    model, x = (
        merlin.PhotonicGenerator(layers=[built()], output_adapter=merlin.VectorAdapter(6)).eval(),
        torch.rand(5, 3),
    )
    with torch.no_grad():
        expected = model(x)
        with offload(model, "sim") as offloaded:
            assert (offloaded(x) - expected).abs().max() < 1e-6


def test_samples_are_those_of_the_program():
    layer = built()
    x = features(layer)
    expected = convert(layer).program.simulate(x, precision="float32", shots=40, seed=3)
    with torch.no_grad(), offload(layer, "sim", shots=40, seed=3) as offloaded:
        assert np.array_equal(offloaded(x).numpy(), expected)
        assert offloaded(x, shots=40, sampling_method="multinomial").shape == expected.shape
        with pytest.raises(ProgramError, match=r"shots=50.*shots=40"):
            offloaded(x, shots=50)
        with pytest.raises(ProgramError, match="gaussian"):
            offloaded(x, sampling_method="gaussian")


def test_a_layer_without_inputs():
    builder = merlin.CircuitBuilder(4)
    builder.add_entangling_layer(trainable=True)
    layer = merlin.QuantumLayer(builder=builder, n_photons=2).eval()
    with torch.no_grad(), offload(layer, "sim") as offloaded:
        assert (offloaded() - layer()).abs().max() < 1e-6


def test_sequences():
    layer = built()
    x = features(layer, rows=6)
    with torch.no_grad(), offload(layer, "sim") as offloaded:
        assert torch.equal(offloaded(x.reshape(2, 3, 3)), offloaded(x).reshape(2, 3, 6))


@pytest.mark.usefixtures("compiler")
def test_compiled():
    model, x = hybrid(LAYERS["mod grouping"](torch.float32)), torch.rand(4, 5)
    with torch.no_grad():
        expected = model(x)
        with offload(model, "sim") as offloaded:
            compiled = torch.compile(offloaded, backend="aot_eager", fullgraph=True)
            assert (compiled(x) - expected).abs().max() < 1e-6
            assert (compiled(x[:3]) - expected[:3]).abs().max() < 1e-6


def test_autocast():
    model, x = hybrid(built()), torch.rand(4, 5)
    with torch.no_grad(), offload(model, "sim") as offloaded, torch.autocast("cpu", torch.bfloat16):
        assert offloaded(x).dtype == torch.bfloat16  # of the last Linear
        assert offloaded[:2](x).dtype == torch.float32


def test_layers_of_photonlink():
    torch.manual_seed(5)
    model, x = (
        nn.Sequential(nn.Linear(4, 3), QuantumLayer.simple(3, output_size=4), nn.Linear(4, 2)).eval(),
        torch.rand(3, 4),
    )
    with torch.no_grad():
        expected = model(x)
        with offload(model, "sim") as offloaded:
            assert isinstance(offloaded[1], OffloadedLayer)
            assert (offloaded(x) - expected).abs().max() < 1e-6


def test_weights_that_are_computed_from_others():
    class Halved(nn.Module):
        def forward(self, weights):
            return weights / 2

    layer, x = QuantumLayer.simple(3), torch.rand(3, 3)
    nn.utils.parametrize.register_parametrization(layer, "LI_simple", Halved())
    with torch.no_grad():
        expected = layer.eval()(x)
        with offload(layer, "sim") as offloaded:
            assert (offloaded(x) - expected).abs().max() < 1e-6


def test_inputs_one_by_one():
    layer = from_circuit()
    x = features(layer)
    with torch.no_grad(), offload(layer, "sim") as offloaded:
        assert (offloaded(x[:, :1], x[:, 1:]) - layer(x[:, :1], x[:, 1:])).abs().max() < 1e-6
        assert (offloaded(x.T.contiguous().T) - layer(x)).abs().max() < 1e-6  # rows that are not contiguous


# ---- where it runs


def test_a_given_session_must_execute_the_program(photonlink_session):
    layer = built()
    model = hybrid(layer)
    program = convert(layer).program
    session = photonlink_session(program, precision="float32")
    with torch.no_grad(), offload(model, session) as offloaded:
        assert offloaded(torch.rand(4, 5)).shape == (4, 2)
    assert not session.closed  # it is its owner's
    with torch.no_grad():
        next(layer.parameters()).add_(0.1)
    with pytest.raises(ProgramError, match=rf"(?s){program.digest[:8]}.*layer '1'"):
        offload(model, session)
    assert model[1] is layer


def test_results_of_a_given_session_have_the_dtype_of_the_layer(photonlink_session):
    layer = built()
    session = photonlink_session(convert(layer).program, precision="float64")
    with torch.no_grad(), offload(hybrid(layer), session) as offloaded:
        assert offloaded(torch.rand(4, 5)).dtype == torch.float32


def test_a_mapping_names_every_layer(photonlink_session):
    model, x = Branches().eval(), torch.rand(2, 3)
    session = photonlink_session(convert(model.inner[1]).program)
    with torch.no_grad():
        expected = model(x)
        with offload(model, {"shared": "sim", "inner.0.0": "sim", "inner.1": session}, seed=1) as offloaded:
            assert (offloaded(x) - expected).abs().max() < 1e-6
    assert session.usage.tokens == 2
    with pytest.raises(ProgramError, match=r"missing: \['inner.1'\], unknown: \['elsewhere'\]"):
        offload(model, {"shared": "sim", "inner.0.0": "sim", "elsewhere": "sim"})


def test_options_belong_to_sessions_that_are_reserved(photonlink_session):
    layer = built()
    with pytest.raises(ProgramError, match="shots"):
        offload(layer, photonlink_session(convert(layer).program), shots=10)
    with pytest.raises(ProgramError, match="where is 7"):
        offload(layer, 7)


def test_options_reach_the_session():
    with offload(built(), "sim", shots=10, preset="belenos", precision="float64") as offloaded:
        info = offloaded.session.info
        assert (info.preset, info.precision, offloaded.session.shots) == ("belenos", "float64", 10)


def test_a_refused_reservation_leaves_the_model_as_it_was():
    """The second layer finds the controller taken by the first."""
    model = Branches().eval()
    layers = [model.shared, model.inner[0][0], model.inner[1]]
    with phl.Controller() as one:
        with pytest.raises(SessionBusy):
            offload(model, "sim", controller=one)
        assert one.status()["state"] == "released"
    assert [model.shared, model.inner[0][0], model.inner[1]] == layers


def test_an_error_of_the_link_reaches_the_caller(photonlink_faulty):
    layer = built()
    faulty = photonlink_faulty("timeout", at=2)
    session = phl.reserve("sim", convert(layer).program, controller=faulty, timeout=0.3)
    with session, torch.no_grad(), offload(layer, session) as offloaded:
        offloaded(features(layer, rows=2))
        with pytest.raises(LinkTimeout):
            offloaded(features(layer, rows=2))


def test_nobody_has_to_keep_the_handle():
    model, x = hybrid(built()), torch.rand(4, 5)
    with torch.no_grad():
        expected = model(x)
        offload(model, "sim")
        gc.collect()
        assert (model(x) - expected).abs().max() < 1e-6
    assert isinstance(model[1], OffloadedLayer)


def test_after_the_end():
    handle = offload(hybrid(built()), "sim")
    layer = handle.model[1]
    handle.restore()
    with torch.no_grad(), pytest.raises(SessionClosed):
        layer(torch.rand(2, 3))


def test_somebody_elses_module_is_kept():
    model = hybrid(built())
    handle = offload(model, "sim")
    model[1] = other = nn.Identity()
    assert isinstance(handle, Offloaded)
    assert handle.restore()[1] is other
