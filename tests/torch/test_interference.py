"""Layers of distinguishable photons: the control that every claim about interference needs."""

import numpy as np
import perceval as pcvl
import pytest
import torch

import photonlink as phl
from photonlink.errors import ProgramError
from photonlink.noise import Noise
from photonlink.torch import QuantumLayer


def test_photons_do_not_meet_in_a_beam_splitter():
    """Hong, Ou and Mandel: together they leave together; distinguishable ones do so half of the time."""
    circuit = pcvl.Circuit(2) // pcvl.PS(pcvl.P("px")) // pcvl.BS(theta=pcvl.P("theta"))

    def layer(*, interference):
        return QuantumLayer(
            circuit=circuit,
            input_state=[1, 1],
            trainable_parameters=["theta"],
            input_parameters=["px"],
            measurement_strategy=phl.Readout.probs("fock"),
            interference=interference,
        )

    for interference, together in ((True, 1.0), (False, 0.5)):
        made = layer(interference=interference)
        made.load_state_dict({"theta": torch.tensor([np.pi / 2])})
        y = made(torch.zeros(1)).detach()
        assert abs(float(y[0] + y[2]) - together) < 1e-6


def test_weights_and_gradients():
    torch.manual_seed(0)
    layer = QuantumLayer.simple(3, dtype=torch.float64, interference=False)
    x = torch.rand(2, 3, dtype=torch.float64, requires_grad=True)
    program = layer.program
    assert not program.interference
    assert np.allclose(layer(x).detach().numpy(), program.simulate(x.detach().numpy()), atol=1e-12)
    noisy = program.replace(interference=True, noise=Noise(indistinguishability=0.0))
    assert np.allclose(layer(x).detach().numpy(), noisy.simulate(x.detach().numpy()), atol=1e-10)
    assert torch.autograd.gradcheck(layer, (x,))
    names = list(dict(layer.named_parameters()))
    values = tuple(parameter.detach().clone().requires_grad_() for parameter in layer.parameters())

    def at(*weights):
        return torch.func.functional_call(layer, dict(zip(names, weights, strict=True)), x.detach())

    assert torch.autograd.gradcheck(at, values)


def test_sampled_results_are_without_interference_too():
    torch.manual_seed(1)
    layer, x = QuantumLayer.simple(3, interference=False), torch.rand(2, 3)
    with torch.no_grad():
        exact, sampled = layer(x), layer(x, shots=40000)
    assert (exact - sampled).abs().max() < 0.02  # about 8 standard errors


def test_a_session_has_its_own(photonlink_session):
    program = phl.Program.reservoir(4, 2, features=4, interference=False)
    assert not QuantumLayer(program=program).program.interference
    assert not QuantumLayer(program=program.replace(interference=True), interference=False).program.interference
    with pytest.raises(ProgramError, match="interference"):
        QuantumLayer(session=photonlink_session(program), interference=False)
