"""A controller in a process of its own, for the tests: offers one session until its input ends."""

import sys

import photonlink as phl
from photonlink import _core

address, program_path, shots, clock, precision = sys.argv[1:]
program = phl.Program.load(program_path)
with phl.reserve("sim", program, shots=int(shots) or None, seed=5, clock=clock, precision=precision) as session:
    service = _core.ShmService(session._core_session, address)
    print("READY", flush=True)
    sys.stdin.read()
    service.close()
    print("TOKENS", session.usage.tokens, flush=True)
