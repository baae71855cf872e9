"""``photonlink bench link --device``: the link called from a GPU, beside the bare limit, in the same run.

The bare limit is a word that a thread of the device and one of the host bounce through mapped memory. Bare and echo
alternate, so that a noisy moment hits both.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import photonlink as phl
from photonlink._checks import integer
from photonlink.cuda._part import guarded, part

REPEATS = 5
LIMIT_SECONDS = 20.0
SLOTS = 256
CALLERS = (1, 16, 64, 256)
REPLAYS = 2000
HIDDEN = 64

# Round trip of NVQLink, GPU to FPGA and back over the network, as NVIDIA published it.
PUBLISHED_NVQLINK_US = {"mean": 3.84, "max": 3.96}


def run(rounds: int, device: int = 0) -> dict[str, Any]:
    """Measure round trips, throughput, and what a layer adds to the replay of a CUDA graph.

    Args:
        rounds: Round trips of each kind, in ``REPEATS`` alternating parts; throughput takes five times as many.
        device: Number of the device.

    Returns:
        A JSON-serialisable object; every time in microseconds.

    Raises:
        ProgramError: `rounds` is below ``REPEATS``.
        TargetUnavailable: No device can be used.
    """
    phl.cuda.require()
    program = phl.Program.reservoir(modes=2, photons=1, features=2, seed=0, readout=phl.Readout.mode_expectations())
    chunk = integer("rounds", rounds, REPEATS, 100_000_000) // REPEATS
    bare: list[NDArray[np.float64]] = []
    echo: list[NDArray[np.float64]] = []
    with phl.reserve("sim", program, clock="none", precision="float32") as session:
        link = session.device_link(device, kernel_limit=LIMIT_SECONDS, slots=SLOTS)
        for _ in range(REPEATS):
            with guarded("sim"):
                bare.append(np.asarray(part().measure_ping_pong(device, chunk, LIMIT_SECONDS).latencies_ns) * 1e-3)
            echo.append(_checked(link.echo(1, chunk)).latencies * 1e6)
        throughput = [_throughput(link, callers, 5 * rounds) for callers in CALLERS]
        replay = _graph_replay(session)
        launch = _eager_launch(session)
    bare_summary, echo_summary = _summary(bare), _summary(echo)
    return {
        "gpu": part().devices()[device],
        "cuda": part().versions(),
        "rounds": chunk * REPEATS,
        "bare": bare_summary,
        "echo": {**echo_summary, "ratio": echo_summary["p50_us"] / bare_summary["p50_us"]},
        "published_nvqlink_us": PUBLISHED_NVQLINK_US,
        "throughput": throughput,
        "graph_replay": replay,
        "eager_launch": launch,
    }


def _checked(report: phl.cuda.EchoReport) -> phl.cuda.EchoReport:
    if report.wrong or report.incomplete:
        raise phl.errors.ProtocolError(
            f"{report.wrong} echoes came back wrong and {report.incomplete} callers did not get through"
        )
    return report


def _summary(parts: list[NDArray[np.float64]]) -> dict[str, float]:
    return {
        "p50_us": float(np.median([np.percentile(part, 50) for part in parts])),
        "p99_us": float(np.median([np.percentile(part, 99) for part in parts])),
        "mean_us": float(np.mean(np.concatenate(parts))),
        "max_us": float(max(part.max() for part in parts)),
    }


def _throughput(link: phl.cuda.DeviceLink, callers: int, calls: int) -> dict[str, float]:
    report = _checked(link.echo(callers, max(calls // callers, 1)))
    return {
        "callers": callers,
        "calls": report.answered,
        "calls_per_second": report.answered / report.seconds,
        "p50_us": float(np.percentile(report.latencies, 50)) * 1e6,
        "p99_us": float(np.percentile(report.latencies, 99)) * 1e6,
    }


def _graph_replay(session: phl.Session) -> dict[str, float] | None:
    """Batch 1 through linear -> photonic layer -> linear, and through the same without the layer; needs torch."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    torch.manual_seed(0)
    options: dict[str, Any] = {"device": "cuda", "dtype": torch.float32}
    encoder, head = (torch.nn.Linear(*sizes, **options) for sizes in ((HIDDEN, 2), (2, HIDDEN)))
    x = torch.randn(1, HIDDEN, **options)
    costs: dict[str, float] = {}
    with torch.no_grad():
        head(encoder(x))
        for name, layer in (("with_layer", session.infer), ("without_layer", _unchanged)):
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                head(layer(encoder(x)))
            costs[f"{name}_us"] = _time(graph.replay, torch.cuda.synchronize)
    session.synchronize()
    return {**costs, "layer_us": costs["with_layer_us"] - costs["without_layer_us"]}


