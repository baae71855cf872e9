"""Models over controller services, which serve one session at a time."""

import merlin
import pytest
import torch
from torch import nn

from photonlink.errors import LinkClosed, ProgramError, SessionBusy
from photonlink.merlin import Processor, convert, offload
from photonlink.qsc.launching import ServiceProcess


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ledgers")
    with (
        ServiceProcess("--ledger", str(folder / "a.sqlite")) as first,
        ServiceProcess("--ledger", str(folder / "b.sqlite")) as second,
    ):
        yield first.target, second.target


def layer(seed):
    torch.manual_seed(seed)
    return merlin.QuantumLayer.simple(3).quantum_layer.eval()


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.between, self.second = layer(1), nn.Linear(6, 3), layer(2)

    def forward(self, x):
        return self.second(self.between(self.first(x)))


@pytest.fixture
def two():
    """A model of two programs, datapoints for it, and what it makes of them."""
    model, x = Two().eval(), torch.rand(4, 3)
    with torch.no_grad():
        return model, x, model(x)


def test_offload_to_a_service(services):
    model, x = nn.Sequential(nn.Linear(3, 3), layer(0)).eval(), torch.rand(4, 3)
    handle = offload(model, services[0])
    with torch.no_grad(), handle as offloaded:
        expected = handle.sessions["1"].program.simulate(model[0](x))
        assert abs(offloaded(x).numpy() - expected).max() < 1e-6
        assert handle.sessions["1"].info.link == "shared memory"
        with pytest.raises(SessionBusy):
            offload(layer(1), services[0])
    assert handle.sessions["1"].usage.tokens == 4
    with offload(layer(1), services[0]):  # it is free again
        pass


def test_a_service_has_no_room_for_two_layers(services, two):
    model, x, expected = two
    with pytest.raises(ProgramError, match=r"layer 'second' needs a session of its own.*Processor"):
        offload(model, services[0])
    with torch.no_grad():
        assert torch.equal(model(x), expected)
        with offload(model, dict(zip(("first", "second"), services, strict=True))) as offloaded:
            assert (offloaded(x) - expected).abs().max() < 1e-6


def test_a_processor_takes_turns(services, two):
    model, x, expected = two
    with Processor(services[0]) as processor:
        futures = [processor.forward_async(model, x) for _ in range(3)]
        for future in futures:
            assert (future.wait() - expected).abs().max() < 1e-6
            assert len(future.job_ids) == 2
    with offload(layer(1), services[0]):  # it has let go of the service
        pass


def test_the_variable_moves_models_to_a_service(services, monkeypatch):
    monkeypatch.setenv("PHOTONLINK_TARGET", services[1])
    with offload(layer(0), "sim") as offloaded:
        info = offloaded.session.info
        assert (info.target, info.target_overridden_from) == (services[1], "sim")
    with Processor("sim") as processor:
        future = processor.forward_async(layer(0), torch.rand(2, 3))
        assert future.wait().shape == (2, 6)
        assert future.job_ids[0].startswith(services[1])


def test_a_service_that_dies(tmp_path):
    model, x = layer(0), torch.rand(2, 3)
    with ServiceProcess("--ledger", str(tmp_path / "ledger.sqlite")) as service:
        handle = offload(model, service.target)
        with torch.no_grad():
            handle.model(x)
            service.process.kill()
            service.process.wait()
            with pytest.raises(LinkClosed):
                handle.model(x)
            with pytest.raises(LinkClosed, match="ledger"):
                handle.restore()
        handle.restore()  # what could not be reported is said once
        assert convert(handle.model) is not None
