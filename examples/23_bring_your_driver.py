"""Bring your own hardware: a driver for a chip that is spoken to over a socket becomes a target like any other.

The instrument at the other end of the socket is a stand-in (a thread that samples a simulation), so that this runs
anywhere; the driver is what a laboratory would write, and says itself that the photons behind it are simulated.
"""

import collections
import socket
import socketserver
import threading

import numpy as np

import photonlink as phl

MODES, PHOTONS = 4, 2
CHIP = phl.Program.reservoir(MODES, PHOTONS, features=MODES, seed=3, readout=phl.Readout.samples("unbunched"))


class Instrument(socketserver.StreamRequestHandler):
    """Text over TCP: ``PHASES a b ...`` sets the heaters, ``ACQUIRE n`` returns a line with n clicked patterns."""

    def handle(self):
        """One connection."""
        heaters = np.zeros(MODES)
        with phl.Controller() as light, phl.reserve("sim", CHIP, shots=50, controller=light) as photons:
            for line in self.rfile:
                command, *words = line.decode().split()
                if command == "PHASES":
                    heaters = np.array(words, float)
                    self.wfile.write(b"ok\n")
                else:
                    patterns = photons.infer(heaters)[: int(words[0])]  # detects 50 at a time at most
                    self.wfile.write(" ".join("".join(map(str, state)) for state in patterns).encode() + b"\n")


class LabChip(phl.processors.Processor):
    """The driver. Its methods run in one thread of photonlink's, and only while a session holds the chip."""

    name = "lab-chip"
    simulated = True  # on real hardware: False
    timeout = 10.0

    def __init__(self, address):
        self.address = address
        self.socket = None

    def configure(self, task):
        """Refuse what the chip cannot run; connect."""
        if (task.modes, task.photons) != (MODES, PHOTONS):
            raise phl.errors.ProgramError(f"{self.name} has {MODES} modes and {PHOTONS} photons: use such a program")
        if self.socket is None:
            self.socket = socket.create_connection(self.address, timeout=5.0)
            self.lines = self.socket.makefile("rw")

    def ask(self, text):
        """The words that the instrument answers."""
        self.lines.write(text + "\n")
        self.lines.flush()
        answer = self.lines.readline()
        if not answer:  # the session ends with this, and not only the datapoint
            raise phl.errors.LinkClosed(f"{self.name} at {self.address} hung up")
        return answer.split()

    def detect(self, phases, events, datapoint):  # noqa: ARG002 - the chip does not care which datapoint it is
        """Set the heaters, collect what the detectors see."""
        self.ask("PHASES " + " ".join(map(str, phases)))
        seen = collections.Counter()
        while seen.total() < events and self.wait(0.0):  # as long as somebody wants the result
            seen.update(self.ask(f"ACQUIRE {events - seen.total()}"))
        return {tuple(map(int, pattern)): count for pattern, count in seen.items()}

    def close(self):
        """The controller has ended."""
        if self.socket is not None:
            self.lines.close()
            self.socket.close()
            self.socket = None


with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Instrument) as instrument:
    threading.Thread(target=instrument.serve_forever).start()
    try:
        program = CHIP.replace(readout=phl.Readout.mode_expectations("unbunched"))
        x = np.random.default_rng(0).uniform(0, np.pi, (3, MODES))
        with phl.reserve(LabChip(instrument.server_address), program, shots=2000) as session:
            y, info = session.infer(x, return_info=True)
            print("processor:", session.info.processor, "- simulated:", session.info.simulated)
    finally:
        instrument.shutdown()

print("mean photon numbers:", *y.round(3), sep="\n  ")
worst = np.abs(y - program.simulate(x)) / info.standard_errors
print("from the exact values: at most", worst.max().round(1), "standard errors")
