"""photonlink_samples, asked by the realtime client: the samples of a session of the same seed, whole or in pieces."""

import contextlib

import numpy as np
import pytest
from service_calls import FOREVER, end, post, usage_of

import photonlink as phl
from photonlink.errors import LinkTimeout, ProtocolError, ServiceError
from photonlink.qsc.client import ControlClient
from photonlink.qsc.launching import ServiceProcess
from photonlink.realtime import PHOTONLINK_FUNCTIONS, Client, UdpTransport

FUNCTIONS = {function.name: function for function in PHOTONLINK_FUNCTIONS}
SAMPLES, INFER, REPORT = (FUNCTIONS[f"photonlink_{name}"] for name in ("samples", "infer", "report"))
MODES, SEED = 6, 21
PHASES = np.random.default_rng(8).uniform(0, np.pi, (5, MODES))


@pytest.fixture(scope="module")
def control(tmp_path_factory):
    ledger = str(tmp_path_factory.mktemp("ledger") / "l.sqlite")
    with ServiceProcess("--ledger", ledger, "--transports", "udp") as service:
        yield ControlClient(service.target)


@contextlib.contextmanager
def reserved(control, program, shots):
    """Number of a session that has no client yet, its key and its address."""
    grant = post(control, program, shots=shots, seed=SEED, slots=4)
    try:
        key = int.from_bytes(bytes.fromhex(grant["transport"]["key"]), "big", signed=True)
        yield grant["session"], key, grant["transport"]["address"]
    finally:
        end(control, grant)


def reservoir(**options):
    return phl.Program.reservoir(MODES, 2, features=MODES, seed=7, **options)


def drawn(program, shots):
    """What a session of this process draws for the datapoints 0, 1, ... : photons per shot and mode."""
    as_samples = reservoir(readout=phl.Readout.samples(space=program.readout.space), noise=program.noise)
    with phl.reserve("sim", as_samples, shots=shots, seed=SEED) as session:
        return session.infer(np.vstack([PHASES[:1], PHASES]))


NOISE = phl.Noise(transmittance=0.6, indistinguishability=0.8)
PROGRAMS = {
    "unbunched": reservoir(),
    "fock": reservoir(readout=phl.Readout.mode_expectations(space="fock")),
    "samples": reservoir(readout=phl.Readout.samples(space="fock")),
    "noisy": reservoir(readout=phl.Readout.probs(space="fock"), noise=NOISE),
}


@pytest.mark.parametrize("shots", [1, 30, 20_000])
@pytest.mark.parametrize("kind", PROGRAMS)
def test_they_are_the_samples_of_the_session(control, kind, shots):
    program = PROGRAMS[kind]
    expected = drawn(program, shots)
    with reserved(control, program, shots) as (session, key, address):
        with Client(address, slot_bytes=65_507, pad=False, timeout=FOREVER) as client:
            samples = client.function(SAMPLES)
            for row, phases in enumerate(PHASES, start=1):  # the client counts its requests from 1
                photons = samples(key, phases, shots * MODES).reshape(shots, MODES)
                np.testing.assert_array_equal(photons, expected[row])
                if shots * MODES > 10_000:
                    break  # the pieces are requests, too
        assert usage_of(control.target, session)["tokens"] == row
        assert usage_of(control.target, session)["kept_samples"] == row * shots


def test_calls_in_flight_whose_results_are_fetched_side_by_side(control):
    shots = 2_000
    expected = drawn(PROGRAMS["unbunched"], shots)
    with (
        reserved(control, PROGRAMS["unbunched"], shots) as (session, key, address),
        Client(address, slot_bytes=65_507, pad=False, timeout=FOREVER) as client,
    ):
        calls = [client.function(SAMPLES).submit(key, phases, shots * MODES) for phases in PHASES[:4]]
        for row in (3, 0, 2, 1):
            photons = calls[row].result().reshape(shots, MODES)
            np.testing.assert_array_equal(photons, expected[row + 1])
            np.testing.assert_array_equal(calls[row].result().ravel(), photons.ravel())  # kept by the client
        assert usage_of(control.target, session)["tokens"] == 4


def test_reports_and_observables_come_in_pieces_too(control):
    program = phl.Program.reservoir(12, 4, features=6, seed=7, readout=phl.Readout.probs(space="fock"))
    phases = np.zeros((1, 6))
    with (
        reserved(control, program, 500) as (_, key, address),
        Client(address, slot_bytes=65_507, pad=False, timeout=FOREVER) as client,
    ):
        observables = client.function(INFER)(key, phases[0], program.output_size)
        expected = program.simulate(phases, shots=500, seed=SEED, ids=[1])[0]
        np.testing.assert_array_equal(observables, expected)
        report = client.function(REPORT)(key, phases[0]).tobytes()
        assert int.from_bytes(report[20:24], "little") == 500  # shots
        assert len(report) > 16 * program.output_size


def test_what_is_refused_costs_nothing(control):
    shots = 30
    with (
        reserved(control, PROGRAMS["unbunched"], shots) as (session, key, address),
        Client(address, slot_bytes=65_507, pad=False, timeout=FOREVER) as client,
    ):
        samples = client.function(SAMPLES)
        for count in (0, 1, shots, shots * MODES - 1, shots * MODES + MODES):
            with pytest.raises(ProtocolError, match="does not match the function"):
                samples(key, PHASES[0], count)
        with pytest.raises(ProtocolError, match="does not match the function"):
            samples(key, PHASES[0, 1:], shots * MODES)
        with pytest.raises(ProtocolError, match="wrong session key"):
            samples(key ^ 1, PHASES[0], shots * MODES)
        with pytest.raises(ServiceError, match="phase not finite"):
            samples(key, np.full(MODES, np.nan), shots * MODES)
        assert usage_of(control.target, session)["tokens"] == 0


def test_exact_sessions_have_none(control):
    with (
        reserved(control, PROGRAMS["unbunched"], None) as (_, key, address),
        Client(address, slot_bytes=65_507, pad=False, timeout=FOREVER) as client,
    ):
        for count in (0, MODES):
            with pytest.raises(ProtocolError, match="does not match the function"):
                client.function(SAMPLES)(key, PHASES[0], count)


class _Deaf(UdpTransport):
    """Does not hear one answer."""

    def __init__(self, address, deaf_at):
        super().__init__(address, 65_507)
        self._left = deaf_at

    def receive(self, seconds):
        datagram = super().receive(seconds)
        if datagram is not None:
            self._left -= 1
        return None if datagram is not None and self._left == 0 else datagram


def test_a_piece_that_is_lost_is_a_timeout_and_can_be_asked_for_again(control):
    shots = 2_000
    expected = drawn(PROGRAMS["unbunched"], shots)
    with (
        reserved(control, PROGRAMS["unbunched"], shots) as (session, key, address),
        Client(_Deaf(address, deaf_at=3), pad=False) as client,
    ):
        call = client.function(SAMPLES).submit(key, PHASES[0], shots * MODES, timeout=FOREVER)
        with pytest.raises(LinkTimeout, match="photonlink_fetch"):
            call.result(timeout=1.0)
        np.testing.assert_array_equal(call.result(timeout=FOREVER).reshape(shots, MODES), expected[1])
        assert usage_of(control.target, session)["tokens"] == 1
