"""Offloaded models are for inference, and what cannot be offloaded is named."""

import copy
import pickle

import merlin
import numpy as np
import perceval as pcvl
import pytest
import torch
from merlin import MeasurementStrategy
from merlin_models import FOCK, Branches, built, hybrid, memristive
from torch import nn

from photonlink.errors import ProgramError
from photonlink.merlin import offload
from photonlink.torch import QuantumLayer

AMPLITUDES = MeasurementStrategy.amplitudes(FOCK)


def test_it_is_for_inference():
    model, x = hybrid(built()), torch.rand(4, 5)
    with offload(model, "sim") as offloaded:
        with pytest.raises(ProgramError, match=r"layer '1'.*no_grad"):
            offloaded(x)
        with torch.inference_mode():
            assert offloaded(x).shape == (4, 2)
        offloaded.train()
        with torch.no_grad(), pytest.raises(ProgramError, match=r"layer '1'.*eval"):
            offloaded(x)


def test_a_model_in_training_mode_can_be_offloaded_before_it_is_evaluated():
    model = hybrid(built()).train()
    with torch.no_grad(), offload(model, "sim") as offloaded:
        assert offloaded.eval()(torch.rand(4, 5)).shape == (4, 2)


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (torch.zeros(2, 3, dtype=torch.complex64), "complex64"),
        (torch.zeros(2, 3, dtype=torch.int64), "int64"),
        (np.zeros((2, 3)), "ndarray"),
        (torch.zeros(2, 4), "3 features"),
        (torch.zeros(2, 3, dtype=torch.float16), "float16"),
        (torch.full((2, 3), float("nan")), "not finite"),
    ],
)
def test_wrong_inputs(x, said):
    with torch.no_grad(), offload(built(), "sim") as offloaded, pytest.raises(ProgramError, match=said):
        offloaded(x)


def test_weights_can_be_saved_but_not_loaded():
    model = hybrid(built())
    weights = copy.deepcopy(model.state_dict())
    with offload(model, "sim") as offloaded:
        saved = offloaded.state_dict()
        assert list(saved) == list(weights)
        assert all(torch.equal(saved[name], weights[name]) for name in weights)
        with pytest.raises(ProgramError, match="restore"):
            offloaded.load_state_dict(weights)
    model.load_state_dict(weights)


def test_its_parameters_are_not_trained():
    model = hybrid(built())
    with offload(model, "sim") as offloaded:
        assert [name for name, _ in offloaded.named_parameters()] == ["0.weight", "0.bias", "2.weight", "2.bias"]


@pytest.mark.parametrize("duplicate", [copy.deepcopy, pickle.dumps])
def test_an_offloaded_model_cannot_be_copied(duplicate):
    with offload(hybrid(built()), "sim") as offloaded, pytest.raises(ProgramError, match="restore"):
        duplicate(offloaded)


def test_representation_names_target_and_program():
    with offload(hybrid(built()), "sim") as offloaded:
        assert "OffloadedLayer(target='sim', program=Program(modes=4" in repr(offloaded)


# ---- what cannot be offloaded


def test_layers_that_are_to_stay_local():
    model, x = Branches().eval(), torch.rand(2, 3)
    model.inner[1].force_local = True
    with torch.no_grad():
        expected = model(x)
        handle = offload(model, "sim")
        with handle as offloaded:
            assert (offloaded(x) - expected).abs().max() < 1e-6
            assert "inner.1" not in handle.sessions


def test_a_model_without_quantum_layers():
    with pytest.raises(ProgramError, match="Linear has no quantum layer"):
        offload(nn.Linear(2, 2), "sim")
    with pytest.raises(ProgramError, match=r"expected a torch.nn.Module"):
        offload(lambda x: x, "sim")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: built(MeasurementStrategy.amplitudes()), "amplitudes"),
        (lambda: QuantumLayer(circuit=pcvl.BS(), input_state=[1, 1], measurement_strategy=AMPLITUDES), "amplitudes"),
        (lambda: merlin.QuantumLayer(builder=memristive(), n_photons=2), "memristive"),
        (lambda: _objects(), "return_object"),
    ],
)
def test_layers_without_a_program_are_named(make, said):
    model = nn.Sequential(nn.Identity(), nn.Sequential(make())).eval()
    with pytest.raises(ProgramError, match=rf"layer '1.0' .*{said}"):
        offload(model, "sim")


def _objects():
    builder = merlin.CircuitBuilder(4)
    builder.add_angle_encoding(modes=[0, 1], name="px")
    return merlin.QuantumLayer(builder=builder, n_photons=2, return_object=True)


def test_other_quantum_modules_are_named_instead_of_run_locally():
    kernel = merlin.FidelityKernel(merlin.FeatureMap.simple(2), n_photons=1)
    model = nn.Sequential(built(), nn.Sequential(kernel)).eval()
    with pytest.raises(ProgramError, match=r"layer '1.0' is a FidelityKernel"):
        offload(model, "sim")
    kernel.force_local = True
    with offload(model, "sim"):
        assert model[1][0] is kernel


def test_merlins_convolutional_network_passes_amplitudes_on():
    model = merlin.QCNNClassifier((4, 4), 2).eval()
    with pytest.raises(ProgramError, match=r"layer 'layers.QConv_1' .*amplitudes"):
        offload(model, "sim")


@pytest.mark.parametrize("base", [merlin.QuantumLayer, QuantumLayer])
def test_layers_with_code_of_their_own_are_named(base):
    class Twice(base):
        def forward(self, *x, **how):
            return 2 * super().forward(*x, **how)

    circuit = pcvl.Circuit(2) // pcvl.PS(pcvl.P("px")) // pcvl.BS()
    layer = Twice(circuit=circuit, input_state=[1, 1], input_parameters=["px"], input_size=1)
    with pytest.raises(ProgramError, match=r"layer '0' is a Twice"):
        offload(nn.Sequential(layer), "sim")
