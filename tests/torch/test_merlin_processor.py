"""``photonlink.merlin.Processor`` beside MerLin's own processor where that one is right, and beside the layers."""

import merlin
import numpy as np
import perceval as pcvl
import pytest
import torch
from merlin import LexGrouping, MeasurementStrategy, ModGrouping
from merlin_models import FOCK, UNBUNCHED, Residual, built, memristive, sequential
from torch import nn

from photonlink.errors import ProgramError
from photonlink.merlin import Processor, convert


@pytest.fixture
def processor():
    with Processor("sim") as opened:
        yield opened


@pytest.fixture(scope="module")
def merlins():
    with merlin.MerlinProcessor(processor=pcvl.Processor("SLOS", 4)) as opened:
        yield opened


# ---- results


def test_agrees_with_merlins_processor(processor, merlins):
    """Probabilities of the Fock space without grouping or scale: there, MerLin's returns what the layer returns."""
    layer, x = built(MeasurementStrategy.probs(FOCK)), torch.rand(3, 3)
    assert (processor.forward(layer, x) - merlins.forward(layer, x)).abs().max() < 1e-6


def test_agrees_with_merlins_processor_but_for_the_post_selected_norm(processor, merlins):
    """The layer renormalises within its space; MerLin's processor does not, where it has exact probabilities."""
    layer, x = built(MeasurementStrategy.probs(UNBUNCHED)), torch.rand(3, 3)
    theirs = merlins.forward(layer, x)
    assert (processor.forward(layer, x) - theirs / theirs.sum(1, keepdim=True)).abs().max() < 1e-6


def test_walks_a_sequence_as_merlins_processor_does(processor, merlins):
    model, x = sequential(MeasurementStrategy.probs(FOCK)), torch.rand(2, 5)
    theirs, ours = merlins.forward_async(model, x), processor.forward_async(model, x)
    assert (ours.wait() - theirs.wait()).abs().max() < 1e-6
    assert set(ours.status()) == set(theirs.status())
    assert ours.status()["state"] == theirs.status()["state"] == "COMPLETE"
    assert isinstance(ours, torch.futures.Future)


@pytest.mark.parametrize(
    "layer",
    [
        built(scale=np.pi),
        built(MeasurementStrategy.mode_expectations(UNBUNCHED)),
        built(MeasurementStrategy.probs(UNBUNCHED, ModGrouping(6, 4)), scale=0.5),
        built(MeasurementStrategy.probs(FOCK, LexGrouping(10, 3)), scale=np.pi),
    ],
    ids=["scale", "mode expectations", "mod grouping", "lex grouping"],
)
def test_strategy_grouping_and_scale_are_honoured(processor, layer):
    x = torch.rand(4, 3)
    with torch.no_grad():
        expected = layer(x)
    assert (processor.forward(layer, x) - expected).abs().max() < 1e-6


def test_the_forward_pass_is_the_modules_own(processor):
    model, x = Residual().eval(), torch.rand(4, 3)
    with torch.no_grad():
        expected = model(x)
    assert (processor.forward(model, x) - expected).abs().max() < 1e-6
    future = processor.forward_async(model, x)
    assert torch.equal(future.wait(), processor.forward(model, x))
    assert type(model.quantum) is merlin.QuantumLayer
    assert future.status() == {
        "state": "COMPLETE",
        "progress": 1.0,
        "message": None,
        "chunks_total": 3,
        "chunks_done": 3,
        "active_chunks": 0,
    }
    assert len(set(future.job_ids)) == 3


@pytest.mark.usefixtures("compiler")
def test_a_compiled_module(processor):
    """It is executed as it was before it was compiled: the compiled code would not leave this machine."""
    model, x = Residual().eval(), torch.rand(4, 3)
    with torch.no_grad():
        expected = model(x)
    future = processor.forward_async(torch.compile(model, backend="eager"), x)
    assert (future.wait() - expected).abs().max() < 1e-6
    assert len(future.job_ids) == 3


