"""Spin operators as settings: which bases the qubits are measured in, and which terms each setting gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from photonlink.cudaq.quake.circuit import Basis
from photonlink.errors import ProgramError

__all__ = ["Group", "Term", "grouped", "terms_of"]


@dataclass(frozen=True, slots=True)
class Term:
    """A product of Pauli operators with a coefficient.

    Attributes:
        name: CUDA-Q's name of the product, e.g. "X0Z2".
        coefficient: Real: operators are Hermitian.
        paulis: Basis by qubit; empty for the identity.
    """

    name: str
    coefficient: float
    paulis: dict[int, Basis]


@dataclass(slots=True)
class Group:
    """Terms that one setting measures: on every qubit they have the same operator or none."""

    bases: dict[int, Basis] = field(default_factory=dict)
    terms: list[Term] = field(default_factory=list)

    def takes(self, term: Term) -> bool:
        """Whether the term fits in, which adds it."""
        if any(self.bases.get(qubit, basis) != basis for qubit, basis in term.paulis.items()):
            return False
        self.bases.update(term.paulis)
        self.terms.append(term)
        return True


def terms_of(operator: Any, qubits: int) -> list[Term]:
    """The terms of a CUDA-Q spin operator.

    Raises:
        ProgramError: It acts on a qubit that the kernel does not have, or has a complex coefficient.
    """
    terms = []
    for term in operator:
        paulis = {
            int(element.target): element.as_pauli().name.lower() for element in term if element.as_pauli().name != "I"
        }
        coefficient = complex(term.evaluate_coefficient())
        if abs(coefficient.imag) > 1e-12 * max(1.0, abs(coefficient)):
            raise ProgramError(f"term {term.term_id} has the coefficient {coefficient}: the operator is not Hermitian")
        if any(qubit >= qubits for qubit in paulis):
            raise ProgramError(f"term {term.term_id} acts on a qubit that the kernel does not have: it has {qubits}")
        terms.append(Term(term.term_id, coefficient.real, paulis))
    return terms


def grouped(terms: Sequence[Term]) -> list[Group]:
    """Groups of terms that are measured together, first come first served; identities need no measurement."""
    groups: list[Group] = []
    for term in sorted(terms, key=lambda one: -len(one.paulis)):
        if term.paulis and not any(group.takes(term) for group in groups):
            groups.append(Group(dict(term.paulis), [term]))
    return groups
