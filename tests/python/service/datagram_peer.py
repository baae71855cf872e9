"""A server that is asked datagram by datagram, over a raw socket."""

import re
import socket
import struct

from service_calls import FOREVER, raw

TIME = 0x1122334455667788


class Peer:
    """Asks the server at a port of this machine.

    Args:
        port: Where it listens.
        slot: Bytes of its slots.
        slots: How many it has.
        key: What stands in front of every payload.
        function: Answers with what stands behind the key, `added` to every byte.
    """

    def __init__(self, port, *, slot, slots, key, function, added=0):
        self.slot, self.slots, self.key = slot, slots, key
        self._function, self._added = function, added
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(FOREVER)
        self.socket.connect(("127.0.0.1", port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def frame(self, data=b"", request_id=1, time=0, *, function=None, length=None):
        payload = self.key + data
        length = len(payload) if length is None else length
        function = self._function if function is None else function
        return struct.pack("<IIIIQ", 0x43555152, function, length, request_id, time) + payload

    def expected(self, data):
        return bytes((byte + self._added) % 256 for byte in data)

    def send(self, datagram):
        self.socket.send(datagram)

    def receive(self):
        """Status, id, time and payload of the next answer, which must fill a slot."""
        datagram = self.socket.recv(65536)
        magic, status, length, request_id, time = struct.unpack_from("<IiIIQ", datagram)
        assert magic == 0x43555153
        assert len(datagram) == self.slot
        assert datagram[24 + length :] == bytes(self.slot - 24 - length), "nothing of earlier answers"
        return status, request_id, time, datagram[24 : 24 + length]

    def ask(self, datagram):
        self.send(datagram)
        return self.receive()

    def serves(self, request_id):
        """Answers come in order of arrival: one to anything sent before would come in place of this one."""
        assert self.ask(self.frame(b"here", request_id, TIME)) == (0, request_id, TIME, self.expected(b"here"))


def counts(service):
    """Datagrams of a controller by what became of them, as Prometheus reads them."""
    _, _, text = raw(service, "GET", "/v1/metrics")
    found = re.findall(r'photonlink_qsc_udp_datagrams_total\{outcome="(\w+)"\} ([\d.]+)', text.decode())
    return {outcome: int(float(count)) for outcome, count in found}
