"""What the benchmarks on a GPU share: their command line, the GPU that they need, and the file that they write."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from photonlink.bench.machine import machine


def options_of(description: str, quick: str) -> argparse.Namespace:
    """Reads the command line and makes its device the current one; without a GPU the program ends with status 2."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--device", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        parser.exit(2, "this benchmark needs a GPU that torch can use; there is none\n")
    torch.cuda.set_device(options.device)
    return options


def write(options: argparse.Namespace, found: dict[str, Any]) -> None:
    """Where the command line names a file, writes what was found there, with the machine that it was found on."""
    if options.json is not None:
        gpu = torch.cuda.get_device_name(options.device)
        record = {"machine": machine(), "gpu": gpu, "simulated": True} | found
        options.json.write_text(json.dumps(record, indent=1) + "\n")
