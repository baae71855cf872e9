#!/usr/bin/env python3
"""Weakens every memory-ordering site of the link and of the device layer in turn: a probe program must notice.

For each number in a sites.hpp the probe of that layer is built under ThreadSanitizer with -DPHL_MUTATED_SITE=<number>
and must fail; built without, it must pass. A mutant that passes means that the site need not be ordered (relax it for
good) or that the probe does not exercise it (strengthen it).

Usage: mutation.py [--cxx g++] [--jobs 2]
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import pathlib
import re
import subprocess
import sys
import tempfile

TESTS = pathlib.Path(__file__).resolve().parents[1]
INCLUDE = TESTS.parents[1] / "csrc" / "include"
RUN_LIMIT_S = 120


@dataclasses.dataclass(frozen=True)
class Layer:
    """A folder of ordering sites, the headers that use them, and the probe that exercises them."""

    name: str
    users: tuple[str, ...]

    @property
    def folder(self) -> pathlib.Path:
        return INCLUDE / "photonlink" / self.name

    @property
    def probe(self) -> pathlib.Path:
        return TESTS / self.name / "mutation_probe.cpp"


LAYERS = (Layer("link", ("client.hpp", "server.hpp")), Layer("device", ("link.hpp", "batch.hpp")))


def list_sites(layer: Layer, before: int) -> dict[int, str]:
    """Returns number -> name of a layer's sites, checked to follow number `before` without gaps and to be in use."""
    found = re.findall(
        r"constexpr int k(\w+) = (link::site::kLastSite \+ )?(\d+);", (layer.folder / "sites.hpp").read_text()
    )
    numbered = [(name, (before if base else 0) + int(number)) for name, base, number in found]
    sites = {number: name for name, number in numbered if name != "LastSite"}
    last = dict(numbered)["LastSite"]
    if sorted(sites) != list(range(before + 1, last + 1)):
        sys.exit(f"{layer.name}/sites.hpp must number its sites {before + 1}..{last}, found {sorted(sites)}")
    users = "".join((layer.folder / name).read_text() for name in layer.users)
    unused = [name for name in sites.values() if f"site::k{name}>" not in users]
    if unused:
        sys.exit(f"sites of {layer.name} that no code uses: {unused}")
    return sites


def run_probe(cxx: str, folder: pathlib.Path, layer: Layer, site: int) -> tuple[int, str]:
    """Builds and runs a layer's probe with one site weakened (0: none); returns its exit status and what it said."""
    program = folder / f"{layer.name}_{site}"
    command = [cxx, "-std=c++17", "-O1", "-g", "-fsanitize=thread", "-pthread", f"-I{INCLUDE}"]
    command += [f"-DPHL_MUTATED_SITE={site}", str(layer.probe), "-o", str(program)]
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
    mutants: dict[int, tuple[Layer, str]] = {}
    for layer in LAYERS:
        sites = list_sites(layer, max(mutants, default=0))
        mutants.update({number: (layer, name) for number, name in sites.items()})
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for layer in LAYERS:
            status, said = run_probe(arguments.cxx, folder, layer, 0)
            if status != 0:
                print(f"{layer.name}: unweakened, it fails (exit {status}):\n{said}")
                return 1
            print(f"{layer.name}: unweakened, it passes")
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            runs = {
                site: pool.submit(run_probe, arguments.cxx, folder, layer, site) for site, (layer, _) in mutants.items()
            }
        results = {site: run.result() for site, run in runs.items()}
    survivors = []
    for site, (status, said) in results.items():
        layer, name = mutants[site]
        # 66: ThreadSanitizer objects; 2: a check of the probe itself. Anything else is a broken probe.
        caught = status in (66, 2)
        print(f"{site:3d} {layer.name:6s} {name:22s} {'caught' if caught else 'NOT CAUGHT'} (exit {status})")
        if not caught:
            survivors.append(name)
            print(said)
    print(f"{len(mutants) - len(survivors)} of {len(mutants)} caught")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
