"""What one datapoint returns: probabilities, expectations, correlators, clicks or samples.

A :class:`Readout` says nothing about how many samples estimate it: that is the session's ``shots``. Every readout
works on one of three spaces of ``n`` photons in ``m`` modes:

* ``"fock"``: every state. Needs photon-number-resolving detectors.
* ``"unbunched"``: at most one photon per mode, renormalised within the space (post-selected). MerLin's default.
* ``"dual_rail"``: exactly one photon in each mode pair ``(2k, 2k+1)``, renormalised likewise.

Basis states are listed in descending lexicographic order, as in MerLin and Perceval.

Examples:
    >>> readout = Readout.probs(space="unbunched")
    >>> readout.output_size(modes=4, photons=2)
    6
    >>> readout.output_keys(modes=3, photons=2)
    [(1, 1, 0), (1, 0, 1), (0, 1, 1)]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Literal, get_args

from photonlink import _core
from photonlink._checks import integer, modes_of, one_of, shown
from photonlink.errors import ProgramError

__all__ = ["Kind", "LexGrouping", "ModGrouping", "Readout", "Space", "basis_size"]

Space = Literal["fock", "unbunched", "dual_rail"]
Kind = Literal["probabilities", "mode_expectations", "correlators", "click_patterns", "click_probabilities", "samples"]

_MAX_KEYS = 4_000_000  # a list of more tuples than this takes over a gigabyte: refuse instead of swapping


@dataclass(frozen=True, slots=True)
class LexGrouping:
    """Sums consecutive probabilities into ``output_size`` equal buckets; the last ones are padded with zeros.

    Same sums as MerLin's class of that name, which also wants the input size: here it follows from the program.

    Attributes:
        output_size: Number of groups, at least 1.
    """

    output_size: int

    def __post_init__(self) -> None:
        _check_groups(self.output_size)


@dataclass(frozen=True, slots=True)
class ModGrouping:
    """Sums the probabilities whose index is equal modulo ``output_size``.

    Same sums as MerLin's class of that name, which also wants the input size: here it follows from the program.

    Attributes:
        output_size: Number of groups, at least 1.
    """

    output_size: int

    def __post_init__(self) -> None:
        _check_groups(self.output_size)


GROUPINGS: Mapping[str, type[LexGrouping] | type[ModGrouping]] = {"lex": LexGrouping, "mod": ModGrouping}


def _check_groups(output_size: object) -> None:
    integer("output_size of a grouping", output_size, 1, 2**32 - 1)


def _check_listable(keys: int, modes: int) -> None:
    if keys > _MAX_KEYS:
        raise ProgramError(
            f"{keys} output keys of {modes} modes are too many for a list (limit {_MAX_KEYS}): use a grouping, "
            "expectations or correlators"
        )


def _numbered(keys: int, modes: int) -> list[tuple[int, ...]]:
    _check_listable(keys, modes)
    return [(index,) for index in range(keys)]


def _as_grouping(grouping: object) -> LexGrouping | ModGrouping | None:
    """Our own grouping for ours or MerLin's; recognised by name, so that MerLin (and torch) need not be imported."""
    if grouping is None or isinstance(grouping, LexGrouping | ModGrouping):
        return grouping
    size = getattr(grouping, "output_size", None)
    for known in GROUPINGS.values():
        if type(grouping).__name__ == known.__name__ and size is not None:
            return known(size)
    raise ProgramError(
        f"grouping must be a LexGrouping, a ModGrouping (photonlink's or MerLin's) or None, got {shown(grouping)}"
    )


def basis_size(modes: int, photons: int, space: Space) -> int:
    """Number of states of ``photons`` in ``modes`` that lie in ``space``.

    Args:
        modes: Number of modes, at least 1.
        photons: Number of photons, at least 1.
        space: ``"fock"``, ``"unbunched"`` or ``"dual_rail"``.

    Returns:
        The size of the basis, as an exact integer of any length.

    Raises:
        ProgramError: If the space has no state of that many photons.

    Examples:
        >>> basis_size(24, 12, "unbunched")
        2704156
    """
    modes = modes_of(modes)
    photons = integer("photons", photons, 1, None)
    one_of("space", space, get_args(Space))
    if space == "fock":
        return comb(modes + photons - 1, photons)
    if space == "unbunched":
        if photons > modes:
            raise ProgramError(
                f"{photons} photons cannot be unbunched in {modes} modes (at most one per mode): use space='fock'"
            )
        return comb(modes, photons)
    if modes != 2 * photons:
        raise ProgramError(
            f"dual_rail needs twice as many modes as photons, got {modes} modes and {photons} photons: "
            "use space='unbunched' or 'fock'"
        )
    return int(2**photons)


