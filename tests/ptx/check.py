#!/usr/bin/env python3
"""Checks the portable headers without a GPU: each compiles alone, needs no standard header, and is sound in PTX.

1. Every portable header compiles alone with the host compiler.
2. Every portable header compiles without any system header, as run-time compilation of kernels needs it.
3. With nvcc: every header compiles alone as CUDA, and the kernels of portable.cu use system scope on words that cross
   the link, device scope on words that do not, and no load through the constant cache on link memory.

Exit status 0: all good; 1: something is wrong; 77: parts 1 and 2 are good and part 3 was skipped for want of nvcc.
Usage: check.py [--cxx g++] [--nvcc nvcc]
"""

from __future__ import annotations

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
INCLUDE = HERE.parents[1] / "csrc" / "include"
PORTABLE = [
    "platform.hpp",
    "encode.hpp",
    "wire/frame.hpp",
    "wire/functions.hpp",
    "wire/codec.hpp",
    "link/sites.hpp",
    "link/port.hpp",
    "link/backoff.hpp",
    "link/client.hpp",
    "link/server.hpp",
]
ACQUIRE_SYS = r"ld\.acquire\.sys\.global\.[bu]64"
RELEASE_SYS = r"st\.release\.sys\.global\.[bu]64"
RELEASE_GPU = r"st\.release\.gpu\.global\.[bu]64"
CAS_GPU = r"atom\.acquire\.gpu\.global\.cas\.b64"
ANY_NC = r"ld\.global\S*\.nc\b"

# Kernel -> (instructions that must be there, instructions that must not).
EXPECTED: dict[str, tuple[list[str], list[str]]] = {
    "probe_submit": ([RELEASE_SYS], [ANY_NC, RELEASE_GPU]),
    "probe_poll": ([ACQUIRE_SYS], [ANY_NC]),
    "probe_wait": ([ACQUIRE_SYS, "globaltimer", "nanosleep"], [ANY_NC]),
    "probe_claim": ([CAS_GPU, ACQUIRE_SYS], [ANY_NC, RELEASE_SYS]),
    "probe_release": ([RELEASE_GPU], [ANY_NC, RELEASE_SYS]),
    "probe_reap": ([CAS_GPU, RELEASE_GPU, ACQUIRE_SYS], [ANY_NC, RELEASE_SYS]),
    "probe_close": ([RELEASE_SYS], [ANY_NC, RELEASE_GPU]),
    "probe_reread": ([ACQUIRE_SYS], [ANY_NC]),
    # Own f64 arguments may go through the constant cache; link memory is read as bytes and u64.
    "probe_infer": ([ACQUIRE_SYS, RELEASE_SYS, CAS_GPU, RELEASE_GPU], [r"ld\.global\S*\.nc\S*\.[bus](8|16|64)\b"]),
    # The control: here the compiler does use the constant cache, and this script must see it.
    "probe_control": ([ANY_NC], []),
    "probe_serve": ([ACQUIRE_SYS, RELEASE_SYS], [ANY_NC, CAS_GPU]),
}
# Nothing may read-modify-write at system scope: PCIe does not promise it.
FORBIDDEN_EVERYWHERE = [r"\batom\S*\.sys\b", r"\bred\S*\.sys\b", r"\bmembar\b", r"\bfence\b"]


def compiles(command: list[str], what: str) -> bool:
    """Runs a compiler; reports and returns False if it objects."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        print(f"{what}: does not compile\n{done.stderr}")
    return done.returncode == 0


def check_headers_alone(compiler: list[str], suffix: str, what: str) -> bool:
    """Compiles one small file per portable header that includes it alone, twice."""
    good = True
    with tempfile.TemporaryDirectory() as name:
        for header in PORTABLE:
            source = pathlib.Path(name) / f"{header.replace('/', '_')}{suffix}"
            source.write_text(f'#include "photonlink/{header}"\n' * 2)
            good &= compiles([*compiler, f"-I{INCLUDE}", str(source)], f"{what}: {header}")
    print(f"{what}: {len(PORTABLE)} headers {'compile alone' if good else 'FAILED'}")
    return good


def kernels_of(ptx: str) -> dict[str, str]:
    """Splits PTX into kernel name -> body."""
    parts = re.split(r"\.visible \.entry (\w+)\(", ptx)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def check_ptx(ptx: str) -> bool:
    """Compares each kernel's instructions with EXPECTED; prints every disagreement."""
    kernels = kernels_of(ptx)
    complaints = [f"{name}: kernel is missing" for name in EXPECTED if name not in kernels]
    complaints += [f"{name}: nothing is expected of this kernel" for name in kernels if name not in EXPECTED]
    for name in EXPECTED.keys() & kernels.keys():
        required, forbidden = EXPECTED[name]
        body = kernels[name]
        complaints += [f"{name}: no instruction matches {rule}" for rule in required if not re.search(rule, body)]
        found = [match for rule in forbidden + FORBIDDEN_EVERYWHERE for match in re.finditer(rule, body)]
        complaints += [f"{name}: must not contain {match.group(0)}" for match in found]
    words = re.findall(r"ld\.global\S*", kernels.get("probe_reread", ""))
    if len(words) < 2:
        complaints.append(f"probe_reread: reads link memory {len(words)} time(s), expected 2")
    print("\n".join(complaints) if complaints else f"PTX: {len(EXPECTED)} kernels as expected")
    return not complaints


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cxx", default="g++")
    parser.add_argument("--nvcc", default="nvcc")
    arguments = parser.parse_args()
    warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wno-sign-conversion", "-Werror"]
    good = check_headers_alone([arguments.cxx, "-std=c++17", *warnings, "-fsyntax-only"], ".cpp", "host")
    bare = ["-nostdinc", "-D__CUDACC_RTC__", "-D__host__=", "-D__device__="]
    good &= check_headers_alone([arguments.cxx, "-std=c++17", *bare, "-fsyntax-only"], ".cpp", "no system headers")
    if shutil.which(arguments.nvcc) is None:
        print(f"skipped: PTX, since {arguments.nvcc} is not installed")
        return 77 if good else 1
    cuda = [arguments.nvcc, "-std=c++17", "-arch=sm_80", "-ptx", "--Werror", "all-warnings", "-o"]
    good &= check_headers_alone([*cuda, "/dev/null"], ".cu", "CUDA")
    with tempfile.TemporaryDirectory() as name:
        output = pathlib.Path(name) / "portable.ptx"
        good &= compiles([*cuda, str(output), f"-I{INCLUDE}", str(HERE / "portable.cu")], "portable.cu")
        good &= output.exists() and check_ptx(output.read_text())
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
