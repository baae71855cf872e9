"""A controller behind UDP, called by the realtime client, which knows nothing of photonics."""

import numpy as np
import pytest

import photonlink as phl
from photonlink.errors import ProtocolError
from photonlink.qsc.client import ControlClient
from photonlink.qsc.launching import ServiceProcess
from photonlink.realtime import PHOTONLINK_FUNCTIONS, Client

FUNCTIONS = {function.name: function for function in PHOTONLINK_FUNCTIONS}


@pytest.fixture
def reserved(ledger, program, monkeypatch):
    """A session over UDP, and the offer that the control plane made for it."""
    offers = []
    call = ControlClient.call

    def noting(self, *arguments, **options):
        answer = call(self, *arguments, **options)
        offers.append(answer.get("transport"))
        return answer

    monkeypatch.setattr(ControlClient, "call", noting)
    with ServiceProcess(*ledger, "--transports", "udp") as service, phl.reserve(service.target, program) as session:
        yield session, next(offer for offer in offers if offer)


def test_datapoints_and_refusals(reserved, program):
    session, offer = reserved
    key = int.from_bytes(bytes.fromhex(offer["key"]), "big", signed=True)
    with Client(offer["address"], slot_bytes=4096, pad=False, timeout=10) as raw:
        call = {name: raw.function(function) for name, function in FUNCTIONS.items()}
        assert call["photonlink_ping"](key)[0] == 1
        assert call["photonlink_echo"](key, b"abc").tobytes() == b"abc"
        phases = np.random.default_rng(11).uniform(0, np.pi, 6)
        observables = call["photonlink_infer"](key, phases, program.output_size)
        np.testing.assert_array_equal(observables, session.infer(phases))
        with pytest.raises(ProtocolError, match="wrong session key"):
            call["photonlink_status"](key ^ 1)
        with pytest.raises(ProtocolError, match="does not match the function"):
            call["photonlink_infer"](key, phases[1:], program.output_size)
        with pytest.raises(ProtocolError, match="unknown function"):
            raw.function("unheard_of(i64 key)")(key)
    assert session.usage.tokens == 2


def test_a_slot_of_another_size_is_named(reserved):
    _, offer = reserved
    with Client(offer["address"], slot_bytes=128, timeout=10) as raw, pytest.raises(ProtocolError, match="slot_bytes="):
        raw.function(FUNCTIONS["photonlink_ping"])(0)
