"""Where the parameters of a layer's circuit get their values: MerLin's prefixes and angle encodings.

MerLin's objects are known by their attributes, so that neither MerLin nor torch has to be installed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from photonlink.encoding import Encoding
from photonlink.errors import ProgramError
from photonlink.readout import Readout
from photonlink.trainable import TrainableProgram

__all__ = ["Wires", "optics", "wires"]

Sum = Mapping[int, float]  # of features, with their weights


@dataclass(frozen=True)
class Wires:
    """Who sets which parameter of a circuit.

    Attributes:
        sizes: Length of the vector behind each trainable prefix.
        parameters: Names of the trainable parameters.
        sources: For each of them, its prefix and its place in that prefix's vector.
        features: Names of the layer's features.
        inputs: For each parameter of the circuit that features set, their weighted sum.
    """

    sizes: Mapping[str, int]
    parameters: tuple[str, ...]
    sources: tuple[tuple[str, int], ...]
    features: tuple[str, ...]
    inputs: Mapping[str, Sum]

    @property
    def places(self) -> list[int]:
        """Where each trainable parameter stands when the vectors of all prefixes are joined."""
        firsts = dict(zip(self.sizes, accumulate(self.sizes.values(), initial=0), strict=False))
        return [firsts[prefix] + place for prefix, place in self.sources]


def wires(
    circuit: Any,
    trainable_prefixes: Sequence[str],
    input_prefixes: Sequence[str],
    encodings: Mapping[str, Mapping[str, Any]],
) -> Wires:
    """How MerLin connects the parameters of a circuit.

    Every prefix owns a vector with an entry for each parameter whose name starts with it. A parameter that several
    prefixes match listens to the last of them; its entries in the other vectors have no effect.

    Args:
        circuit: A Perceval circuit.
        trainable_prefixes: Prefixes of trainable parameters.
        input_prefixes: Prefixes of parameters that features set.
        encodings: MerLin's ``angle_encoding_specs``: by input prefix, the ``combinations`` of features whose scaled
            sums are the values of its parameters, and the ``scales``.

    Raises:
        ProgramError: A prefix matches nothing or is given twice, or an encoding does not fit its parameters.
    """
    prefixes = [*trainable_prefixes, *input_prefixes]
    if len(set(prefixes)) < len(prefixes):
        raise ProgramError(f"each prefix may be given once, got {', '.join(map(repr, prefixes))}")
    names = [parameter.name for parameter in circuit.get_parameters()]
    matches = {prefix: _matching(names, prefix) for prefix in prefixes}
    owner = {name: (prefix, place) for prefix in prefixes for place, name in enumerate(matches[prefix])}
    features: list[str] = []
    sums: dict[str, Sequence[Sum]] = {}
    for prefix in input_prefixes:
        own, sums[prefix] = _encoding(prefix, matches[prefix], encodings.get(prefix, {}), len(features))
        features += own
    trained = [name for name in owner if owner[name][0] in trainable_prefixes]
    return Wires(
        sizes={prefix: len(matches[prefix]) for prefix in trainable_prefixes},
        parameters=tuple(trained),
        sources=tuple(owner[name] for name in trained),
        features=tuple(features),
        inputs={name: sums[prefix][place] for name, (prefix, place) in owner.items() if prefix in sums},
    )


def optics(circuit: Any, input_state: Any, connected: Wires, readout: Readout) -> TrainableProgram:
    """The trainable program of a circuit whose parameters are connected like this.

    Raises:
        ProgramError: See ``TrainableProgram.from_names``.
    """
    program = TrainableProgram.from_names(circuit, input_state, tuple(connected.inputs), connected.parameters, readout)
    encoding = _substituted(program.base.encoding, list(connected.inputs.values()))
    return replace(program, base=replace(program.base, features=connected.features, encoding=encoding))


def _matching(names: Sequence[str], prefix: str) -> list[str]:
    matching = [name for name in names if name.startswith(prefix)]
    if not matching:
        raise ProgramError(f"no parameter of the circuit starts with {prefix!r}; it has: {', '.join(names) or 'none'}")
    return matching


def _encoding(
    prefix: str, parameters: Sequence[str], spec: Mapping[str, Any], first: int
) -> tuple[list[str], list[Sum]]:
    """Names of the features behind a prefix, numbered from `first` on, and what each of its parameters is."""
    combinations = spec.get("combinations", [])
    if not combinations:
        return list(parameters), [{first + place: 1.0} for place in range(len(parameters))]
    if len(combinations) != len(parameters):
        raise ProgramError(
            f"the angle encoding {prefix!r} computes {len(combinations)} values for the {len(parameters)} parameters "
            f"{', '.join(parameters)}: give other parameters names that do not start with {prefix!r}"
        )
    count = 1 + max(index for combination in combinations for index in combination)
    scales = spec.get("scales", {})
    sums: list[Sum] = [
        {first + index: float(scales.get(index, 1.0)) for index in combination} for combination in combinations
    ]
    return [f"{prefix}{index + 1}" for index in range(count)], sums


def _substituted(encoding: Encoding, sums: Sequence[Sum]) -> Encoding:
    """The encoding with each feature replaced by a weighted sum of other features."""
    rows: list[dict[int, float]] = []
    for begin, end in pairwise(encoding.row_begin.tolist()):
        row: dict[int, float] = {}
        for feature, weight in zip(encoding.term_feature[begin:end], encoding.term_weight[begin:end], strict=True):
            for other, factor in sums[feature].items():
                row[other] = row.get(other, 0.0) + factor * float(weight)
        rows.append(row)
    terms = [term for row in rows for term in row.items()]
    return replace(
        encoding,
        row_begin=np.cumsum([0, *(len(row) for row in rows)]).astype(np.uint32),
        term_feature=np.array([feature for feature, _ in terms], np.uint32),
        term_weight=np.array([weight for _, weight in terms], np.float64),
    )
