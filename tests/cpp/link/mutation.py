#!/usr/bin/env python3
"""Weakens every memory-ordering site of the link in turn and requires that the probe program notices.

For each number in csrc/include/photonlink/link/sites.hpp the probe is built under ThreadSanitizer with
-DPHL_MUTATED_SITE=<number> and must fail; built without, it must pass. A mutant that passes means that the site need
not be ordered (relax it for good) or that the probe does not exercise it (strengthen it).

Usage: mutation.py [--cxx g++] [--jobs 2]
"""

from __future__ import annotations

import argparse
import concurrent.futures
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
INCLUDE = HERE.parents[2] / "csrc" / "include"
SITES = INCLUDE / "photonlink" / "link" / "sites.hpp"
RUN_LIMIT_S = 120


def list_sites() -> dict[int, str]:
    """Returns number -> name of every site, checked to be 1..kLastSite without gaps and all in use."""
    found = re.findall(r"constexpr int k(\w+) = (\d+);", SITES.read_text())
    sites = {int(number): name for name, number in found if name != "LastSite"}
    last = next(int(number) for name, number in found if name == "LastSite")
    if sorted(sites) != list(range(1, last + 1)):
        sys.exit(f"sites.hpp must number its sites 1..{last} without gaps, found {sorted(sites)}")
    handles = "".join((SITES.parent / name).read_text() for name in ("client.hpp", "server.hpp"))
    unused = [name for name in sites.values() if f"site::k{name}>" not in handles]
    if unused:
        sys.exit(f"sites that no code uses: {unused}")
    return sites


def probe(cxx: str, folder: pathlib.Path, site: int) -> tuple[int, str]:
    """Builds and runs the probe with one site weakened (0: none); returns its exit status and what it said."""
    program = folder / f"probe_{site}"
    command = [cxx, "-std=c++17", "-O1", "-g", "-fsanitize=thread", "-pthread", f"-I{INCLUDE}"]
    command += [f"-DPHL_MUTATED_SITE={site}", str(HERE / "mutation_probe.cpp"), "-o", str(program)]
    subprocess.run(command, check=True)
    try:
        done = subprocess.run(
            [program],
            env={"TSAN_OPTIONS": "halt_on_error=1 exitcode=66"},
            capture_output=True,
            text=True,
            timeout=RUN_LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        return -1, "did not end"
    return done.returncode, done.stderr


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cxx", default="g++")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    sites = list_sites()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        status, said = probe(arguments.cxx, folder, 0)
        if status != 0:
            print(f"the unweakened link fails (exit {status}):\n{said}")
            return 1
        print("unweakened: passes")
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            results = dict(zip(sites, pool.map(lambda site: probe(arguments.cxx, folder, site), sites), strict=True))
    survivors = []
    for site, (status, said) in results.items():
        # 66: ThreadSanitizer objects; 2: a check of the probe itself. Anything else is a broken probe.
        caught = status in (66, 2)
        print(f"{site:3d} {sites[site]:22s} {'caught' if caught else 'NOT CAUGHT'} (exit {status})")
        if not caught:
            survivors.append(sites[site])
            print(said)
    print(f"{len(sites) - len(survivors)} of {len(sites)} caught")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
