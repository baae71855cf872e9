"""What a device call costs inside a CUDA-Q kernel, beside the link's round trip: `python device_call.py [--json]`.

One cudaq.run makes many shots of a kernel with eight calls, another the same of a kernel without; the difference of
their times per shot, divided by eight, is the cost of a call. In every round everybody runs once; figures are medians
over the rounds. Beside it stand the median and the mean of single echoes that native code sends on the same session: on
a busy machine the mean is what compares with the cost of a call, which is a mean as well.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

warnings.filterwarnings("ignore", category=FutureWarning, module="__main__")  # which CUDA-Q raises at import
import cudaq  # noqa: E402

import photonlink as phl  # noqa: E402
from photonlink.bench.machine import machine  # noqa: E402
from photonlink.cudaq import device  # noqa: E402

CALLS, SHOTS, ROUNDS, ECHOES = 8, 100, 200, 1000  # short runs: a busy machine interrupts few of them

labs = device.native("labs(i64 value) -> i64")


@device.callback
def same(value: int) -> int:
    return value


@device.bind
@cudaq.kernel
def echoes() -> int:
    total = 0
    for i in range(8):
        total += device.photonlink_echo(i)
    return total


@device.bind
@cudaq.kernel
def natives() -> int:
    total = 0
    for i in range(8):
        total += labs(i)
    return total


@device.bind
@cudaq.kernel
def callbacks() -> int:
    total = 0
    for i in range(8):
        total += same(i)
    return total


@cudaq.kernel
def nothing() -> int:
    total = 0
    for i in range(8):
        total += i
    return total


def per_shot(kernel: Any) -> float:
    """Microseconds per shot of one cudaq.run."""
    started = time.perf_counter()
    results = cudaq.run(kernel, shots_count=SHOTS)
    elapsed = time.perf_counter() - started
    if results != [sum(range(CALLS))] * SHOTS:
        raise RuntimeError(f"a kernel returned {results[0]}")
    return 1e6 * elapsed / SHOTS


def measure(session: phl.Session) -> dict[str, float]:
    """Medians over the rounds, in microseconds."""
    kernels: dict[str, Callable[[], float]] = {
        "nothing": lambda: per_shot(nothing),
        "echo": lambda: per_shot(echoes),
        "native": lambda: per_shot(natives),
        "callback": lambda: per_shot(callbacks),
    }
    for run in kernels.values():
        run()  # compiles
    echoes_us: list[Any] = []
    times: dict[str, list[float]] = {name: [] for name in kernels}
    for _ in range(ROUNDS):
        echoes_us.append(1e6 * session.echo_latency(ECHOES))
        for name, run in kernels.items():
            times[name].append(run())
    bare = np.array(times.pop("nothing"))
    calls = {name: float(np.median((np.array(shots) - bare) / CALLS)) for name, shots in times.items()}
    link = np.array(echoes_us)
    costs = (np.array(times["echo"]) - bare) / CALLS
    return {
        "link_p50_us": float(np.median(link)),
        "link_mean_us": float(np.median(link.mean(axis=1))),
        "shot_without_calls_us": float(np.median(bare)),
        **{f"{name}_call_us": cost for name, cost in calls.items()},
        "echo_above_link_p50_us": float(np.median(costs - np.median(link, axis=1))),
        "echo_above_link_mean_us": float(np.median(costs - link.mean(axis=1))),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    program = phl.Program.reservoir(modes=6, photons=2, features=6, seed=7)
    with phl.reserve("sim", program) as session, device.attach(session):
        figures = measure(session)
        link = session.info.link
    if arguments.json:
        print(json.dumps({"machine": machine(), "link": link, "shots": SHOTS, "rounds": ROUNDS, **figures}))
        return
    print(f"link {link}, {ROUNDS} rounds of {SHOTS} shots with {CALLS} calls each; microseconds, medians")
    for name, value in figures.items():
        print(f"{name.removesuffix('_us').replace('_', ' '):<24}{value:10.3f}")


if __name__ == "__main__":
    main()
