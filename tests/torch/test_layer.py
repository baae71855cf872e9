"""``photonlink.torch.QuantumLayer``: what it computes, from every description, and what it refuses."""

import merlin
import numpy as np
import perceval as pcvl
import pytest
import torch
from merlin_models import meshes

import photonlink as phl
from photonlink.errors import ProgramError, SessionClosed, TargetUnavailable
from photonlink.torch import QuantumLayer

of, Space = merlin.MeasurementStrategy, merlin.ComputationSpace


def circuit():
    return meshes().to_pcvl_circuit()


PREFIXES = {"trainable_parameters": ["U", "V"], "input_parameters": ["px"]}
DESCRIPTIONS = {
    "builder": lambda: {"builder": meshes()},
    "circuit": lambda: {"circuit": circuit(), **PREFIXES},
    "experiment": lambda: {"experiment": pcvl.Experiment(circuit()), **PREFIXES},
}
STRATEGIES = [
    of.probs(Space.FOCK),
    of.probs(Space.UNBUNCHED, merlin.ModGrouping(6, 4)),
    of.probs(Space.FOCK, merlin.LexGrouping(10, 3), occupancy_readout=True),
    of.mode_expectations(Space.DUAL_RAIL),
    of.partial([1, 3], Space.FOCK, merlin.LexGrouping(6, 2)),
]


@pytest.mark.parametrize("description", DESCRIPTIONS)
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.type.name)
def test_merlins_arguments_give_merlins_layer(description, strategy):
    """Same words, same layer: default states, names of weights, and results once the weights are the same."""
    arguments = {**DESCRIPTIONS[description](), "n_photons": 2, "measurement_strategy": strategy}
    ours = QuantumLayer(input_size=3, **arguments, dtype=torch.float64)
    theirs = merlin.QuantumLayer(input_size=3, **arguments, dtype=torch.float64)
    assert set(ours.state_dict()) == {"U", "V"}
    ours.load_state_dict({name: weight for name, weight in theirs.state_dict().items() if name in ("U", "V")})
    x = torch.empty(5, 3, dtype=torch.float64).uniform_(-3, 3)
    expected = theirs(x)
    expected = getattr(expected, "tensor", expected)
    assert (ours(x) - expected).abs().max() < 1e-12
    assert ours.output_size == expected.shape[1]


@pytest.mark.parametrize("arguments", [{}, {"output_size": 3}])
def test_simple_is_merlins_simple(arguments):
    ours = QuantumLayer.simple(input_size=4, dtype=torch.float64, **arguments)
    theirs = merlin.QuantumLayer.simple(input_size=4, dtype=torch.float64, **arguments)
    ours.load_state_dict(theirs.quantum_layer.state_dict())
    x = torch.rand(3, 4, dtype=torch.float64)
    assert (ours(x) - theirs(x)).abs().max() < 1e-12


def test_noise_of_merlins_meaning():
    """Fock space and MerLin's strategy: no event is dropped; the experiment's noise counts like the argument."""
    noise = pcvl.NoiseModel(transmittance=0.8, indistinguishability=0.9)
    noisy = pcvl.Experiment(circuit(), noise=noise)
    arguments = {"n_photons": 2, "measurement_strategy": of.probs(Space.FOCK), "dtype": torch.float64}
    theirs = merlin.QuantumLayer(experiment=noisy, **PREFIXES, **arguments)
    x = torch.rand(3, 3, dtype=torch.float64)
    expected = dict(zip(theirs.output_keys, theirs(x).T, strict=True))
    cotangent = {key: torch.randn(3, dtype=torch.float64) for key in expected}

    def gradients(layer):
        leaf = x.clone().requires_grad_()
        columns = zip(layer.output_keys, layer(leaf).T, strict=True)
        loss = sum((column * cotangent[tuple(key)]).sum() for key, column in columns)
        return torch.autograd.grad(loss, [leaf, *layer.parameters()])

    for given in ({"circuit": circuit(), "noise": noise, **PREFIXES}, {"experiment": noisy, **PREFIXES}):
        ours = QuantumLayer(**given, **arguments)
        ours.load_state_dict(theirs.state_dict(), strict=False)
        y = ours(x)
        for key, column in zip(ours.output_keys, y.T, strict=True):
            assert (column - expected[key]).abs().max() < 1e-12
        for found, wanted in zip(gradients(ours), gradients(theirs), strict=True):
            assert (found - wanted).abs().max() < 1e-8
        ours.close()


