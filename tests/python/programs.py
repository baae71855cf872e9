"""Programs to test with."""

from __future__ import annotations

import dataclasses

from photonlink.program import Program
from photonlink.readout import LexGrouping, ModGrouping, Readout


def exact_program():
    """A program whose every number is exact, so that its digest is the same on every machine."""
    return (
        Program.layered(3, [1, 0, 2])
        .interferometer([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
        .phases(["a", "b"], modes=[2, 0], scale=[0.5, -2.0], offset=0.25)
        .interferometer([[0.6, 0.8j, 0], [0.8j, 0.6, 0], [0, 0, 1]])
        .phases(["b"], modes=[1])
        .interferometer([[1, 0, 0], [0, 0.28, 0.96], [0, -0.96, 0.28]])
        .build(Readout.probs("fock", LexGrouping(4)))
    )


def variants():
    base = Program.reservoir(4, 2, 3, seed=1)
    encoding = base.encoding
    yield base
    yield Program.reservoir(4, 2, 3, seed=2)
    yield Program.reservoir(4, 2, 3, seed=1, scale=2.0)
    yield Program.reservoir(4, 2, ["a", "b", "c"], seed=1)
    yield Program.reservoir(4, 2, 3, seed=1, input_state=[1, 1, 0, 0])
    yield base.replace(readout=Readout.correlators())
    yield base.replace(readout=Readout.probs("fock"))
    yield base.replace(readout=Readout.probs(grouping=LexGrouping(2)))
    yield base.replace(readout=Readout.probs(grouping=ModGrouping(2)))
    yield base.replace(readout=Readout.probs(grouping=ModGrouping(3)))
    yield base.replace(interference=False)
    yield dataclasses.replace(base, encoding=dataclasses.replace(encoding, wrap=True))
    yield dataclasses.replace(base, encoding=dataclasses.replace(encoding, dac_bits=4))
    yield Program.reservoir(4, 2, 3, seed=1, dac_bits=5)
    yield dataclasses.replace(base, encoding=dataclasses.replace(encoding, offset=encoding.offset + 1e-15))
