"""Prints the path of an nvcc that came as a Python package (nvidia-cuda-nvcc), or nothing."""

import pathlib
import sys

found = [nvcc for entry in sys.path for nvcc in sorted(pathlib.Path(entry).glob("nvidia/cu*/bin/nvcc"))]
sys.stdout.write(str(found[-1]) if found else "")
