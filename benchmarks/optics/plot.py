"""Plots a record of ``photonlink bench optics --json``: how cost grows, and how far the peers are.

Usage: python benchmarks/optics/plot.py RECORD.json FIGURE.png   (needs matplotlib)
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def plot(record: dict[str, Any], figure_path: str) -> None:
    """Two panels: microseconds per datapoint over problem size for each batch, and of everybody for batches 1 and 256.

    Ours are drawn thick. A program keeps its colour from batch to batch.
    """
    import matplotlib.pyplot as plt

    figure, (growth, beside) = plt.subplots(1, 2, figsize=(15, 5))
    for batch in sorted({row["batch"] for row in record["scaling"]}):
        rows = [row for row in record["scaling"] if row["batch"] == batch]
        labels = [f"({row['modes']},{row['photons']})" for row in rows]
        growth.semilogy(labels, [row["microseconds"] for row in rows], marker="o", label=f"batch {batch}")
    growth.set_ylabel("microseconds per datapoint")
    growth.set_title(f"full Fock distribution, float32, {record['threads']} threads")
    growth.legend()

    cases = [case for case in record["cases"] if case["batch"] in (1, 256)]
    for number, who in enumerate(dict.fromkeys(case["who"] for case in cases)):
        width = 2.5 if who.startswith("photonlink") else 1.0
        for batch, line in ((1, ":"), (256, "-")):
            rows = [case for case in cases if case["who"] == who and case["batch"] == batch]
            labels = [f"({case['modes']},{case['photons']})" for case in rows]
            times = [case["microseconds"] for case in rows]
            name = who if batch == 256 else None
            beside.semilogy(labels, times, line, color=f"C{number}", linewidth=width, marker=".", label=name)
    beside.set_title("beside others: batch 1 dotted, batch 256 solid")
    beside.legend(fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.suptitle(f"{record['machine']['processor']}, {record['machine']['date']}, simulated photonic processor")
    figure.tight_layout()
    figure.savefig(figure_path, dpi=120)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    plot(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2])
