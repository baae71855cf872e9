"""From a circuit to what optics is built of: a sequence of CZ gates, and one 2x2 unitary before, between and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from photonlink.cudaq.quake.circuit import CZ, Basis, Circuit, Matrix
from photonlink.cudaq.quake.gates import BASIS_CHANGES

__all__ = ["Lowered", "lower"]

_DIAGONAL = 1e-12  # off-diagonal elements below this are rounding


@dataclass(frozen=True, slots=True, eq=False)
class Lowered:
    """A circuit with its one-qubit gates merged.

    Attributes:
        wires: Number of wires.
        entanglers: Pairs of wires of the CZ gates, in their order.
        blocks: Per wire, one (2, 2) unitary more than it has CZ gates: block k acts before its gate k.
    """

    wires: int
    entanglers: tuple[tuple[int, int], ...]
    blocks: tuple[tuple[Matrix, ...], ...]

    def measured_in(self, bases: Mapping[int, Basis]) -> tuple[tuple[Matrix, ...], ...]:
        """The blocks, with measurements in ``bases`` (by wire; Z where none is given) turned into ones of Z."""
        return tuple(
            (*blocks[:-1], BASIS_CHANGES[bases.get(wire, "z")] @ blocks[-1]) for wire, blocks in enumerate(self.blocks)
        )


def lower(circuit: Circuit) -> Lowered:
    """Merge one-qubit gates, and drop pairs of equal CZ gates with nothing but phases between them.

    Every CZ costs about nine tenths of the remaining success probability, so that each one less matters.
    """
    blocks: list[list[Matrix]] = [[np.eye(2, dtype=np.complex128)] for _ in range(circuit.wires)]
    gates: list[tuple[int, int]] = []
    touching: list[list[int]] = [[] for _ in range(circuit.wires)]  # positions in `gates`
    dropped: set[int] = set()
    for operation in circuit.operations:
        if not isinstance(operation, CZ):
            blocks[operation.wire][-1] = operation.matrix @ blocks[operation.wire][-1]
            continue
        pair = (operation.first, operation.second)
        if _undoes_last(pair, touching, blocks):
            dropped.add(touching[pair[0]][-1])
            for wire in pair:
                touching[wire].pop()
                phases = blocks[wire].pop()
                blocks[wire][-1] = phases @ blocks[wire][-1]
            continue
        for wire in pair:
            touching[wire].append(len(gates))
            blocks[wire].append(np.eye(2, dtype=np.complex128))
        gates.append(pair)
    kept = tuple(pair for position, pair in enumerate(gates) if position not in dropped)
    return Lowered(circuit.wires, kept, tuple(tuple(one) for one in blocks))


def _undoes_last(pair: tuple[int, int], touching: list[list[int]], blocks: list[list[Matrix]]) -> bool:
    """Whether the last gate of both wires is a CZ of the two, and what came since commutes with it."""
    last = [touching[wire][-1] if touching[wire] else -1 for wire in pair]
    if last[0] != last[1] or last[0] < 0:
        return False
    since = [blocks[wire][-1] for wire in pair]
    return all(abs(block[0, 1]) < _DIAGONAL and abs(block[1, 0]) < _DIAGONAL for block in since)
