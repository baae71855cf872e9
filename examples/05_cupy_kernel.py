"""A kernel compiled at run time by CuPy: photon numbers of one datapoint steer the phases of the next. Needs a GPU."""

import sys
from pathlib import Path

import numpy as np

import photonlink as phl

ROWS, MODES = 100, 6
program = phl.Program.reservoir(modes=MODES, photons=3, features=MODES, seed=5, readout=phl.Readout.mode_expectations())


def main() -> None:
    """Run the kernel and compare it with the same two steps from the host."""
    x = np.random.default_rng(6).uniform(0, np.pi, (ROWS, MODES))
    with phl.reserve("sim", program) as session:
        link = session.device_link()  # raises without a GPU
        import cupy as cp

        source = Path(__file__).with_suffix(".cu").read_text()
        module = cp.RawModule(code=source, options=("-std=c++17", f"-I{phl.get_include()}"))
        kernel = module.get_function("feed_forward")
        features = cp.asarray(x)
        scratch, y, statuses = cp.empty_like(features), cp.empty((ROWS, MODES)), cp.empty(ROWS, cp.uint32)
        threads = 128
        blocks = -(-ROWS * 32 // threads)
        kernel((blocks,), (threads,), (np.uint64(link.pointer), features, scratch, y, statuses, np.uint32(ROWS)))
        session.synchronize()
        expected = session.infer(x + session.infer(x))

    worst = float(np.abs(y.get() - expected).max())
    print(f"statuses {np.unique(statuses.get())}, largest difference from the host's {worst:.1e}")
    if statuses.any() or not worst < 1e-9:
        sys.exit("the kernel and the host disagree")


if __name__ == "__main__":
    try:
        main()
    except phl.errors.TargetUnavailable as reason:
        sys.exit(f"this example needs a GPU: {reason}")
