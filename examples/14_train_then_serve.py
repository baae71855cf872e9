"""Train on the simulated target, infer over ``qsc://``: the photonic layer then runs in a controller service.

The service is a process of its own, which this example starts; it serves whoever reserves it, one session at a time.
"""

from __future__ import annotations

import tempfile

import torch
from comparison import Trial, run
from hybrid import Block, trial
from torch import nn

from photonlink.qsc.launching import ServiceProcess

PIXELS, FEATURES, CLASSES = 64, 6, 10


def network(block: Block) -> nn.Module:
    """A linear map of the pixels to a few features; the block decides."""
    return nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, FEATURES), nn.BatchNorm1d(FEATURES), block(FEATURES, CLASSES))


if __name__ == "__main__":
    torch.set_num_threads(1)  # small tensors: threads would cost more than they save
    with (
        tempfile.TemporaryDirectory() as folder,
        ServiceProcess("--ledger", f"{folder}/ledger.sqlite") as service,
    ):

        def experiment(seed: int, quick: bool) -> Trial:
            return trial(network, seed, quick, epochs=30, target=service.target)

        run("Handwritten digits, a trained photonic layer (7 modes, 4 photons) in a controller service", experiment)
