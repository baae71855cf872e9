"""Sessions whose frames come through a transport provider of our own, built from tests/cpp/transport."""

import os
import shutil
import socket
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from service_calls import post, raw

import photonlink as phl
from photonlink.errors import ProgramError, ServiceError, TargetUnavailable
from photonlink.qsc.client import ControlClient
from photonlink.qsc.config import ServiceConfig
from photonlink.qsc.launching import ServiceProcess
from photonlink.qsc.links import choose
from photonlink.realtime import function_id

ROOT = Path(__file__).parents[3]
UPSTREAM = os.environ.get("CUDAQ_BRIDGE_UDP")
COMPILER = shutil.which(os.environ.get("CXX", "c++"))
X = np.random.default_rng(5).uniform(0, 2 * np.pi, (20, 4))


@pytest.fixture(scope="module")
def program():
    return phl.Program.reservoir(5, 2, features=4, seed=2)


@pytest.fixture(scope="module")
def provider(tmp_path_factory):
    """Builds a provider whose table has the version asked for; returns its file."""
    if COMPILER is None:
        pytest.skip("no C++ compiler to build a provider with")
    folder = tmp_path_factory.mktemp("provider")

    def build(version=3):
        file = folder / f"libprovider-{version}.so"
        if not file.exists():
            source = ROOT / "tests" / "cpp" / "transport" / "bridge_provider.cpp"
            options = ["-std=c++17", "-shared", "-fPIC", f"-DPROVIDER_VERSION={version}", f"-I{ROOT / 'csrc/include'}"]
            subprocess.run([COMPILER, *options, str(source), "-o", str(file), "-pthread"], check=True)
        return str(file)

    return build


@pytest.mark.parametrize("form", ["--unified", ""])
def test_results_are_those_of_this_process(provider, ledger, program, form):
    with phl.reserve("sim", program, shots=37, seed=4) as session:
        expected = session.infer(X)
    with ServiceProcess(*ledger, "--bridge", f"{provider()} --num-slots=4 --slot-size=512 {form}") as service:
        assert service.bridge.startswith("transport=udp port=")
        for _ in range(2):
            with phl.reserve(service.target, program, transport="bridge", shots=37, seed=4) as session:
                np.testing.assert_array_equal(session.infer(X), expected)
                assert session.usage.tokens == len(X)
        with phl.reserve(service.target, program, shots=37, seed=4) as session:  # the others are there, too
            assert session.info.link == "shared memory"
            np.testing.assert_array_equal(session.infer(X), expected)


@pytest.mark.parametrize("form", ["--unified", ""])
def test_slots_that_an_acquisition_holds_up_are_no_silence(provider, ledger, program, form):
    with (
        ServiceProcess(*ledger, "--bridge", f"{provider()} --num-slots=4 --slot-size=512 {form}") as service,
        phl.reserve(service.target, program, transport="bridge", shots=600_000, clock="realtime") as session,
    ):
        values = session.infer(X[0])  # 6 s at 100 kHz, in which the slots fill up with pings
        assert session.usage.tokens == 1
    np.testing.assert_allclose(values, program.simulate(X[0]), atol=0.005)


@pytest.mark.skipif(UPSTREAM is None, reason="CUDAQ_BRIDGE_UDP names no libcudaq-realtime-bridge-udp.so of CUDA-Q")
def test_the_provider_of_cuda_q_serves_sessions(ledger, program):
    with ServiceProcess(*ledger, "--bridge", f"{UPSTREAM} --num-slots=4 --slot-size=512 --unified") as service:
        for seed in (4, 5):
            with phl.reserve(service.target, program, transport="bridge", shots=37, seed=seed) as session:
                np.testing.assert_array_equal(session.infer(X), program.simulate(X, shots=37, seed=seed))
                assert session.usage.tokens == len(X)