@dataclass(frozen=True, slots=True)
class Readout:
    """What one datapoint returns; immutable and hashable. Use the factories.

    Attributes:
        kind: ``"probabilities"``, ``"mode_expectations"``, ``"correlators"``, ``"click_patterns"``,
            ``"click_probabilities"`` or ``"samples"``.
        space: The states that count; outside ``"fock"`` the distribution is renormalised within them.
        grouping: How probabilities are summed into fewer outputs, or None.

    Examples:
        >>> Readout.correlators(space="fock").output_keys(modes=3, photons=2)
        [(0, 1), (0, 2), (1, 2)]
    """

    kind: Kind = "probabilities"
    space: Space = "unbunched"
    grouping: LexGrouping | ModGrouping | None = None

    def __post_init__(self) -> None:
        one_of("the kind of a readout", self.kind, get_args(Kind))
        space = getattr(self.space, "value", self.space)  # MerLin's ComputationSpace is an enum of str
        word = one_of("space", space.lower() if isinstance(space, str) else space, get_args(Space))
        object.__setattr__(self, "space", word)
        object.__setattr__(self, "grouping", _as_grouping(self.grouping))
        if self.grouping is not None and self.kind != "probabilities":
            raise ProgramError(f"a grouping sums probabilities; it has no meaning for {self.kind}")

    @property
    def grouping_name(self) -> str:
        """``"lex"``, ``"mod"`` or ``"none"``: the native core's word for the grouping."""
        return next((name for name, known in GROUPINGS.items() if isinstance(self.grouping, known)), "none")

    @property
    def groups(self) -> int:
        """Number of groups; 0 without a grouping."""
        return 0 if self.grouping is None else self.grouping.output_size

    @classmethod
    def probs(cls, space: Space = "unbunched", grouping: object = None) -> Readout:
        """Probability of each basis state of ``space``, or of groups of them.

        Args:
            space: The states that count.
            grouping: A :class:`LexGrouping` or :class:`ModGrouping` (MerLin's own are accepted), or None.
        """
        return cls("probabilities", space, _as_grouping(grouping))

    @classmethod
    def mode_expectations(cls, space: Space = "unbunched") -> Readout:
        """Mean photon number <n_i> of each mode.

        In the full Fock space <n_i> carries no multi-photon interference: it is what the same number of separate
        single photons gives, it is computed in polynomial time, and it must not be presented as a quantum effect.
        In a post-selected space interference enters only through the renormalisation.
        """
        return cls("mode_expectations", space)

    @classmethod
    def correlators(cls, space: Space = "unbunched") -> Readout:
        """<n_i n_j> for each pair i < j. In the Fock space polynomial in time, but sensitive to interference."""
        return cls("correlators", space)

    @classmethod
    def click_patterns(cls, space: Space = "fock") -> Readout:
        """Probability of each pattern of clicks of threshold detectors, which cannot tell one photon from two."""
        return cls("click_patterns", space)

    @classmethod
    def click_probabilities(cls, space: Space = "fock") -> Readout:
        """Probability that the threshold detector of each mode clicks."""
        return cls("click_probabilities", space)

    @classmethod
    def samples(cls, space: Space = "unbunched") -> Readout:
        """Detected Fock states themselves, returned as sparse counts; needs ``shots``."""
        return cls("samples", space)

    def basis_size(self, modes: int, photons: int) -> int:
        """Number of basis states behind this readout; see :func:`basis_size`."""
        return basis_size(modes, photons, self.space)

    def output_size(self, modes: int, photons: int) -> int:
        """Number of values per datapoint, from combinatorics alone; 0 for samples, whose number is ``shots``.

        Args:
            modes: Number of modes.
            photons: Number of photons.

        Raises:
            ProgramError: If the space has no state of that many photons.

        Examples:
            >>> Readout.probs(space="fock", grouping=LexGrouping(4)).output_size(modes=6, photons=3)
            4
        """
        states = self.basis_size(modes, photons)
        if self.kind == "samples":
            return 0
        if self.kind in ("mode_expectations", "click_probabilities"):
            return modes
        if self.kind == "correlators":
            return modes * (modes - 1) // 2
        if self.kind == "click_patterns" and self.space == "fock":
            return sum(comb(modes, clicks) for clicks in range(1, min(modes, photons) + 1))
        return states if self.grouping is None else self.grouping.output_size

    def kept_keys(self, spec: _core.ProgramSpec) -> list[tuple[int, ...]]:
        """Output keys of a noisy program, whose kept events may show other numbers of photons than it puts in.

        Args:
            spec: The program's native description, with this readout.

        Returns:
            As :meth:`output_keys`.

        Raises:
            ProgramError: If the list would not reasonably fit in memory.
        """
        if self.kind == "correlators":
            return list(combinations(range(spec.modes), 2))
        if self.grouping is not None or self.kind in ("mode_expectations", "click_probabilities"):
            return _numbered(_core.output_size(spec), spec.modes)
        patterns = self.kind == "click_patterns"
        _check_listable(_core.output_size(spec) if patterns else _core.kept_size(spec), spec.modes)
        list_states = _core.kept_click_patterns if patterns else _core.kept_states
        return [tuple(state) for state in list_states(spec).tolist()]

    def output_keys(self, modes: int, photons: int) -> list[tuple[int, ...]]:
        """What each output column is about, in column order.

        Args:
            modes: Number of modes.
            photons: Number of photons.

        Returns:
            For probabilities and samples: Fock states (for samples: the states that counts refer to). For groups:
            ``(group,)``. For click patterns: 0 or 1 per mode. For expectations and click probabilities: ``(mode,)``.
            For correlators: ``(i, j)``.

        Raises:
            ProgramError: If the space has no such state, or the list would not reasonably fit in memory.
        """
        size = self.output_size(modes, photons)
        if self.kind == "correlators":
            return list(combinations(range(modes), 2))
        if self.grouping is not None or self.kind in ("mode_expectations", "click_probabilities"):
            return _numbered(size, modes)
        _check_listable(max(size, self.basis_size(modes, photons) if self.kind == "samples" else 0), modes)
        list_states = _core.click_patterns if self.kind == "click_patterns" else _core.basis_states
        return [tuple(state) for state in list_states(modes, photons, self.space).tolist()]