def _unchanged(phases: Any) -> Any:
    return phases


def _eager_launch(session: phl.Session) -> dict[str, float] | None:
    """What the host spends on one call that it launches itself, batch 1; needs torch."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    x, out = torch.zeros(1, 2, device="cuda"), torch.empty(1, 2, device="cuda")
    session.infer(x, out=out)
    session.synchronize()
    spent = np.empty(REPLAYS // 4)
    for row in range(len(spent)):
        started = time.perf_counter_ns()
        session.infer(x, out=out)
        spent[row] = (time.perf_counter_ns() - started) / 1e3
        session.synchronize()
    return {"host_p50_us": float(np.percentile(spent, 50)), "host_p99_us": float(np.percentile(spent, 99))}


def _time(action: Callable[[], Any], wait: Callable[[], Any]) -> float:
    """Microseconds per action when one follows the other, the best of ``REPEATS`` parts."""
    times = []
    for _ in range(REPEATS + 1):  # the first one warms up
        wait()
        started = time.perf_counter_ns()
        for _ in range(REPLAYS // REPEATS):
            action()
        wait()
        times.append((time.perf_counter_ns() - started) / 1e3 / (REPLAYS // REPEATS))
    return min(times[1:])


def render(report: dict[str, Any]) -> str:
    """The report as text."""
    published = report["published_nvqlink_us"]
    lines = [
        f"{report['gpu']['name']}, echo round trip of 32 bytes, {report['rounds']} rounds of each, alternating",
        f"{'':<52}{'p50 us':>9}{'p99 us':>9}{'mean us':>9}{'max us':>10}",
    ]
    for name, label in (
        ("bare", "bare mapped-memory ping-pong"),
        ("echo", "photonlink, GPU -> controller thread -> GPU"),
    ):
        row = report[name]
        figures = f"{row['p50_us']:>9.2f}{row['p99_us']:>9.2f}{row['mean_us']:>9.2f}{row['max_us']:>10.2f}"
        lines.append(f"{label:<52}{figures}")
    theirs = f"{'':>18}{published['mean']:>9.2f}{published['max']:>10.2f}"
    lines.append(f"{'NVQLink, GPU -> network -> FPGA -> GPU (published)':<52}{theirs}")
    lines += [
        f"{row['callers']:>4} callers at once: {row['calls_per_second'] / 1e6:.2f} million echoes per second, "
        f"p50 {row['p50_us']:.2f} us, p99 {row['p99_us']:.2f} us"
        for row in report["throughput"]
    ]
    if report["graph_replay"] is not None:
        replay = report["graph_replay"]
        lines.append(
            f"replay of linear -> layer -> linear {replay['with_layer_us']:.2f} us, without the layer "
            f"{replay['without_layer_us']:.2f} us: the layer takes {replay['layer_us']:.2f} us (smallest program)"
        )
    if report["eager_launch"] is not None:
        lines.append(f"host time of one launch from Python: p50 {report['eager_launch']['host_p50_us']:.2f} us")
    return "\n".join(lines)
