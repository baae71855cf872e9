"""MerLin layers and what becomes of them: the same outputs, the same gradients, or an error that says why not."""

import warnings

import merlin
import numpy as np
import perceval as pcvl
import pytest
import torch
from merlin_models import meshes
from random_layers import random_case

import photonlink as phl
from photonlink.errors import ProgramError, TargetUnavailable
from photonlink.merlin import convert
from photonlink.torch import QuantumLayer

of, Space = merlin.MeasurementStrategy, merlin.ComputationSpace


def tensor(y):
    """MerLin's partial measurement is an object around the probabilities."""
    return getattr(y, "tensor", y)


def gradients(layer, x, cotangent):
    x = x.clone().requires_grad_()
    layer.zero_grad()
    (tensor(layer(x)) * cotangent).sum().backward()
    return [x.grad, *(p.grad for _, p in sorted(layer.named_parameters()))]


def doubled(case, layer):
    """The same weights in double precision: in single, MerLin's probabilities add up to 1 within 2e-6 at best."""
    reference = case.layer(torch.float64)
    reference.load_state_dict({name: weight.double() for name, weight in layer.state_dict().items()})
    return reference


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize(("dtype", "exact", "steep"), [(torch.float64, 1e-10, 1e-8), (torch.float32, 1e-6, 1e-5)])
def test_random_layers_agree(seed, dtype, exact, steep):
    case = random_case(seed)
    theirs = case.layer(dtype)
    ours = QuantumLayer.from_merlin(theirs)
    reference = doubled(case, theirs)
    x = torch.empty(3, case.features, dtype=dtype).uniform_(-3, 3)
    expected = tensor(reference(x.double())).detach()
    assert ours.output_size == expected.shape[1] == len(ours.output_keys)
    assert (ours(x) - expected).abs().max() < exact
    assert (ours(x) - tensor(theirs(x))).abs().max() < 4 * exact

    conversion = convert(theirs)
    assert conversion.output_keys == ours.output_keys
    collected = conversion.collect(conversion.program.simulate(x.numpy(), precision=str(dtype)[6:]))
    assert np.abs(collected - expected.numpy()).max() < exact

    cotangent = torch.randn_like(expected)
    for own, their in zip(gradients(ours, x, cotangent), gradients(reference, x.double(), cotangent), strict=True):
        assert own.dtype == dtype
        # A weight that another prefix took over has no gradient in MerLin, and one of zero here.
        assert (own - (0.0 if their is None else their)).abs().max() < steep


