"""Layers on a controller service: trained over the link, on one session for all weights."""

import pytest
import torch

import photonlink as phl
from photonlink.errors import SessionBusy
from photonlink.torch import QuantumLayer

pytest.importorskip("fastapi")


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    from photonlink.qsc.launching import ServiceProcess

    with ServiceProcess("--ledger", str(tmp_path_factory.mktemp("ledger") / "a.sqlite")) as service:
        yield service.target


def both(target):
    """A layer on the service, and the same one simulated here."""
    remote = QuantumLayer.simple(3, dtype=torch.float64, target=target)
    local = QuantumLayer.simple(3, dtype=torch.float64)
    local.load_state_dict(remote.state_dict())
    return remote, local


def test_training_over_the_link_is_training(target):
    remote, local = both(target)
    x, wanted = torch.rand(2, 3, dtype=torch.float64), torch.rand(2, 6, dtype=torch.float64)
    for layer in (remote, local):
        optimiser = torch.optim.SGD(layer.parameters(), lr=0.5)
        for _ in range(3):
            optimiser.zero_grad()
            ((layer(x) - wanted) ** 2).sum().backward()
            optimiser.step()
    for name, weight in local.state_dict().items():
        assert (remote.state_dict()[name] - weight).abs().max() < 1e-9
    with pytest.raises(SessionBusy):  # new weights took no new session: the first one is still held
        phl.reserve(target, local.program)
    remote.close()
    with phl.reserve(target, local.program) as session, torch.no_grad():  # the trained layer, for inference
        assert (QuantumLayer(session=session)(x) - local(x)).abs().max() < 1e-12


def test_samples_over_the_link(target):
    remote, local = both(target)
    x = torch.rand(2, 3, dtype=torch.float64)
    y = remote(x, shots=2000)
    assert (y - local(x)).abs().max() < 6 * 0.5 / 2000**0.5
    y[:, 0].sum().backward()
    local(x)[:, 0].sum().backward()
    assert (remote.LI_simple.grad - local.LI_simple.grad).abs().max() < 0.2
    remote.close()
