"""UDP sessions whose frames carry authentication tags: on loopback, on an address beyond it, from another namespace."""

import contextlib
import fcntl
import os
import socket
import struct
import subprocess
import sys

import numpy as np
import pytest
from service_calls import FOREVER, TOKEN, end, post, usage_of
from siphash import siphash

import photonlink as phl
from photonlink.errors import TargetUnavailable
from photonlink.qsc.client import ControlClient
from photonlink.qsc.launching import ServiceProcess

REQUEST, RESPONSE = 0x43555152, 0x43555153
JOIN_AGAIN = 107
SIOCGIFADDR = 0x8915  # netdevice(7)


@pytest.fixture(scope="module")
def tagging(tmp_path_factory):
    """A service on loopback whose frames carry tags, and which says all it has to say."""
    path = str(tmp_path_factory.mktemp("ledger") / "l.sqlite")
    with ServiceProcess("--ledger", path, "--udp-tags", "--log-level", "debug") as service:
        yield service


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text(TOKEN)
    return ["--token-file", str(path)]


def function_id(name):
    value = 0x811C9DC5
    for byte in name:
        value = (value ^ byte) * 0x01000193 % 2**32
    return value


def address_beyond_loopback():
    """An IPv4 address of this machine that others could reach."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, interface in socket.if_nameindex():
            with contextlib.suppress(OSError):  # it has no such address
                reply = fcntl.ioctl(probe, SIOCGIFADDR, struct.pack("256s", interface.encode()[:15]))
                found = socket.inet_ntoa(reply[20:24])
                if not found.startswith("127."):
                    return found
    pytest.skip("this machine has no IPv4 address beyond loopback")


class Peer:
    """Speaks tagged frames with nothing of this package."""

    def __init__(self, transport):
        host, port = transport["address"].split(":")
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(FOREVER)
        self._socket.connect((host, int(port)))
        self.key = bytes.fromhex(transport["tag_key"])

    def frame(self, name, arguments, request_id=0):
        """`arguments` are those behind the first, which is the tag."""
        header = struct.pack("<IIIIQ", REQUEST, function_id(name), 8 + len(arguments), request_id, 99)
        return header + siphash(self.key, header + arguments).to_bytes(8, "little") + arguments

    def send(self, datagram):
        self._socket.send(datagram)

    def receive(self, key=None):
        """Status and result of the next answer, whose tag is that of `key`."""
        answer = self._socket.recv(65536)
        magic, status, length, _, stamp = struct.unpack_from("<IiIIQ", answer)
        assert (magic, stamp, len(answer)) == (RESPONSE, 99, 24 + length + 8)
        if key is not None:
            assert siphash(key, answer[:-8]) == int.from_bytes(answer[-8:], "little")
        return status, answer[24:-8]

    def join(self, nonce):
        session, cookie = self.key, 0
        for expected in (JOIN_AGAIN, 0):
            self.send(self.frame(b"photonlink_join", struct.pack("<QQ", nonce, cookie)))
            status, result = self.receive()
            assert status == expected
            cookie, slot_bytes = struct.unpack("<QQ", result)
        words = [siphash(session, struct.pack("<QQQ", half, nonce, cookie)) for half in (0, 1)]
        self.key = struct.pack("<QQ", *words)
        return slot_bytes

    def close(self):
        self._socket.close()


def test_the_tests_own_siphash_is_that_of_the_published_vectors():
    key = bytes(range(16))
    assert siphash(key, b"") == 0x726FDB47DD0E0E31
    assert siphash(key, bytes(range(15))) == 0xA129CA6149BE45E5  # the paper's own example, appendix A
    assert siphash(key, bytes(range(63))) == 0x958A324CEB064572


def test_results_are_those_of_the_simulator(tagging, program, x):
    with phl.reserve(tagging.target, program, transport="udp", shots=37, seed=4, slots=8) as session:
        assert session.info.link == "UDP"
        assert np.array_equal(session.infer(x), program.simulate(x, shots=37, seed=4))
        assert session.usage.tokens == len(x)
    large = phl.Program.reservoir(12, 5, features=12, seed=3, readout=phl.Readout.probs(space="fock"))
    features = np.random.default_rng(5).uniform(0, 6, (5, 12))
    with phl.reserve(tagging.target, large, transport="udp", slots=3) as session:
        assert np.array_equal(session.infer(features), large.simulate(features)), "fetched in pieces"


def test_a_client_without_this_package(tagging, program):
    control = ControlClient(tagging.target)
    grant = post(control, program, transport="udp")
    assert grant["transport"]["key"] is None, "whoever has the tags' key needs no other"
    peer = Peer(grant["transport"])
    try:
        assert peer.join(nonce=12345) >= 256
        arguments = struct.pack("<Q6dQ", 6, *[0.5] * 6, grant["output_size"])
        request = peer.frame(b"photonlink_infer", arguments)
        damaged = request[:-1] + bytes([request[-1] ^ 1])
        for datagrams in ([request], [damaged, request]):
            for datagram in datagrams:
                peer.send(datagram)
            status, result = peer.receive(peer.key)
            assert status == 0
            assert np.frombuffer(result).sum() == pytest.approx(1.0, abs=1e-12)
        assert usage_of(tagging.target, grant["session"])["tokens"] == 1
    finally:
        peer.close()
        end(control, grant)


def test_secrets_are_not_logged(tagging, program):
    control = ControlClient(tagging.target)
    grant = post(control, program, transport="udp")
    try:
        status = control.call("GET", "/status")
        secrets = (grant["transport"]["tag_key"], grant["lease"])
        assert all(secret not in str(status) and secret not in tagging.said() for secret in secrets)
        assert len(grant["transport"]["tag_key"]) == 32
        assert "reserved" in tagging.said()
    finally:
        end(control, grant)


@pytest.mark.parametrize("host", ["its own", "0.0.0.0"])
def test_an_address_beyond_loopback(ledger, token_file, program, x, host):
    address = address_beyond_loopback()
    listen = address if host == "its own" else host
    with ServiceProcess("--host", listen, *token_file, *ledger) as service:
        target = f"qsc://{address}:{service.target.rsplit(':', 1)[1]}"
        with phl.reserve(target, program, transport="udp", token=TOKEN) as session:
            assert np.array_equal(session.infer(x), program.simulate(x))
            assert session.usage.tokens == len(x)
        with pytest.raises(TargetUnavailable, match="token"):
            phl.reserve(target, program, transport="udp", token="x" * 20)


CLIENT = """
import sys
import numpy as np
import photonlink as phl
program = phl.Program.load(sys.argv[2])
x = np.load(sys.argv[3])
with phl.reserve(sys.argv[1], program, token=sys.argv[4]) as session:
    assert session.info.link == "UDP", session.info.link
    assert np.array_equal(session.infer(x), program.simulate(x))
