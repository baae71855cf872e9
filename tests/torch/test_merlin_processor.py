"""``photonlink.merlin.Processor`` beside MerLin's own processor where that one is right, and beside the layers."""

import threading
import time
from concurrent.futures import CancelledError

import merlin
import numpy as np
import perceval as pcvl
import pytest
import torch
from merlin import ComputationSpace, LexGrouping, MeasurementStrategy, ModGrouping
from torch import nn

import photonlink as phl
from photonlink.errors import LinkTimeout, ProgramError, SessionClosed
from photonlink.merlin import Processor, convert

UNBUNCHED, FOCK = ComputationSpace.UNBUNCHED, ComputationSpace.FOCK
# Every datapoint then takes its modelled 20 ms and more, as on a chip: calls last long enough to be interrupted.
SLOW = {"clock": "realtime", "preset": "article", "shots": 1000}


def built(strategy=None, *, features=3, modes=4, scale=1.0, seed=0):
    torch.manual_seed(seed)
    builder = merlin.CircuitBuilder(modes)
    builder.add_entangling_layer(trainable=True, name="before")
    builder.add_angle_encoding(modes=list(range(features)), name="px", scale=scale)
    builder.add_entangling_layer(trainable=True, name="after")
    strategy = strategy or MeasurementStrategy.probs(UNBUNCHED)
    return merlin.QuantumLayer(builder=builder, n_photons=2, measurement_strategy=strategy).eval()


def sequential(strategy=None, seed=0):
    layer = built(strategy, seed=seed)
    return nn.Sequential(nn.Linear(5, 3), nn.Tanh(), layer, nn.Linear(layer.output_size, 2)).eval()