def test_golden_frames_and_what_the_status_says(provider, ledger, program):
    with ServiceProcess(*ledger, "--bridge", f"{provider()} --unified --say=here") as service:
        control = ControlClient(service.target)
        (offer,) = [o for o in control.call("GET", "/status")["transports"] if o["kind"] == "bridge"]
        assert offer["address"] == service.bridge
        assert (offer["version"], offer["slots"], offer["slot_bytes"], offer["problem"]) == (3, 8, 256, "")
        grant = post(control, program, transport="bridge", slots=64)
        assert grant["transport"]["address"] == service.bridge
        assert (grant["slots"], grant["transport"]["slot_bytes"]) == (8, 256)
        key = int(grant["transport"]["key"], 16)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.settimeout(60)
            peer.connect(("127.0.0.1", int(service.bridge.rpartition("=")[2])))
            peer.send(bytes.fromhex("52515543 22631b19 03000000 07000000 8877665544332211 00ff41"))
            answer = bytes.fromhex("53515543 ffffffff 00000000 07000000 8877665544332211")
            assert peer.recv(4096) == answer.ljust(256, b"\0")
            peer.send(struct.pack("<IIIIQQ3s", 0x43555152, function_id("photonlink_echo"), 11, 9, 5, key, b"abc"))
            assert peer.recv(4096) == struct.pack("<IiIIQ3s", 0x43555153, 0, 3, 9, 5, b"abc").ljust(256, b"\0")
        _, _, metrics = raw(service, "GET", "/v1/metrics")
        assert b'photonlink_qsc_bridge_frames_total{outcome="received"} 2.0' in metrics


def test_a_provider_that_cannot_be_used_is_named(provider, ledger):
    for words, complaint in (
        ("libnowhere.so", r"libnowhere\.so cannot be loaded"),
        (f"{provider()} --fail=create", r"create of the transport provider .* failed with status 2"),
        (provider(1), "does not say how many slots"),
    ):
        with pytest.raises(ServiceError, match=complaint), ServiceProcess(*ledger, "--bridge", words):
            pass
    with ServiceProcess(*ledger, "--bridge", provider(1), "--bridge-slots", "4") as service:
        assert service.bridge == ""


def test_what_fails_later_refuses_sessions_and_frees_the_processor(provider, ledger, program):
    with ServiceProcess(*ledger, "--bridge", f"{provider()} --fail=launch --slot-size=64") as service:
        with pytest.raises(ServiceError, match="launch of the transport provider"):
            phl.reserve(service.target, program, transport="bridge")
        with phl.reserve(service.target, program) as session:
            assert session.infer(X).shape == (len(X), program.output_size)
    with (
        ServiceProcess(*ledger, "--bridge", f"{provider()} --slot-size=64") as service,
        pytest.raises(ProgramError, match="start the provider with larger slots"),
    ):
        phl.reserve(service.target, program, transport="bridge")


def test_a_client_says_which_transport_it_does_not_speak():
    offer = {"kind": "bridge", "machine": "elsewhere", "address": "transport=cpu_roce port=9000 roce_ip=10.0.0.2"}
    with pytest.raises(TargetUnavailable, match="does not speak cpu_roce"):
        choose("qsc://far:7117", {"transports": [offer]}, "bridge")
    with pytest.raises(TargetUnavailable, match="another machine"):
        choose("qsc://far:7117", {"transports": [{**offer, "address": "transport=udp port=9000"}]}, None)


def test_bridges_are_configured_whole(tmp_path):
    def config(**options):
        return ServiceConfig(ledger=tmp_path / "l.sqlite", **options)

    assert config().offered == ("shm", "udp")
    assert config(bridge=("udp",)).offered == ("shm", "udp", "bridge")
    assert config(bridge=("udp",), transports=("bridge",)).offered == ("bridge",)
    for wrong in (
        {"transports": ("bridge",)},
        {"bridge": ("udp",), "transports": ("shm",)},
        {"bridge_slots": 4},
        {"bridge": ("udp",), "bridge_slots": 0},
    ):
        with pytest.raises(ServiceError, match="bridge"):
            config(**wrong)
