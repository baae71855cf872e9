"""A persistent kernel keeps a drifting interferometer at half its fringe: 1000 steps in one launch. Needs a GPU."""

import ctypes
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import photonlink as phl

STEPS, GAIN, LIMIT_SECONDS = 1000, 1.0, 5.0
SPLITTER = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
program = (
    phl.Program.layered(modes=2, input_state=[1, 0])
    .interferometer(SPLITTER)
    .phases(features=["control"])
    .phases(features=["drift"])
    .interferometer(SPLITTER)
    .build(readout=phl.Readout.mode_expectations())
)
drift = np.cumsum(np.random.default_rng(8).normal(scale=0.02, size=STEPS))  # radians: a slow random walk


def on_the_host(session: phl.Session) -> np.ndarray:
    """The same loop, one call per step from Python."""
    trace, control = np.empty(STEPS), 0.0
    for step in range(STEPS):
        trace[step] = session.infer(np.array([control, drift[step]]))[0]
        control += GAIN * (trace[step] - 0.5)
    return trace


def build(folder: Path) -> ctypes.CDLL:
    """Compile the kernel beside this file for the GPU that is there."""
    library = folder / "feedback.so"
    command = ["nvcc", "-std=c++17", "-O3", "-arch=native", "-shared", "-Xcompiler", "-fPIC", "-cudart", "static"]
    source = Path(__file__).with_suffix(".cu")
    subprocess.run([*command, f"-I{phl.get_include()}", str(source), "-o", str(library)], check=True)
    return ctypes.CDLL(str(library))


def on_the_gpu(session: phl.Session) -> np.ndarray:
    """One launch; no host code between the steps."""
    link = session.device_link()  # raises without a GPU
    import cupy as cp

    device_drift, trace, scratch = cp.asarray(drift), cp.zeros(STEPS), cp.zeros(4)
    done, status = cp.zeros(1, cp.uint32), cp.zeros(1, cp.uint32)
    with tempfile.TemporaryDirectory() as folder:
        code = build(Path(folder)).run_feedback_loop(
            ctypes.c_void_p(link.argument.ctypes.data),
            *(ctypes.c_void_p(array.data.ptr) for array in (device_drift, trace, scratch)),
            ctypes.c_uint(STEPS),
            ctypes.c_double(GAIN),
            ctypes.c_double(LIMIT_SECONDS),
            *(ctypes.c_void_p(array.data.ptr) for array in (done, status)),
        )
    print(f"CUDA code {code}, status {int(status[0])}, {int(done[0])} of {STEPS} steps in one launch")
    if (code, int(status[0]), int(done[0])) != (0, 0, STEPS):
        sys.exit("the loop did not come to its end")
    return trace.get()


def main() -> None:
    """Run the loop in the kernel and compare it with the loop on the host."""
    with phl.reserve("sim", program) as session:
        trace = on_the_gpu(session)
        worst = float(np.abs(trace - on_the_host(session)).max())
    locked = float(np.abs(trace[50:] - 0.5).max())
    print(f"largest excursion once locked {locked:.3f} photons, largest difference from the host's loop {worst:.1e}")
    if not (worst < 1e-9 and locked < 0.1):
        sys.exit("the kernel's loop is not the host's")


if __name__ == "__main__":
    try:
        main()
    except phl.errors.TargetUnavailable as reason:
        sys.exit(f"this example needs a GPU: {reason}")