def test_weights_are_those_of_the_call(processor):
    """MerLin's processor keeps the circuit of a layer's first call."""
    layer, x = built(), torch.rand(4, 3)
    processor.forward(layer, x)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.3)
        expected = layer(x)
    assert (processor.forward(layer, x) - expected).abs().max() < 1e-6
    layer.set_input_state(pcvl.BasicState([0, 1, 0, 1]))
    with torch.no_grad():
        expected = layer(x)
    assert (processor.forward(layer, x) - expected).abs().max() < 1e-6


def test_samples_are_those_of_the_program():
    layer, x = built(), torch.rand(4, 3)
    program = convert(layer).program
    with Processor("sim", seed=5) as processor:
        sampled = processor.forward(layer, x, nsample=200)
        assert np.array_equal(sampled.numpy(), program.simulate(x, precision="float32", shots=200, seed=5))
        assert (processor.forward(layer, x, nsample=0) - torch.from_numpy(program.simulate(x))).abs().max() < 1e-6
    with Processor("sim", seed=5, shots=200, concurrency=1) as processor:
        assert torch.equal(processor.forward(layer, x), sampled)
        first, second = processor.forward_async(layer, x), processor.forward_async(layer, x)
        ids = np.arange(4, 8)
        expected = program.simulate(x, precision="float32", shots=200, seed=5, ids=ids)
        assert np.array_equal(first.wait().numpy(), expected)
        assert not torch.equal(second.wait(), first.wait())


@pytest.mark.parametrize("shape", [(0, 5), (1, 5), (5,)])
def test_batches_of_any_size(processor, shape):
    model, x = sequential(), torch.rand(shape)
    with torch.no_grad():
        expected = model(x)
    y = processor.forward(model, x)
    assert y.shape == expected.shape
    assert torch.allclose(y, expected, atol=1e-6)


def test_merlins_reservoir_takes_it(photonlink_session):
    x = np.random.default_rng(0).random((12, 4))
    reservoir = merlin.ReservoirClassifier(in_features=4, out_features=2, n_photons=2, seed=1, cache=False)
    reservoir.fit_reservoir(x)
    reservoir.make_dataset(x, np.arange(12) % 2)
    session = photonlink_session(convert(reservoir._quantum_layer).program, precision="float32")
    with Processor(session) as processor:
        y = reservoir.predict(x, processor=processor)
    assert session.usage.tokens == 12
    assert (y - reservoir.predict(x)).abs().max() < 1e-5


# ---- what is refused


def test_refusals(processor):
    model, x = sequential(), torch.rand(2, 5)
    with pytest.raises(ProgramError, match=r"Sequential .*eval"):
        processor.forward(model.train(), x)
    model.eval()
    with pytest.raises(ProgramError, match="nsample is -1"):
        processor.forward(model, x, nsample=-1)
    with pytest.raises(ProgramError, match="timeout is 0"):
        processor.forward(model, x, timeout=0)
    with pytest.raises(ProgramError, match="no quantum layer"):
        processor.forward(nn.Linear(5, 2).eval(), x)
    model[2] = merlin.QuantumLayer(builder=memristive(), n_photons=2).eval()
    with pytest.raises(ProgramError, match=r"layer '2' .*memristive"):
        processor.forward_async(model, x)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"where": 3}, "where is 3"),
        ({"concurrency": 0}, "concurrency is 0"),
        ({"timeout": -1}, "timeout is -1"),
        ({"shots": 2.5}, "shots is 2.5"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_wrong_arguments(arguments, said):
    with pytest.raises(ProgramError, match=said):
        Processor(**arguments)


def test_layers_that_are_to_stay_local(processor):
    model, x = Residual().eval(), torch.rand(2, 3)
    with torch.no_grad():
        expected = model(x)
    with model.quantum.as_simulation():
        future = processor.forward_async(model, x)
    assert (future.wait() - expected).abs().max() < 1e-6
    assert len(future.job_ids) == 1
    layer = built()
    with layer.as_simulation(), torch.no_grad():
        assert torch.equal(processor.forward(layer, x), layer(x))
