"""CUDA-Q's result objects, filled."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from photonlink.errors import ProgramError

__all__ = ["EXPECTATIONS", "sample_result", "with_terms"]

EXPECTATIONS = "expectations"  # the annotation that carries what CUDA-Q's results have no place for


def sample_result(
    counts: Mapping[str, int], registers: Mapping[str, Mapping[str, int]], annotations: dict[str, Any]
) -> Any:
    """A ``cudaq.SampleResult``.

    Args:
        counts: Of the global register, by bits.
        registers: Of further registers.
        annotations: Metadata.
    """
    import cudaq

    result = cudaq.SampleResult(dict(counts), annotations=annotations)
    for name, own in registers.items():
        result.deserialize(_encoded(name, own))
    return result


def _encoded(name: str, counts: Mapping[str, int]) -> list[int]:
    """A register in CUDA-Q's encoding: name, then per entry the bits as a number, how many they are, and the count."""
    entries = [number for bits, count in counts.items() for number in (int(bits, 2), len(bits), count)]
    return [len(name), *name.encode(), len(counts), *entries]


def with_terms(result: Any) -> Any:
    """The same ``cudaq.ObserveResult``, whose ``expectation(term)`` knows exact values and coefficients.

    CUDA-Q 0.16 itself reads a term's value from its counts, of which exact results have none, and leaves out the
    term's coefficient, which gives wrong sums for lists of operators.
    """
    annotations = result.counts().annotations
    if EXPECTATIONS not in annotations:
        return result
    return _observed_class()(result.expectation(), result.get_spin(), result.counts())


@cache
def _observed_class() -> Any:
    import cudaq

    class ObserveResult(cudaq.ObserveResult):  # type: ignore[misc]  # a native class
        def expectation(self, sub_term: Any = None) -> float:
            """Of the whole operator, or of a term of it, times the coefficient of the term that is given."""
            if sub_term is None:
                return float(super().expectation())
            values: Mapping[str, float] = self.counts().annotations[EXPECTATIONS]
            terms = [sub_term] if isinstance(sub_term, cudaq.SpinOperatorTerm) else list(sub_term)
            return float(sum(_value(term, values) for term in terms))

    return ObserveResult


def _value(term: Any, values: Mapping[str, float]) -> float:
    coefficient = float(complex(term.evaluate_coefficient()).real)
    if term.is_identity():
        return coefficient
    if term.term_id not in values:
        raise ProgramError(f"{term.term_id} was not observed; observed were {', '.join(values) or 'no terms'}")
    return coefficient * values[term.term_id]
