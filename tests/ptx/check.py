#!/usr/bin/env python3
"""Checks the portable headers without a GPU: each compiles alone, for the host and for CUDA, and is sound in PTX.

1. Every header that csrc/CMakeLists.txt installs compiles alone with the host compiler.
2. With nvcc: every header compiles alone as CUDA, and the kernels of portable.cu and device.cu keep to rules.py.

That they need no system header is for run-time compilation to say (tests/python/cuda/test_nvrtc.py).

Exit status 0: all good; 1: something is wrong; 77: part 1 is good and part 2 was skipped for want of nvcc.
Usage: check.py [--cxx g++] [--nvcc nvcc] [--jobs 2]
"""

from __future__ import annotations

import argparse
import concurrent.futures
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import rules

HERE = pathlib.Path(__file__).resolve().parent
CSRC = HERE.parents[1] / "csrc"
INCLUDE = CSRC / "include"
ARCHITECTURES = ("80", "90")


def portable_headers() -> list[str]:
    """The headers that are installed, from the one list of them."""
    listed = re.search(r"set\(portable ([^)]*)\)", (CSRC / "CMakeLists.txt").read_text())
    if listed is None:
        sys.exit("csrc/CMakeLists.txt has no list of portable headers")
    return listed.group(1).split()


def compiles(command: list[str], what: str) -> bool:
    """Runs a compiler; reports and returns False if it objects."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        print(f"{what}: does not compile\n{done.stdout}{done.stderr}")
    return done.returncode == 0


def check_headers_alone(compiler: list[str], suffix: str, what: str, jobs: int) -> bool:
    """Compiles one small file per portable header that includes it alone, twice."""
    headers = portable_headers()
    with tempfile.TemporaryDirectory() as name, concurrent.futures.ThreadPoolExecutor(jobs) as pool:

        def compile_one(header: str) -> bool:
            source = pathlib.Path(name) / f"{header.replace('/', '_')}{suffix}"
            source.write_text(f'#include "photonlink/{header}"\n' * 2)
            return compiles([*compiler, f"-I{INCLUDE}", str(source)], f"{what}: {header}")

        good = all(list(pool.map(compile_one, headers)))
    print(f"{what}: {len(headers)} headers {'compile alone' if good else 'FAILED'}")
    return good


def check_ptx(nvcc: list[str], architecture: str, source: str, expected: dict[str, rules.Rule]) -> bool:
    """Compiles a file of kernels and compares each with its rule; prints every disagreement."""
    with tempfile.TemporaryDirectory() as name:
        output = pathlib.Path(name) / "kernels.ptx"
        command = [*nvcc, f"-arch=compute_{architecture}", "-o", str(output), f"-I{INCLUDE}", str(HERE / source)]
        if not compiles(command, source):
            return False
        ptx = output.read_text()
    found = rules.complaints(ptx, expected)
    if "probe_reread" in expected:
        reads = len(re.findall(r"ld\.global\S*", rules.kernels_of(ptx).get("probe_reread", "")))
        found += [] if reads >= 2 else [f"probe_reread: reads link memory {reads} time(s), expected 2"]
    print(
        "\n".join(found) if found else f"PTX: {len(expected)} kernels of {source}, compute_{architecture}, as expected"
    )
    return not found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cxx", default="g++")
    parser.add_argument("--nvcc", default="nvcc")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wno-sign-conversion", "-Werror"]
    host = [arguments.cxx, "-std=c++17", *warnings, "-fsyntax-only"]
    good = check_headers_alone(host, ".cpp", "host", arguments.jobs)
    if shutil.which(arguments.nvcc) is None:
        print(f"skipped: PTX, since {arguments.nvcc} is not installed")
        return 77 if good else 1
    nvcc = [arguments.nvcc, "-std=c++17", "-ptx", "--Werror", "all-warnings"]
    good &= check_headers_alone([*nvcc, "-arch=compute_80", "-o", "/dev/null"], ".cu", "CUDA", arguments.jobs)
    for architecture in ARCHITECTURES:
        good &= check_ptx(nvcc, architecture, "portable.cu", rules.PORTABLE_CU)
        good &= check_ptx(nvcc, architecture, "device.cu", rules.DEVICE_CU)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
