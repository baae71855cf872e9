"""Programs that run a feature map for one datapoint, and backwards for another."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from photonlink.encoding import Encoding
from photonlink.errors import ProgramError
from photonlink.noise import Noise
from photonlink.program import Program
from photonlink.readout import Readout, Space

__all__ = ["Convention", "return_weights", "reverse", "uncompute"]

Convention = Literal["states", "merlin"]


def reverse(program: Program) -> Program:
    """U(x)^dagger in place of U(x): the same layers backwards, each inverted."""
    encoding = program.encoding
    inverse = replace(encoding, term_weight=-encoding.term_weight, offset=-encoding.offset)
    return replace(
        program,
        interferometers=program.interferometers.conj().transpose(0, 2, 1)[::-1],
        phase_layers=np.uint32(program.layers - 1) - program.phase_layers,
        encoding=inverse,
        phase_errors=-program.phase_errors,
    )


def uncompute(program: Program, convention: Convention, space: Space) -> Program:
    """U(x2)^dagger U(x1), or in MerLin's convention U(x1) U(x2)^dagger (light meets the rightmost factor first).

    Its features are those of x1 and then those of x2; it is read out as probabilities over `space`. Imperfections of
    sources and detectors are those of the program. Phase shifters of both halves are devices of their own: with phase
    noise, each gets an error of its own.
    """
    halves = [(program, ".1"), (reverse(program), ".2")]
    if convention == "merlin":
        halves.reverse()
    (first, first_mark), (second, second_mark) = halves
    between = second.interferometers[:1] @ first.interferometers[-1:]
    names = [f"{name}{mark}" for mark in (".1", ".2") for name in program.features]
    offsets = {".1": 0, ".2": len(program.features)}
    return Program(
        modes=program.modes,
        input_state=program.input_state,
        features=tuple(names),
        interferometers=np.concatenate([first.interferometers[:-1], between, second.interferometers[1:]]),
        phase_layers=np.concatenate([first.phase_layers, second.phase_layers + np.uint32(first.layers)]),
        phase_modes=np.concatenate([first.phase_modes, second.phase_modes]),
        encoding=_joined(first.encoding, offsets[first_mark], second.encoding, offsets[second_mark]),
        readout=Readout.probs(space),
        interference=program.interference,
        noise=program.noise,
        detectors=program.detectors,
        min_detected_photons=program.min_detected_photons,
    )


def return_weights(program: Program, both: Program, convention: Convention) -> NDArray[np.float64]:
    """What each observable of `both`, which is ``uncompute(program, ...)``, adds to the kernel.

    Returns:
        (O,) one for the state in which detectors find all photons where they entered, and zero for others. In MerLin's
        convention: the probability that loss and detectors make of the input state what the observable stands for.

    Raises:
        ProgramError: The input state does not lie in the space.
    """
    noise = both.noise if convention == "merlin" else None
    loss = None if noise is None else Noise(transmittance=noise.brightness * noise.transmittance)
    unmoved = Program.layered(program.modes, program.input_state).build(
        both.readout, noise=loss, detectors=both.detectors, min_detected_photons=both.min_detected_photons
    )
    found = dict(zip(unmoved.output_keys, unmoved.simulate(np.zeros(0)), strict=True))
    weights = np.array([found.get(key, 0.0) for key in both.output_keys])
    if not weights.any():
        raise ProgramError(
            f"the input state {list(program.input_state)} does not lie in the space {both.readout.space!r}, so that "
            "photons never come back to it: use space='fock'"
        )
    return weights


def _joined(first: Encoding, first_feature: int, second: Encoding, second_feature: int) -> Encoding:
    terms = first.term_feature.size
    return Encoding(
        row_begin=np.concatenate([first.row_begin, second.row_begin[1:] + np.uint32(terms)]),
        term_feature=np.concatenate(
            [first.term_feature + np.uint32(first_feature), second.term_feature + np.uint32(second_feature)]
        ),
        term_weight=np.concatenate([first.term_weight, second.term_weight]),
        offset=np.concatenate([first.offset, second.offset]),
        wrap=first.wrap,
        dac_bits=first.dac_bits,
    )
