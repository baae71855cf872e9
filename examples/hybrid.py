"""What the examples of hybrid networks share: one photonic block and its controls, trained alike, and how they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from comparison import Trial, time_calls
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from photonlink.merlin import offload
from photonlink.torch import QuantumLayer

SHOTS = 1000

Block = Callable[[int, int], nn.Module]  # of numbers of inputs and outputs
Network = Callable[[Block], nn.Module]  # a model around a block


class Digits(NamedTuple):
    """Images (N, 8, 8) of handwritten digits in [0, 1], and what they show."""

    train: torch.Tensor
    train_labels: torch.Tensor
    test: torch.Tensor
    test_labels: torch.Tensor


def digits(seed: int, images: int | None = None) -> Digits:
    """One stratified split of scikit-learn's digits, or of that many of them."""
    bunch = load_digits()
    pixels, labels = torch.tensor(bunch.images / 16, dtype=torch.float32), torch.tensor(bunch.target)
    train, test = train_test_split(
        torch.arange(len(labels))[:images], test_size=0.3, stratify=labels[:images], random_state=seed
    )
    return Digits(pixels[train], labels[train], pixels[test], labels[test])


class Angles(nn.Module):
    """Features as angles."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Within half a turn to either side, so that no two of them mean the same."""
        return torch.pi * torch.tanh(x)


class Centred(nn.Module):
    """Probabilities as features."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Relative to all outcomes being equally likely."""
        return x.shape[-1] * x - 1


class RandomFeatures(nn.Module):
    """Random Fourier features (Rahimi and Recht, 2007) of standardised inputs; not trained."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.randn(inputs, width) / inputs**0.5)
        self.register_buffer("phases", 2 * torch.pi * torch.rand(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Of unit mean square."""
        return 2**0.5 * torch.cos(x @ self.frequencies + self.phases)


def photonic(inputs: int, outputs: int, *, interference: bool = True) -> nn.Module:
    """Angles, a trained photonic layer, a trained linear map of its probabilities."""
    layer = QuantumLayer.simple(inputs, interference=interference)
    return nn.Sequential(Angles(), layer, Centred(), nn.Linear(layer.output_size, outputs))


def distinguishable(inputs: int, outputs: int) -> nn.Module:
    """The same with photons that do not interfere."""
    return photonic(inputs, outputs, interference=False)


def random_features(inputs: int, outputs: int) -> nn.Module:
    """As many features as the photonic layer has outcomes, and the same trained linear map."""
    width = QuantumLayer.simple(inputs).output_size
    return nn.Sequential(RandomFeatures(inputs, width), nn.Linear(width, outputs))


def classical(inputs: int, outputs: int) -> nn.Module:
    """A layer of neurons, so many that the block has as many trained parameters as the photonic one."""
    neurons = round((parameters(photonic(inputs, outputs)) - outputs) / (inputs + 1 + outputs))
    return nn.Sequential(nn.Linear(inputs, neurons), nn.ReLU(), nn.Linear(neurons, outputs))


def parameters(model: nn.Module) -> int:
    """Number of trained parameters."""
    return sum(parameter.numel() for parameter in model.parameters())


def trained(network: Network, block: Block, data: Digits, seed: int, epochs: int) -> nn.Module:
    """A model around this block after training: Adam, batches of 32, the same for every block."""
    torch.manual_seed(seed)
    model = network(block)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for rows in torch.randperm(len(data.train)).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(data.train[rows]), data.train_labels[rows]).backward()
            optimizer.step()
        schedule.step()
    return model.eval()


@torch.no_grad()
def accuracy(model: nn.Module, data: Digits) -> float:
    """Share of the held-out images that the model reads."""
    return (model(data.test).argmax(1) == data.test_labels).float().mean().item()


def trial(network: Network, seed: int, quick: bool, *, epochs: int, target: str = "sim") -> Trial:
    """Train a model with a photonic block and its controls, then run the photonic one over the link."""
    data = digits(seed, images=500 if quick else None)
    epochs = epochs // 3 if quick else epochs
    models = {block: trained(network, block, data, seed, epochs) for block in (photonic, *CONTROLS)}
    model = models[photonic]
    handle = offload(model, target)
    with handle:
        exact = accuracy(model, data)
        with torch.no_grad():
            latencies = time_calls(lambda: model(data.test[:1]), 100 if quick else 1000)
        (session,) = handle.sessions.values()
        info = session.info
    with offload(model, target, shots=SHOTS, seed=seed):
        sampled = accuracy(model, data)
    count = parameters(models[classical])
    return Trial(
        photonic={
            f"photonic block, exact ({parameters(model)} parameters)": exact,
            f"photonic block, {SHOTS} kept samples": sampled,
        },
        controls={name.format(parameters=count): accuracy(models[block], data) for block, name in CONTROLS.items()},
        latencies=latencies,
        info=info,
    )


CONTROLS = {
    distinguishable: "distinguishable photons",
    random_features: "random features of equal width",
    classical: "neurons ({parameters} parameters)",
}
