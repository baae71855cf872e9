"""A CUDA C++ kernel of your own, built with nvcc: the photonic layer between two linear maps. Needs a GPU."""

import ctypes
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import photonlink as phl

IMAGES, PIXELS, MODES, CLASSES = 64, 64, 8, 10
program = phl.Program.reservoir(modes=MODES, photons=2, features=MODES, seed=3)


def build(folder: Path) -> ctypes.CDLL:
    """Compile the kernel beside this file for the GPU that is there."""
    library = folder / "hybrid.so"
    command = ["nvcc", "-std=c++17", "-O3", "-arch=native", "-shared", "-Xcompiler", "-fPIC", "-cudart", "static"]
    source = Path(__file__).with_suffix(".cu")
    subprocess.run([*command, f"-I{phl.get_include()}", str(source), "-o", str(library)], check=True)
    return ctypes.CDLL(str(library))


def main() -> None:
    """Run the kernel and compare it with the same layers called from the host."""
    rng = np.random.default_rng(4)
    encoder = rng.normal(size=(MODES, PIXELS)).astype(np.float32)
    head = rng.normal(size=(CLASSES, program.output_size)).astype(np.float32)
    images = rng.random((IMAGES, PIXELS), np.float32)

    with phl.reserve("sim", program, precision="float32") as session:
        link = session.device_link()  # raises without a GPU
        import cupy as cp

        arguments = [cp.asarray(array) for array in (encoder, head, images)]
        scores, statuses = cp.zeros((IMAGES, CLASSES), cp.float32), cp.zeros(IMAGES, cp.uint32)
        with tempfile.TemporaryDirectory() as folder:
            code = build(Path(folder)).hybrid_layer(
                ctypes.c_void_p(link.argument.ctypes.data),
                *(ctypes.c_void_p(array.data.ptr) for array in (*arguments, scores, statuses)),
                *(ctypes.c_uint(number) for number in (IMAGES, PIXELS, CLASSES)),
            )
        expected = session.infer(images @ encoder.T) @ head.T

    worst = float(np.abs(scores.get() - expected).max())
    print(f"CUDA code {code}, statuses {np.unique(statuses.get())}, largest difference from the host's {worst:.1e}")
    if code != 0 or statuses.any() or not worst < 1e-3:
        sys.exit("the kernel and the host disagree")


if __name__ == "__main__":
    try:
        main()
    except phl.errors.TargetUnavailable as reason:
        sys.exit(f"this example needs a GPU: {reason}")
