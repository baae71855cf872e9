"""MerLin layers and the models around them that are run over the link."""

import merlin
import numpy as np
import perceval as pcvl
import torch
from merlin import ComputationSpace, LexGrouping, MeasurementStrategy, ModGrouping
from torch import nn

from photonlink.merlin import convert

FOCK, UNBUNCHED = ComputationSpace.FOCK, ComputationSpace.UNBUNCHED


def built(strategy=None, *, features=3, modes=4, scale=1.0, photons=2, dtype=torch.float32, seed=0, **encoding):
    """A trainable layer of MerLin's builder with random weights."""
    torch.manual_seed(seed)
    builder = merlin.CircuitBuilder(modes)
    builder.add_entangling_layer(trainable=True, name="before")
    builder.add_angle_encoding(modes=list(range(features)), name="px", scale=scale, **encoding)
    builder.add_entangling_layer(trainable=True, name="after")
    strategy = strategy or MeasurementStrategy.probs(UNBUNCHED)
    return merlin.QuantumLayer(builder=builder, n_photons=photons, measurement_strategy=strategy, dtype=dtype).eval()


def meshes():
    """The builder of trainable meshes U and V around three scaled inputs."""
    builder = merlin.CircuitBuilder(4)
    builder.add_entangling_layer(name="U")
    builder.add_angle_encoding([0, 1, 2], scale=0.8)
    return builder.add_entangling_layer(name="V")


def from_circuit(dtype=torch.float32):
    """Two prefixes of inputs, one of weights, in a circuit written by hand."""
    circuit = pcvl.Circuit(3)
    circuit.add((0, 1), pcvl.BS(theta=pcvl.P("theta0"))).add(0, pcvl.PS(pcvl.P("a0"))).add(1, pcvl.PS(pcvl.P("b0")))
    circuit.add((1, 2), pcvl.BS(theta=pcvl.P("theta1"))).add(2, pcvl.PS(pcvl.P("a1"))).add((0, 1), pcvl.BS())
    torch.manual_seed(1)
    return merlin.QuantumLayer(
        circuit=circuit,
        input_state=[1, 1, 0],
        trainable_parameters=["theta"],
        input_parameters=["b", "a"],
        measurement_strategy=MeasurementStrategy.probs(FOCK),
        dtype=dtype,
    ).eval()


LAYERS = {
    "probabilities": lambda dtype: built(dtype=dtype),
    "fock space": lambda dtype: built(MeasurementStrategy.probs(FOCK), photons=3, dtype=dtype),
    "encoding scale": lambda dtype: built(scale=np.pi, dtype=dtype),
    "sums of features": lambda dtype: built(modes=6, subset_combinations=True, max_order=2, scale=0.7, dtype=dtype),
    "mode expectations": lambda dtype: built(MeasurementStrategy.mode_expectations(UNBUNCHED), dtype=dtype),
    "lex grouping": lambda dtype: built(MeasurementStrategy.probs(UNBUNCHED, LexGrouping(10, 4)), modes=5, dtype=dtype),
    "mod grouping": lambda dtype: built(MeasurementStrategy.probs(FOCK, ModGrouping(10, 3)), scale=np.pi, dtype=dtype),
    "two input prefixes": from_circuit,
}


def features(layer, rows=6, seed=0):
    """Datapoints for a layer."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(rows, len(convert(layer).program.features), generator=generator, dtype=layer.dtype)


def hybrid(layer, seed=0):
    """A classical network around a quantum layer."""
    torch.manual_seed(seed)
    conversion = convert(layer)
    inputs = len(conversion.program.features)
    return nn.Sequential(nn.Linear(5, inputs), layer, nn.Linear(conversion.output_size, 2)).eval()


class Branches(nn.Module):
    """Quantum layers nested, in a list, and one of them twice."""

    def __init__(self):
        super().__init__()
        self.shared = built(seed=1)
        self.again = self.shared
        self.inner = nn.ModuleList([nn.Sequential(built(seed=2), nn.Identity()), built(seed=3)])

    def forward(self, x):
        return self.shared(x) + self.inner[0](x) * self.again(2 * x) - self.inner[1](x)


def sequential(strategy=None, seed=0):
    """A classical network around a quantum layer, with a state dict of its own."""
    layer = built(strategy, seed=seed)
    return nn.Sequential(nn.Linear(5, 3), nn.Tanh(), layer, nn.Linear(layer.output_size, 2)).eval()


class Residual(nn.Module):
    """A forward pass that is no sequence of its modules."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(6, 3)
        self.quantum = built(seed=2)
        self.other = built(seed=3)

    def forward(self, x):
        x = x + torch.tanh(self.head(self.quantum(x)))
        return self.quantum(2 * x) - self.other(x)


def memristive():
    """A builder of what has a memory."""
    builder = merlin.CircuitBuilder(4)
    builder.add_entangling_layer(trainable=True)
    builder.add_memristive_ps(1, lambda state, output: state + output[:, 0], initial_state=0.1)
    return builder
