"""Gradients of layers: torch's own check, shifts against the sweep, noise, and shot noise without bias."""

import numpy as np
import perceval as pcvl
import pytest
import torch
from scipy import stats

import photonlink as phl
from photonlink.errors import ProgramError
from photonlink.torch import QuantumLayer
from photonlink.torch._engines import NativeEngine, OpenedEngine

READOUTS = [
    phl.Readout.probs("fock"),
    phl.Readout.probs("unbunched", phl.ModGrouping(4)),
    phl.Readout.mode_expectations("unbunched"),
    phl.Readout.correlators("fock"),
    phl.Readout.click_patterns("fock"),
]


def circuit():
    """Trained and driven phases and beam splitters; one parameter twice, one feature twice."""
    theta, px = pcvl.P("theta0"), pcvl.P("px0")
    out = pcvl.Circuit(3) // (0, pcvl.BS.Ry(theta, phi_tr=pcvl.P("theta1"))) // (1, pcvl.BS.H(pcvl.P("theta2")))
    out = out // (0, pcvl.PS(px)) // (1, pcvl.PS(pcvl.P("px1"))) // (0, pcvl.BS(theta)) // (1, pcvl.BS())
    return out // (2, pcvl.PS(px)) // (1, pcvl.BS.Rx(pcvl.P("px2"))) // (0, pcvl.BS(phi_bl=pcvl.P("theta3")))


def make(readout, **arguments):
    return QuantumLayer(
        circuit=circuit(),
        input_state=[1, 1, 0],
        trainable_parameters=["theta"],
        input_parameters=["px"],
        measurement_strategy=readout,
        dtype=torch.float64,
        **arguments,
    )


def function(layer, **options):
    """The layer as a function of features and weights."""

    def call(x, theta):
        return torch.func.functional_call(layer, {"theta": theta}, (x,), options)

    return call


@pytest.mark.parametrize("readout", READOUTS, ids=lambda readout: readout.kind)
def test_gradcheck(readout):
    layer = make(readout)
    x = torch.empty(2, 3, dtype=torch.float64).uniform_(-3, 3).requires_grad_()
    assert torch.autograd.gradcheck(function(layer), (x, layer.theta))


NOISE = phl.Noise(brightness=0.9, transmittance=0.8, indistinguishability=0.85)
PAIRS = phl.Noise(transmittance=0.8, indistinguishability=0.85, g2=0.05)


@pytest.mark.parametrize("noise", [NOISE, PAIRS], ids=["photons", "pairs"])
@pytest.mark.parametrize("readout", READOUTS, ids=lambda readout: readout.kind)
def test_gradcheck_of_noisy_layers(readout, noise, monkeypatch):
    """In this process, without a session."""
    layer = make(readout, noise=noise)
    monkeypatch.setattr(layer._runtime, "_reserved", None)
    x = torch.empty(2, 3, dtype=torch.float64).uniform_(-3, 3).requires_grad_()
    assert torch.autograd.gradcheck(function(layer), (x, layer.theta))


@pytest.mark.parametrize("readout", READOUTS, ids=lambda readout: readout.kind)
def test_noisy_layers_have_the_gradients_that_shifts_on_a_session_have(readout):
    layer = make(readout, noise=PAIRS)
    x, theta = torch.empty(2, 3, dtype=torch.float64).uniform_(-3, 3), layer.theta.detach()
    cotangent = torch.randn(2, layer.output_size, dtype=torch.float64)
    engines = layer._runtime.engine(x, 0), layer._runtime._reserved(0, x.dtype)
    assert [type(engine) for engine in engines] == [NativeEngine, OpenedEngine]
    swept, shifted = (engine.vjp(x, theta, cotangent) for engine in engines)
    for ours, theirs in zip(swept, shifted, strict=True):
        assert (ours - theirs).abs().max() < 1e-9
    layer.close()


def test_rounded_phases_have_values_and_no_gradients():
    noise = phl.Noise(indistinguishability=0.9, phase_imprecision=0.1)
    program = phl.Program.reservoir(4, 2, features=3, noise=noise)
    layer = QuantumLayer(program=program, dtype=torch.float64)
    x = torch.empty(2, 3, dtype=torch.float64).uniform_(-3, 3)
    assert isinstance(layer._runtime.engine(x, 0), OpenedEngine)
    assert np.array_equal(layer(x).numpy(), program.simulate(x.numpy()))
    with pytest.raises(ProgramError, match="phase imprecision"):
        layer(x.requires_grad_())
    layer.close()


