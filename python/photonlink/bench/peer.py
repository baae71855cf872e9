"""The other process of ``photonlink bench link``: measures echoes over shared memory, once per line of input."""

from __future__ import annotations

import json
import sys

from photonlink import _core


def main(address: str, rounds: int) -> None:
    """Connect to ``address``; for each line on standard input, print ``rounds`` round trips in nanoseconds as JSON."""
    encoding = _core.Encoding(0, [0], [], [], [], False)
    session = _core.ShmSession(address, encoding, output_size=0, max_counts=0, precision="float64")
    limits = _core.CallLimits(timeout=60.0)
    for _ in sys.stdin:
        result, latencies_ns = session.echo(rounds, limits)
        if result.status != _core.CallStatus.OK:
            sys.exit(f"echo ended with {result.status.name}")
        sys.stdout.write(json.dumps(latencies_ns.tolist()) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
