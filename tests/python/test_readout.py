"""Readouts: sizes, keys and their order, groupings, and what is refused."""

from __future__ import annotations

from itertools import product
from math import comb

import pytest

from photonlink.errors import ProgramError
from photonlink.readout import LexGrouping, ModGrouping, Readout, basis_size

SPACES = ("fock", "unbunched", "dual_rail")


def all_states(modes, photons):
    """Every occupation, in descending lexicographic order, by brute force."""
    return [s for s in product(range(photons, -1, -1), repeat=modes) if sum(s) == photons]


def states_of(modes, photons, space):
    def inside(state):
        if space == "unbunched":
            return max(state) <= 1
        return space == "fock" or all(state[k] + state[k + 1] == 1 for k in range(0, modes, 2))

    return [state for state in all_states(modes, photons) if inside(state)]


CASES = [
    (modes, photons, space)
    for modes, photons, space in product(range(1, 7), range(1, 5), SPACES)
    if (space == "fock" or photons <= modes) and (space != "dual_rail" or modes == 2 * photons)
]


@pytest.mark.parametrize(("modes", "photons", "space"), CASES)
def test_keys_are_the_states_of_the_space_in_order(modes, photons, space):
    expected = states_of(modes, photons, space)
    assert Readout.probs(space).output_keys(modes, photons) == expected
    assert Readout.probs(space).output_size(modes, photons) == len(expected) == basis_size(modes, photons, space)


@pytest.mark.parametrize(("modes", "photons", "space"), CASES)
def test_click_patterns_are_those_of_the_states(modes, photons, space):
    patterns = {tuple(int(count > 0) for count in state) for state in states_of(modes, photons, space)}
    keys = Readout.click_patterns(space).output_keys(modes, photons)
    assert set(keys) == patterns
    assert len(keys) == len(patterns) == Readout.click_patterns(space).output_size(modes, photons)


def test_keys_of_expectations_correlators_groups_and_samples():
    assert Readout.mode_expectations().output_keys(3, 2) == [(0,), (1,), (2,)]
    assert Readout.click_probabilities().output_keys(2, 2) == [(0,), (1,)]
    assert Readout.correlators().output_keys(4, 2) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    assert Readout.probs(grouping=ModGrouping(3)).output_keys(6, 2) == [(0,), (1,), (2,)]
    assert Readout.samples("unbunched").output_keys(3, 1) == [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
    assert Readout.samples("unbunched").output_size(3, 1) == 0


def test_sizes_of_large_spaces_are_exact_and_their_keys_refused():
    readout = Readout.probs("fock")
    assert readout.output_size(40, 30) == comb(69, 30)
    with pytest.raises(ProgramError, match="too many for a list"):
        readout.output_keys(40, 30)
    with pytest.raises(ProgramError, match="too many for a list"):
        Readout.samples("fock").output_keys(40, 30)
    assert len(Readout.correlators("fock").output_keys(40, 30)) == 780


def test_readouts_are_values():
    assert Readout.probs("fock") == Readout.probs("FOCK")
    assert len({Readout.probs(), Readout.probs("unbunched"), Readout.correlators()}) == 2
    assert Readout.probs(grouping=LexGrouping(3)) != Readout.probs(grouping=ModGrouping(3))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Readout.probs("hilbert"), "hilbert.*'fock', 'unbunched', 'dual_rail'"),
        (lambda: Readout("amplitudes"), "amplitudes.*probabilities"),
        (lambda: LexGrouping(0), "output_size .* is 0, .* from 1"),
        (lambda: ModGrouping(2.5), "output_size .* is 2.5, "),
        (lambda: Readout.probs(grouping="lex"), "LexGrouping.*'lex'"),
        (lambda: Readout("correlators", "fock", LexGrouping(2)), "no meaning for correlators"),
        (lambda: Readout.probs("unbunched").output_size(3, 4), "4 photons cannot be unbunched in 3 modes"),
        (lambda: Readout.probs("dual_rail").output_size(4, 3), "twice as many modes as photons, got 4 modes and 3"),
        (lambda: Readout.probs("fock").output_size(4, 0), "photons is 0, "),
    ],
)
def test_refusals_name_what_was_received(build, words):
    with pytest.raises(ProgramError, match=words):
        build()