def layer(**arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MerLin corrects g2_distinguishable, and says which detectors it ignores
        if "experiment" in arguments:
            arguments |= {"trainable_parameters": ["U", "V"], "input_parameters": ["px"]}
        else:
            arguments.setdefault("builder", meshes())
        defaults = {"dtype": torch.float64, "measurement_strategy": of.probs(Space.FOCK)}
        if "input_state" not in arguments:
            defaults["n_photons"] = 2
        return merlin.QuantumLayer(**{**defaults, **arguments})


NOISE = [
    pcvl.NoiseModel(transmittance=0.7),
    pcvl.NoiseModel(brightness=0.8, transmittance=0.9),
    pcvl.NoiseModel(indistinguishability=0.85),
    pcvl.NoiseModel(indistinguishability=0.9, transmittance=0.8),
    pcvl.NoiseModel(g2=0.05, g2_distinguishable=False),
    pcvl.NoiseModel(g2=0.05, indistinguishability=0.9),
    pcvl.NoiseModel(g2=0.05, indistinguishability=0.9, transmittance=0.8),
]
FOCK_STRATEGIES = [
    of.probs(Space.FOCK),
    of.probs(Space.FOCK, occupancy_readout=True),
]


@pytest.mark.parametrize("noise", NOISE, ids=str)
@pytest.mark.parametrize("strategy", FOCK_STRATEGIES, ids=["probs", "occupancy"])
def test_noise_agrees(noise, strategy):
    theirs = layer(noise=noise, measurement_strategy=strategy)
    conversion = convert(theirs)
    x = torch.empty(3, 3, dtype=torch.float64).uniform_(-3, 3)
    expected = theirs(x).detach().numpy()
    assert np.abs(conversion.collect(conversion.program.simulate(x.numpy())) - expected).max() < 1e-10
    assert list(conversion.output_keys) == list(theirs.output_keys)
    ours = QuantumLayer.from_merlin(theirs)
    assert np.abs(ours(x).detach().numpy() - expected).max() < 1e-10
    ours.close()


@pytest.mark.parametrize("noise", [None, NOISE[0]], ids=["lossless", "lossy"])
@pytest.mark.parametrize("grouping", [None, merlin.LexGrouping, merlin.ModGrouping])
def test_threshold_detectors_agree(noise, grouping):
    """MerLin 0.4.2 cannot group these outputs itself, so its grouping is applied to them here."""
    experiment = pcvl.Experiment(meshes().to_pcvl_circuit())
    for mode in range(4):
        experiment.detectors[mode] = pcvl.Detector.threshold()
    experiment.noise = noise
    theirs = layer(experiment=experiment, input_state=[2, 0, 1, 0])
    x = torch.empty(3, 3, dtype=torch.float64).uniform_(-3, 3)
    expected = theirs(x).detach()
    if grouping is not None:
        group = grouping(theirs.output_size, 4)
        expected = group(expected)
        theirs.measurement_strategy = of.probs(Space.FOCK, group)
    conversion = convert(theirs)
    collected = conversion.collect(conversion.program.simulate(x.numpy()))
    assert np.abs(collected - expected.numpy()).max() < 1e-10


@pytest.mark.parametrize("noise", [NOISE[2], NOISE[5]], ids=str)
@pytest.mark.parametrize("grouping", [merlin.LexGrouping, merlin.ModGrouping])
def test_groups_of_noisy_layers_agree(noise, grouping):
    size = layer(noise=noise).output_size
    theirs = layer(noise=noise, measurement_strategy=of.probs(Space.FOCK, grouping(size, 4)))
    conversion = convert(theirs)
    x = torch.empty(3, 3, dtype=torch.float64).uniform_(-3, 3)
    collected = conversion.collect(conversion.program.simulate(x.numpy()))
    assert np.abs(collected - theirs(x).detach().numpy()).max() < 1e-10


def test_detectors_outside_the_fock_space_are_ignored_as_in_merlin():
    experiment = pcvl.Experiment(meshes().to_pcvl_circuit())
    experiment.detectors[1] = pcvl.Detector.threshold()
    theirs = layer(experiment=experiment, measurement_strategy=of.probs(Space.UNBUNCHED))
    x = torch.rand(2, 3, dtype=torch.float64)
    assert np.abs(phl.Program.from_merlin(theirs).simulate(x.numpy()) - theirs(x).detach().numpy()).max() < 1e-10


def test_program_from_merlin_keeps_names_weights_and_columns():
    theirs = layer(measurement_strategy=of.probs(Space.UNBUNCHED, merlin.LexGrouping(6, 3)))
    program = phl.Program.from_merlin(theirs)
    assert program.features == ("px1", "px2", "px3")
    assert program.readout == phl.Readout.probs("unbunched", phl.LexGrouping(3))
    x = torch.rand(2, 3, dtype=torch.float64)
    assert np.abs(program.simulate(x.numpy()) - theirs(x).detach().numpy()).max() < 1e-12
    with torch.no_grad():
        theirs.get_parameter("U").zero_()
    assert phl.Program.from_merlin(theirs) != program  # weights are read when it is made
    with pytest.raises(ProgramError, match="convert"):
        phl.Program.from_merlin(layer(measurement_strategy=of.partial([0], Space.FOCK)))


def test_a_superposition_of_one_state_is_that_state():
    state = merlin.core.state_vector.StateVector.from_basic_state([0, 1, 1, 0])
    theirs = layer(input_state=state)
    assert convert(theirs).program.input_state == (0, 1, 1, 0)


def superposition():
    vector = merlin.core.state_vector.StateVector
    return vector.from_basic_state([1, 1, 0, 0]) + vector.from_basic_state([0, 0, 1, 1])


def memristive():
    builder = meshes()
    return builder.add_memristive_ps(0, lambda state, output: state + output[:, 0], 0.1)


def half_threshold():
    experiment = pcvl.Experiment(meshes().to_pcvl_circuit())
    experiment.detectors[0] = pcvl.Detector.threshold()
    return experiment


REFUSED = [
    (lambda: layer(measurement_strategy=of.amplitudes(Space.FOCK)), "amplitudes"),
    (lambda: layer(input_state=superposition()), "superposition of 2 Fock states"),
    (lambda: layer(builder=memristive()), "memristive"),
    (lambda: layer(noise=pcvl.NoiseModel(phase_imprecision=0.1)), "phase_imprecision"),
    (lambda: layer(noise=pcvl.NoiseModel(phase_error=0.1)), "phase_error"),
    (lambda: layer(noise=NOISE[0], measurement_strategy=of.probs(Space.UNBUNCHED)), "before photons are lost"),
    (lambda: layer(noise=pcvl.NoiseModel(g2=0.1, brightness=0.5, indistinguishability=0.9)), "brightness"),
    (lambda: layer(experiment=half_threshold()), "detectors of kind"),
    (lambda: layer(experiment=half_threshold(), measurement_strategy=of.partial([0], Space.FOCK)), "detectors"),
    (lambda: torch.nn.Linear(2, 2), "merlin.QuantumLayer, got torch.nn"),
]


@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_what_a_program_cannot_express_is_named(make, message):
    with pytest.raises(ProgramError, match=message):
        convert(make())


@pytest.mark.parametrize(
    ("found", "supported"), [("0.4.1", False), ("0.4.2", True), ("0.4.10rc1", True), ("0.5.0", False)]
)
def test_versions(monkeypatch, found, supported):
    monkeypatch.setattr("photonlink.merlin._convert.version", lambda _: found)
    if supported:
        convert(layer())
    else:
        with pytest.raises(TargetUnavailable, match=r"merlinquantum>=0.4.2,<0.5") as raised:
            convert(layer())
        assert raised.value.reason is phl.errors.Unavailable.NOT_INSTALLED