def test_a_noisy_layer_trains():
    """A beam splitter finds balance: coincidences vanish there, but for those of photons that can be told apart."""
    splitter = pcvl.Circuit(2) // pcvl.BS(theta=pcvl.P("theta"))
    layer = QuantumLayer(
        circuit=splitter,
        input_state=[1, 1],
        trainable_parameters=["theta"],
        input_parameters=[],
        measurement_strategy=phl.Readout.probs("fock"),
        noise=phl.Noise(indistinguishability=0.9),
    )
    with torch.no_grad():
        layer.theta.fill_(0.7)
    coincidence = layer.output_keys.index((1, 1))
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.1)
    for _ in range(100):
        optimiser.zero_grad()
        loss = layer()[..., coincidence].sum()
        loss.backward()
        optimiser.step()
    assert loss.item() == pytest.approx((1 - 0.9) / 2, abs=1e-4)  # of a balanced beam splitter (Hong, Ou and Mandel)


@pytest.mark.parametrize("readout", READOUTS, ids=lambda readout: readout.kind)
def test_losses_take_no_session_where_all_photons_are_asked_for(readout, monkeypatch):
    noise = phl.Noise(brightness=0.9, transmittance=0.8)
    layer = make(readout, noise=noise)
    monkeypatch.setattr(layer._runtime, "_reserved", None)
    x = torch.empty(2, 3, dtype=torch.float64).uniform_(-3, 3).requires_grad_()
    with phl.reserve("sim", layer.program) as session:
        assert session.info.noise_method == "ideal"
        assert np.array_equal(session.infer(x.detach().numpy()), layer(x).detach().numpy())
    assert torch.autograd.gradcheck(function(layer), (x, layer.theta))


def test_second_derivatives_are_refused():
    layer = make(READOUTS[0])
    x = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    with pytest.raises(ProgramError, match="create_graph"):
        torch.autograd.grad(layer(x)[0, 0], x, create_graph=True)


def forward_mode(layer, x):
    with torch.autograd.forward_ad.dual_level():
        layer(torch.autograd.forward_ad.make_dual(x, x))


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # torch's own, on its way to forward mode
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize(
    "transform",
    [
        lambda layer, x: torch.vmap(layer)(x[None]),
        lambda layer, x: torch.func.grad(lambda at: layer(at)[0, 0])(x),
        lambda layer, x: torch.func.jacrev(layer)(x),
        lambda layer, x: torch.func.jvp(layer, (x,), (x,)),
        lambda layer, x: torch.autograd.functional.jacobian(layer, x, vectorize=True),
        forward_mode,
    ],
    ids=["vmap", "grad", "jacrev", "jvp", "vectorized jacobian", "forward mode"],
)
def test_transforms_are_refused(transform, frozen):
    """Also where nothing would fail: a derivative that a layer cannot see must not be lost."""
    layer = make(READOUTS[0]).requires_grad_(not frozen)
    x = torch.zeros(1, 3, dtype=torch.float64)
    with pytest.raises(ProgramError, match=r"one batch \(\.\.\., F\)"):
        transform(layer, x)


def test_jacobian_row_by_row():
    layer = make(READOUTS[0])
    x = torch.empty(1, 3, dtype=torch.float64).uniform_(-3, 3)
    jacobian = torch.autograd.functional.jacobian(layer, x)[0, :, 0]
    step = 1e-5 * torch.eye(3, dtype=torch.float64)
    with torch.no_grad():
        differences = (layer(x + step) - layer(x - step)) / 2e-5
    assert (jacobian - differences.T).abs().max() < 1e-8


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [1, 3, 40])
@pytest.mark.parametrize("readout", [*READOUTS, phl.Readout.probs("unbunched", phl.LexGrouping(2))], ids=str)
def test_values_are_the_same_bits_with_and_without_gradients(readout, batch, dtype):
    layer = make(readout).to(dtype)
    x = torch.empty(batch, 3, dtype=dtype).uniform_(-3, 3)
    recorded = layer(x)
    assert recorded.requires_grad
    with torch.no_grad():
        alone = layer(x)
    beside = phl.gradients.value_and_vjp(
        layer.program, x.numpy(), torch.ones_like(recorded).numpy(), precision=str(dtype).removeprefix("torch.")
    )
    assert np.array_equal(recorded.detach().numpy(), alone.numpy())
    assert np.array_equal(beside.value, alone.numpy())


def test_only_what_is_wanted():
    layer = make(READOUTS[0])
    x = torch.zeros(1, 3, dtype=torch.float64)
    layer(x)[0, 0].backward()
    assert x.grad is None
    layer.requires_grad_(False)
    assert not layer(x).requires_grad
    x.requires_grad_()
    layer(x)[0, 0].backward()
    assert x.grad.shape == (1, 3)


