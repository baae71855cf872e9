"""A hybrid Transformer: a trained photonic layer in the feed-forward block; handwritten digits, read row by row.

Everything is trained together on the simulated target, by exact gradients; then the photonic layer runs over the link.
"""

from __future__ import annotations

import torch
from comparison import Trial, run
from hybrid import Block, trial
from torch import nn

WIDTH, ROWS, CLASSES = 6, 8, 10


class Transformer(nn.Module):
    """One encoder layer over the rows of an image; the block is its feed-forward part, applied to each row."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.embed = nn.Linear(ROWS, WIDTH)
        self.position = nn.Parameter(0.1 * torch.randn(ROWS, WIDTH))
        self.attention = nn.MultiheadAttention(WIDTH, num_heads=2, batch_first=True)
        self.attended, self.fed = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.feed_forward = block(WIDTH, WIDTH)
        self.classify = nn.Linear(ROWS * WIDTH, CLASSES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Scores of the classes (N, 10) for images (N, 8, 8)."""
        rows = self.embed(images) + self.position
        rows = self.attended(rows + self.attention(rows, rows, rows, need_weights=False)[0])
        rows = self.fed(rows + self.feed_forward(rows))
        return self.classify(rows.flatten(1))


def experiment(seed: int, quick: bool) -> Trial:
    return trial(Transformer, seed, quick, epochs=30)


if __name__ == "__main__":
    torch.set_num_threads(1)  # small tensors: threads would cost more than they save
    run("Handwritten digits row by row, a photonic layer (7 modes, 4 photons) feeding forward", experiment)