def test_noise_in_a_post_selected_space_keeps_events_with_all_photons():
    noise = phl.Noise(transmittance=0.8, indistinguishability=0.9)
    layer = QuantumLayer(builder=meshes(), n_photons=2, noise=noise, dtype=torch.float64)
    x = torch.rand(3, 3, dtype=torch.float64)
    assert layer.program.noise == noise
    assert np.abs(layer(x).detach().numpy() - layer.program.simulate(x.numpy())).max() < 1e-12
    layer.close()


def test_leading_dimensions_and_several_inputs():
    layer = QuantumLayer(builder=meshes(), n_photons=2)
    x = torch.rand(2, 5, 3)
    y = layer(x)
    assert y.shape == (2, 5, 6)
    assert torch.equal(y[1, 2], layer(x[1, 2]))
    assert torch.equal(layer(x[:, :, 0:1], x[:, :, 1:]), y)
    assert torch.equal(layer(x.transpose(0, 1)).transpose(0, 1), y)  # of any strides
    assert layer(x[:0]).shape == (0, 5, 6)
    layer(x[:0]).sum().backward()
    assert torch.equal(layer.U.grad, torch.zeros_like(layer.U))


def test_results_do_not_depend_on_the_batch():
    layer = QuantumLayer(builder=meshes(), n_photons=2)
    x = torch.rand(9, 3)
    y = layer(x)
    assert all(torch.equal(layer(row), expected) for row, expected in zip(x, y, strict=True))


def test_a_circuit_without_inputs():
    layer = QuantumLayer(
        circuit=pcvl.Circuit(2) // pcvl.BS(theta=pcvl.P("t")),
        input_state=[1, 0],
        trainable_parameters=["t"],
        dtype=torch.float64,
    )
    y = layer()
    assert torch.allclose(y, torch.stack([torch.cos(layer.t[0] / 2) ** 2, torch.sin(layer.t[0] / 2) ** 2]))
    y[0].backward()
    assert torch.allclose(layer.t.grad, -torch.sin(layer.t) / 2)


def test_a_program_is_a_layer_without_weights():
    program = phl.Program.reservoir(5, 2, features=5, seed=1, readout=phl.Readout.correlators("fock"))
    layer = QuantumLayer(program=program, dtype=torch.float64)
    x = torch.rand(4, 5, dtype=torch.float64, requires_grad=True)
    assert list(layer.parameters()) == []
    assert layer.program == program
    assert np.abs(layer(x).detach().numpy() - program.simulate(x.detach().numpy())).max() < 1e-12
    layer(x).sum().backward()
    assert np.abs(x.grad.numpy()).max() > 0


def test_weights_that_another_prefix_took_over_have_no_gradient():
    """MerLin's builder calls rotations theta and beam splitters theta_bs: the first prefix matches both."""
    both = merlin.CircuitBuilder(3)
    both.add_rotations(trainable=True)
    both.add_superpositions([(0, 1), (1, 2)], trainable=True)
    both.add_angle_encoding([0])
    layer = QuantumLayer(builder=both, n_photons=1, dtype=torch.float64)
    assert layer.theta.shape == (5,)
    assert layer.theta_bs.shape == (2,)
    (layer(torch.rand(2, 1, dtype=torch.float64)) ** 2).sum().backward()
    assert torch.equal(layer.theta.grad[3:], torch.zeros(2, dtype=torch.float64))
    assert (layer.theta_bs.grad != 0).all()


def test_shots_sample():
    layer = QuantumLayer(builder=meshes(), n_photons=2, seed=3)
    x = torch.rand(6, 3)
    with torch.no_grad():
        exact, first, second = layer(x), layer(x, shots=1000), layer(x, shots=1000)
        assert torch.equal(layer(x, shots=0), exact)
    assert not torch.equal(first, second)  # every call draws anew
    assert torch.allclose(first * 1000, (first * 1000).round(), atol=1e-3)
    assert (first - exact).abs().max() < 6 * 0.5 / 1000**0.5
    again = QuantumLayer(builder=meshes(), n_photons=2, seed=3)
    again.load_state_dict(layer.state_dict())
    assert torch.equal(again(x, shots=1000), first)  # and a seed draws the same
    layer.close()
    again.close()