def test_a_bound_session_shifts_features(photonlink_session):
    program = phl.Program.reservoir(4, 2, features=4, seed=2, readout=phl.Readout.probs("fock"))
    layer = QuantumLayer(session=photonlink_session(program))
    exact = QuantumLayer(program=program, dtype=torch.float64)
    x = torch.rand(2, 4, dtype=torch.float64)
    cotangent = torch.rand(2, program.output_size, dtype=torch.float64)
    gradients = []
    for each in (layer, exact):
        leaf = x.clone().requires_grad_()
        (each(leaf) * cotangent).sum().backward()
        gradients.append(leaf.grad)
    assert (gradients[0] - gradients[1]).abs().max() < 1e-9


def test_targets_without_gradients_say_so_before_they_compute(photonlink_session):
    rounded = phl.Program.reservoir(4, 2, features=4, dac_bits=8)
    twice = phl.Program.layered(3, [1, 0, 1]).haar(1).phases(["a", "a"], modes=[0, 1]).haar(2).build()
    for program, message in ((rounded, "rounded to 8 bits"), (twice, "phases cannot be shifted one by one")):
        session = photonlink_session(program, controller=phl.Controller())
        layer = QuantumLayer(session=session)
        x = torch.zeros(1, layer.input_size, dtype=torch.float64)
        with torch.no_grad():
            layer(x)
        with pytest.raises(ProgramError, match=message):
            layer(x.requires_grad_())
        assert session.usage.tokens == 1


def test_device_tensors_are_refused_before_anything_is_computed(photonlink_session):
    """Shifts are put together on the host. (No device here: the engines are asked about one.)"""
    noisy = make(READOUTS[0], noise=phl.Noise(indistinguishability=0.9))
    bound = QuantumLayer(session=photonlink_session(phl.Program.reservoir(4, 2, features=4)))
    engines = noisy._runtime._reserved(0, torch.float64), bound._runtime.engine(torch.zeros(1, 4), 0)
    for engine in engines:
        with pytest.raises(ProgramError, match="x is on cuda"):
            engine.require_gradients(torch.device("cuda"))
    noisy.close()


def test_phases_on_a_device_are_those_of_the_core():
    layer = make(READOUTS[0], noise=phl.Noise(indistinguishability=0.9))
    x = torch.rand(3, 3, dtype=torch.float64)
    engine = layer._runtime._reserved(0, x.dtype)
    both = torch.cat([x, layer.theta.detach().expand(3, -1)], dim=1)
    phases = layer._layer.trainable.opened().encode(both.numpy())
    assert np.abs(engine._phases_on_device(both).numpy() - phases).max() < 1e-14
    layer.close()


def test_shots_change_between_forward_and_backward():
    """Every call's gradient is taken with the shots of that call."""
    layer = make(READOUTS[0])
    x = torch.rand(1, 3, dtype=torch.float64)
    few, many, exact = layer(x, shots=100), layer(x, shots=10000), layer(x)
    gradients = {}
    for name, y in (("few", few), ("many", many), ("exact", exact)):
        (gradients[name],) = torch.autograd.grad(y[0, 0], layer.theta)
    error = {name: float((gradients[name] - gradients["exact"]).abs().max()) for name in ("few", "many")}
    assert 0 < error["many"] < 0.05
    assert error["few"] > 0
    layer.close()


def test_shifted_gradients_of_samples_are_unbiased():
    """Every feature and weight of a (6, 3) model, 200 shots: the mean of repetitions against the exact gradient."""
    repetitions = 120
    layer = QuantumLayer.simple(input_size=5, computation_space="fock", dtype=torch.float64, seed=11)
    x = torch.empty(1, 5, dtype=torch.float64).uniform_(-3, 3).requires_grad_()
    cotangent = torch.randn(1, 56, dtype=torch.float64)
    wanted = [x, *layer.parameters()]

    def gradient(**shots):
        return torch.cat([g.reshape(-1) for g in torch.autograd.grad((layer(x, **shots) * cotangent).sum(), wanted)])

    exact = gradient()
    samples = torch.stack([gradient(shots=200) for _ in range(repetitions)]).numpy()
    layer.close()
    assert samples.shape == (repetitions, 5 + 60)
    spread = samples.std(0, ddof=1)
    moving = spread > 1e-12  # phases that no readout sees have gradient 0 and no spread
    assert np.abs(samples[:, ~moving] - exact.numpy()[~moving]).max(initial=0) < 1e-9
    t = (samples.mean(0) - exact.numpy())[moving] / (spread[moving] / repetitions**0.5)
    limit = stats.t.ppf(1 - 0.01 / (2 * moving.sum()), repetitions - 1)  # Bonferroni: 1 % for all of them together
    assert moving.sum() > 40
    assert np.abs(t).max() < limit
    # All parameters together, along the exact gradient: a factor that is wrong by a tenth would show.
    lengths = samples @ exact.numpy() / float(exact @ exact)
    error = lengths.std(ddof=1) / repetitions**0.5
    assert error < 0.025
    assert abs(lengths.mean() - 1) < 4 * error