print("the same")
"""


def _ip(*words):
    return subprocess.run(["ip", *words], capture_output=True, text=True)


@pytest.fixture
def namespace():
    """A network namespace of its own at the far end of a cable; yields its name and our address."""
    name, cable = f"phl{os.getpid()}", f"phl{os.getpid() % 10**6}"
    try:
        made = _ip("netns", "add", name)
    except FileNotFoundError:
        pytest.skip("there is no ip command here")
    if made.returncode != 0:
        pytest.skip(f"network namespaces cannot be made here: {made.stderr.strip()}")
    steps = (
        f"link add {cable}a type veth peer name {cable}b netns {name}",
        f"address add 198.18.7.1/24 dev {cable}a",
        f"link set {cable}a up",
        f"-n {name} address add 198.18.7.2/24 dev {cable}b",
        f"-n {name} link set {cable}b up",
    )
    try:
        for step in steps:
            done = _ip(*step.split())
            if done.returncode != 0:
                pytest.skip(f"a cable to a network namespace cannot be made here: {done.stderr.strip()}")
        yield name, "198.18.7.1"
    finally:
        _ip("link", "delete", f"{cable}a")
        _ip("netns", "delete", name)


def test_a_client_in_another_network_namespace(namespace, ledger, token_file, program, x, tmp_path):
    name, address = namespace
    program.save(tmp_path / "program")
    np.save(tmp_path / "x.npy", x)
    with ServiceProcess("--host", address, *token_file, *ledger) as service:
        client = [sys.executable, "-c", CLIENT, service.target, str(tmp_path / "program"), str(tmp_path / "x.npy")]
        done = subprocess.run(
            ["ip", "netns", "exec", name, *client, TOKEN], capture_output=True, text=True, timeout=FOREVER
        )
    assert done.stdout == "the same\n", done.stderr