@pytest.mark.parametrize("space", [Space.FOCK, Space.UNBUNCHED, Space.DUAL_RAIL])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_amplitudes_are_merlins(space, dtype, tolerance):
    arguments = {"builder": meshes(), "n_photons": 2, "measurement_strategy": of.amplitudes(space)}
    ours = QuantumLayer(**arguments, dtype=dtype)
    theirs = merlin.QuantumLayer(**arguments, dtype=torch.float64)
    x = torch.rand(2, 4, 3, dtype=dtype)
    for _ in range(2):  # with other weights the second time
        theirs.load_state_dict({name: w.double() for name, w in ours.state_dict().items()}, strict=False)
        with torch.no_grad():
            psi = ours(x)
            expected = theirs(x.double().reshape(8, 3)).reshape(2, 4, -1)
            assert psi.dtype == (torch.complex64 if dtype == torch.float32 else torch.complex128)
            assert (psi - expected).abs().max() < tolerance
            ours.U.add_(0.3)
    with pytest.raises(ProgramError, match="amplitudes have no derivatives"):
        ours(x)
    with torch.no_grad(), pytest.raises(ProgramError, match="shots=10"):
        ours(x, shots=10)


# ---- sessions


def test_a_session_serves_a_layer(photonlink_session):
    trained = QuantumLayer(builder=meshes(), n_photons=2)
    x = torch.rand(4, 3)
    session = photonlink_session(trained.program, precision="float32")
    layer = QuantumLayer(session=session)
    with torch.no_grad():
        assert (layer(x) - trained(x)).abs().max() < 1e-6
    assert session.usage.tokens == 4
    assert layer.input_size == 3
    with pytest.raises(ProgramError, match="cannot be copied or stored"):
        layer.__getstate__()
    session.close()
    with pytest.raises(SessionClosed), torch.no_grad():
        layer(x)


def test_a_sampled_session_serves_its_own_shots(photonlink_session):
    program = phl.Program.reservoir(4, 2, features=4)
    layer = QuantumLayer(session=photonlink_session(program, shots=100))
    x = torch.rand(2, 4, dtype=torch.float64)
    with torch.no_grad():
        assert torch.allclose((layer(x) * 100).round(), layer(x, shots=100) * 100, atol=60)
        with pytest.raises(ProgramError, match="reserved with shots=100"):
            layer(x, shots=200)


def test_targets_are_found_when_they_are_needed():
    layer = QuantumLayer(builder=meshes(), n_photons=2, target="no-such-target")
    with pytest.raises(TargetUnavailable):
        layer(torch.rand(1, 3))


# ---- refusals


def layer_with(**arguments):
    return QuantumLayer(**{"builder": meshes(), "n_photons": 2, **arguments})


def with_state():
    experiment = pcvl.Experiment(circuit())
    experiment.with_input(pcvl.BasicState([1, 1, 0, 0]))
    return experiment


def test_an_experiment_brings_its_input_state():
    layer = QuantumLayer(experiment=with_state(), **PREFIXES)
    assert layer.program.input_state == (1, 1, 0, 0)


def test_weights_may_be_computed():
    """A parametrised weight, as of weight norm, is used as it is computed."""

    class Halved(torch.nn.Module):
        def forward(self, weight):
            return weight / 2

    layer, halved = layer_with(), layer_with()
    torch.nn.utils.parametrize.register_parametrization(halved, "U", Halved())
    with torch.no_grad():
        layer.U.copy_(halved.U)
        layer.V.copy_(halved.V)
    x = torch.rand(2, 3)
    assert torch.equal(halved(x), layer(x))
    halved(x)[:, 0].sum().backward()
    assert halved.parametrizations.U.original.grad is not None


def memristive():
    return meshes().add_memristive_ps(0, lambda state, output: state + output[:, 0], 0.1)


