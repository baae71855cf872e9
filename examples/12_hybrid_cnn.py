"""A hybrid convolutional network: convolutions, then a trained photonic layer; handwritten digits, with controls.

Everything is trained together on the simulated target, by exact gradients; then the photonic layer runs over the link.
"""

from __future__ import annotations

import torch
from comparison import Trial, run
from hybrid import Block, trial
from torch import nn

FEATURES, CLASSES = 6, 10


def network(block: Block) -> nn.Module:
    """Two convolutions reduce 8 x 8 pixels to a few features; the block decides."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 8)),
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32, FEATURES),
        nn.BatchNorm1d(FEATURES),
        block(FEATURES, CLASSES),
    )


def experiment(seed: int, quick: bool) -> Trial:
    return trial(network, seed, quick, epochs=30)


if __name__ == "__main__":
    torch.set_num_threads(1)  # small tensors: threads would cost more than they save
    run("Handwritten digits, convolutions and a trained photonic layer (7 modes, 4 photons)", experiment)