class Residual(nn.Module):
    """A forward pass that is no sequence of its modules."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(6, 3)
        self.quantum = built(seed=2)
        self.other = built(seed=3)

    def forward(self, x):
        x = x + torch.tanh(self.head(self.quantum(x)))
        return self.quantum(2 * x) - self.other(x)


@pytest.fixture
def processor():
    with Processor("sim") as opened:
        yield opened


@pytest.fixture(scope="module")
def merlins():
    with merlin.MerlinProcessor(processor=pcvl.Processor("SLOS", 4)) as opened:
        yield opened


def eventually(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.002)
    assert condition()


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


# ---- several calls


def test_many_calls_at_once(processor):
    models = [sequential(seed=seed) for seed in range(3)]
    inputs = [torch.rand(3, 5) for _ in range(12)]
    futures = [processor.forward_async(models[k % 3], x) for k, x in enumerate(inputs)]
    with torch.no_grad():
        for k, future in enumerate(futures):
            assert (future.wait() - models[k % 3](inputs[k])).abs().max() < 1e-6


def test_threads_share_a_processor(processor):
    model, x = Residual().eval(), torch.rand(2, 3)
    with torch.no_grad():
        expected = model(x)
    results = [None] * 6

    def call(place):
        results[place] = processor.forward(model, x)

    threads = [threading.Thread(target=call, args=(place,)) for place in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((y - expected).abs().max() < 1e-6 for y in results)


def test_more_programs_than_sessions(processor):
    """The least recently used session makes room, and comes back when it is needed."""
    layers, x = [built(seed=seed) for seed in range(11)], torch.rand(2, 3)
    for layer in [*layers, *layers[:2]]:
        with torch.no_grad():
            expected = layer(x)
        assert (processor.forward(layer, x) - expected).abs().max() < 1e-6


def test_a_session_that_ends_is_replaced():
    layer, x = built(), torch.rand(4, 3)
    with Processor("sim", token_budget=6) as processor:
        expected = processor.forward(layer, x)
        with pytest.raises(SessionClosed, match="budget"):
            processor.forward(layer, x)
        assert torch.equal(processor.forward(layer, x), expected)


def test_sessions_that_follow_each_other_draw_other_samples():
    """On a controller that serves one session at a time, where models of two programs take turns."""
    first, second, x = built(seed=1), built(seed=2), torch.rand(2, 3)
    with phl.Controller() as one, Processor("sim", controller=one, seed=7) as processor:
        draws = []
        for _ in range(3):
            draws.append(processor.forward(first, x, nsample=50))
            processor.forward(second, x, nsample=50)
    expected = [convert(first).program.simulate(x, precision="float32", shots=50, seed=7 + k) for k in range(3)]
    assert all(np.array_equal(draw.numpy(), values) for draw, values in zip(draws, expected, strict=True))


def test_a_session_is_kept_for_the_next_call(photonlink_session):
    layer, x = built(), torch.rand(2, 3)
    session = photonlink_session(convert(layer).program, precision="float32")
    with Processor(session) as processor:
        assert processor.backend_name == session.info.target
        futures = [processor.forward_async(layer, x) for _ in range(4)]
        assert all(torch.equal(future.wait(), futures[0].wait()) for future in futures)
        assert session.usage.tokens == 8
        with pytest.raises(ProgramError, match=r"nsample=7.*shots=None"):
            processor.forward(layer, x, nsample=7)
        with pytest.raises(ProgramError, match=r"the session executes"):
            processor.forward(built(seed=9), x)
    assert not session.closed
    with pytest.raises(ProgramError, match="shots, seed"):
        Processor(session, shots=10, seed=1)


# ---- cancelling, deadlines, the end


def test_a_cancelled_call_ends_alone():
    layer = built()
    with Processor("sim", **SLOW) as processor:
        long = processor.forward_async(layer, torch.rand(300, 3))
        short = processor.forward_async(layer, torch.rand(1, 3))
        eventually(lambda: long.status()["active_chunks"] == 1)
        assert (long.status()["state"], long.status()["progress"]) == ("RUNNING", 0.0)
        long.cancel_remote()
        with pytest.raises(CancelledError):
            long.wait()
        assert short.wait().shape == (1, 6)
        eventually(lambda: long.status()["state"] == "CANCELED")
        short.cancel_remote()  # too late, and harmless
        assert short.wait().shape == (1, 6)


def test_a_call_that_is_cancelled_before_it_begins():
    layer = built()
    with Processor("sim", concurrency=1, **SLOW) as processor:
        first = processor.forward_async(layer, torch.rand(5, 3))
        second = processor.forward_async(layer, torch.rand(300, 3))
        assert second.status()["state"] == "IDLE"
        second.cancel_remote()
        assert first.wait().shape == (5, 6)
        with pytest.raises(CancelledError):
            second.wait()
        eventually(lambda: second.status()["state"] == "CANCELED")
        assert second.job_ids == []


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_deadline(asynchronous):
    layer, x = built(), torch.rand(300, 3)
    with Processor("sim", timeout=1e3, **SLOW) as processor:
        wait = torch.futures.Future.wait if asynchronous else (lambda y: y)
        call = processor.forward_async if asynchronous else processor.forward
        with pytest.raises(LinkTimeout):
            wait(call(layer, x, timeout=1.3))
        assert processor.forward(layer, x[:1]).shape == (1, 6)


def test_the_deadline_counts_while_a_call_waits_for_others():
    layer = built()
    with Processor("sim", **SLOW) as processor:
        long = processor.forward_async(layer, torch.rand(300, 3))
        eventually(lambda: long.status()["active_chunks"] == 1)
        with pytest.raises(LinkTimeout):
            processor.forward_async(layer, torch.rand(1, 3), timeout=0.2).wait()
        assert not long.done()


def test_the_end_comes_soon():
    layer = built()
    processor = Processor("sim", concurrency=2, **SLOW)
    futures = [processor.forward_async(layer, torch.rand(300, 3)) for _ in range(4)]
    eventually(lambda: futures[0].status()["active_chunks"] == 1)
    started = time.monotonic()
    processor.close()
    processor.close()
    assert time.monotonic() - started < 5  # the calls would take half a minute
    for future in futures:
        with pytest.raises(CancelledError):
            future.wait()
    for call in (processor.forward, processor.forward_async, lambda *_: processor.__enter__()):
        with pytest.raises(SessionClosed):
            call(layer, torch.rand(1, 3))


def test_a_callback_may_cancel(processor):
    model = sequential()
    future = processor.forward_async(model, torch.rand(2, 5))
    seen = []
    future.add_done_callback(lambda ended: (ended.cancel_remote(), seen.append(ended.status()["state"])))
    eventually(lambda: seen)
    assert future.wait().shape == (2, 2)


def test_an_error_is_the_callers(processor):
    future = processor.forward_async(sequential(), torch.rand(2, 5, dtype=torch.float64))  # the Linear refuses it
    with pytest.raises(RuntimeError, match="dtype"):
        future.wait()
    eventually(lambda: future.status()["state"] == "ERROR")
    assert "dtype" in future.status()["message"]


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
    model[2] = merlin.QuantumLayer(builder=_memristive(), n_photons=2).eval()
    with pytest.raises(ProgramError, match=r"layer '2' .*memristive"):
        processor.forward_async(model, x)


def _memristive():
    builder = merlin.CircuitBuilder(4)
    builder.add_entangling_layer(trainable=True)
    builder.add_memristive_ps(1, lambda state, output: state + output[:, 0], initial_state=0.1)
    return builder


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