CONSTRUCTION = [
    ({"circuit": circuit()}, "exactly one of builder, .*got builder, circuit"),
    ({"builder": None}, "exactly one of .*got none"),
    ({"input_size": 7}, "input_size is 7, but the circuit has 3 features: px1, px2, px3"),
    ({"trainable_parameters": ["U"]}, "a builder knows"),
    ({"builder": memristive()}, "memristive"),
    ({"builder": None, "circuit": circuit(), "input_parameters": ["px"]}, "parameters without a value"),
    ({"builder": None, "circuit": circuit(), "input_parameters": "px"}, "expected a list of prefixes"),
    ({"builder": None, "circuit": circuit(), "input_parameters": ["q"]}, "starts with 'q'"),
    ({"builder": None, "circuit": circuit(), **PREFIXES, "input_parameters": ["px", "U"]}, "given once"),
    ({"builder": None, "circuit": 3}, "Perceval circuit"),
    ({"n_photons": None}, "give the layer photons"),
    ({"input_state": merlin.core.state_vector.StateVector.from_basic_state([1, 0, 0, 0])}, "1 photons, but"),
    (
        {"builder": None, "experiment": with_state(), **PREFIXES, "input_state": [1, 0, 1, 0]},
        "experiment has the input",
    ),
    ({"n_photons": 0}, "photon"),
    ({"input_state": [1, 0, 0, 0]}, "1 photons, but n_photons is 2"),
    ({"measurement_strategy": "probs"}, "measurement_strategy is a str"),
    ({"measurement_strategy": of.amplitudes(Space.FOCK), "noise": phl.Noise(transmittance=0.5)}, "no amplitudes"),
    ({"measurement_strategy": of.partial([4], Space.FOCK)}, "measures"),
    ({"measurement_strategy": phl.Readout.samples()}, "samples"),
    ({"noise": phl.Noise(phase_error=0.1)}, "belong to a fixed circuit"),
    ({"dtype": torch.bfloat16}, "torch.bfloat16, expected torch.float32 or torch.float64"),
    ({"builder": None, "program": "p"}, "expected a photonlink.Program"),
    ({"seed": -1}, "seed"),
    ({"device": "moon"}, "device is 'moon', expected one of torch's"),
    ({"dtype": [1.0]}, r"dtype is \[1.0\]"),
    ({"target": None}, "target is None"),
    ({"interference": 1}, "interference is 1, expected True or False"),
    ({"builder": None, "session": "mine", "n_photons": None}, "session is 'mine'"),
    ({"input_size": 3.0}, "input_size is 3.0, expected an integer"),
]


@pytest.mark.parametrize(("arguments", "message"), CONSTRUCTION)
def test_construction_says_what_is_wrong(arguments, message):
    with pytest.raises(ProgramError, match=message):
        layer_with(**arguments)


INPUTS = [
    (torch.zeros(2, 4), r"shape \(2, 4\), expected \(..., 3\).*px1, px2, px3"),
    (torch.zeros(()), r"shape \(\)"),
    (torch.zeros(2, 3, dtype=torch.float64), "dtype torch.float64, and the layer computes in torch.float32"),
    (torch.zeros(2, 3, dtype=torch.int64), "dtype torch.int64"),
    (torch.zeros(2, 3, dtype=torch.complex64), "amplitudes cannot be encoded"),
    (torch.zeros(2, 3, device="meta"), "on meta and the layer on cpu"),
    (torch.full((2, 3), torch.nan), "'px1' of datapoint 0 is nan"),
    (np.zeros((2, 3), np.float32), "ndarray, expected a torch.Tensor"),
    ([[0.0, 0.0, 0.0]], "list, expected a torch.Tensor"),
]


@pytest.mark.parametrize(("x", "message"), INPUTS)
def test_inputs_are_checked(x, message):
    with pytest.raises(ProgramError, match=message):
        layer_with()(x)


@pytest.mark.parametrize("shots", [-1, 1.5, "many", 2**32])
def test_shots_are_checked(shots):
    with pytest.raises(ProgramError, match="shots"):
        layer_with()(torch.zeros(1, 3), shots=shots)
