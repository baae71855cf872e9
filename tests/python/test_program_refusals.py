"""Which programs are refused, and in which words."""

from __future__ import annotations

import dataclasses

import numpy as np
import perceval as pcvl
import pytest

from photonlink.builder import haar_unitary
from photonlink.errors import ProgramError
from photonlink.program import Program
from photonlink.readout import Readout
from programs import exact_program


def circuit_with(component, mode=0, modes=3):
    return pcvl.Circuit(modes).add(mode, component).add(0, pcvl.PS(pcvl.P("px")))


def experiment_with(add):
    experiment = pcvl.Experiment(circuit_with(pcvl.BS()))
    add(experiment)
    return experiment


def expression(text, *names):
    return pcvl.PS(pcvl.Expression(text, {pcvl.P(name) for name in names}))


def perceval_refusals():
    def tripled(name):
        return pcvl.Circuit(2).add(0, pcvl.PS(pcvl.P(name)))

    yield circuit_with(pcvl.PS(pcvl.P("alpha"))), ["px"], "without a value.*alpha"
    yield circuit_with(pcvl.BS(pcvl.P("theta"))), ["px"], "without a value.*theta"
    yield tripled("px"), ["py"], "starts with 'py'.*px"
    yield tripled("px"), ["p", "px"], "'px' matches px, which an earlier prefix"
    yield circuit_with(expression("px2*px3", "px2", "px3")), ["px"], "px2\\*px3.*not linear.*px2, px3"
    yield circuit_with(expression("sin(px2)", "px2")), ["px"], "not linear in the input parameters px2"
    yield circuit_with(pcvl.BS(pcvl.P("px2") ** 2)), ["px"], "not linear"
    yield circuit_with(pcvl.HWP(0.3)), ["px"], "HWP on modes \\[0\\].*polarisation"
    yield circuit_with(pcvl.PBS(), mode=1), ["px"], "PBS on modes \\[1, 2\\].*polarisation"
    yield circuit_with(pcvl.PS(0.1, max_error=0.2)), ["px"], "PS on modes \\[0\\].*max_error"
    yield experiment_with(lambda e: e.add(1, pcvl.LC(0.1))), ["px"], "LC on modes \\[1\\].*lossless"
    yield experiment_with(lambda e: e.add(2, pcvl.TD(1))), ["px"], "TD on modes \\[2\\]"
    yield experiment_with(lambda e: e.add(0, pcvl.Detector.threshold())), ["px"], "detectors.*Readout"
    yield experiment_with(lambda e: e.add_herald(0, 1)), ["px"], "heralded"
    yield experiment_with(lambda e: e.set_postselection("[0]==1")), ["px"], "post-selection"
    yield "circuit", ["px"], "expected a Perceval circuit, experiment or processor, got str"


@pytest.mark.parametrize(("circuit", "prefixes", "words"), list(perceval_refusals()))
def test_circuits_that_are_no_programs_are_refused_by_name(circuit, prefixes, words):
    modes = getattr(circuit, "m", 3)
    with pytest.raises(ProgramError, match=words):
        Program.from_perceval(circuit, [1] + [0] * (modes - 1), prefixes)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ([0, 0], "no photon"),
        ([1], "1 entries, expected one per mode \\(2\\)"),
        ([2, -1], "is -1, expected an integer from 0"),
        ([1.0, 0.5], "is 1.0, expected an integer"),
        (pcvl.BasicState("|{P:H},0>"), "give photon numbers"),
        (pcvl.NoisyFockState("|{0},{1}>"), "give photon numbers"),
    ],
)
def test_bad_input_states_are_refused(state, words):
    circuit = pcvl.Circuit(2).add(0, pcvl.PS(pcvl.P("px")))
    with pytest.raises(ProgramError, match=words):
        Program.from_perceval(circuit, state)


def layered(modes=2):
    return Program.layered(modes, [1] + [0] * (modes - 1))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: layered().interferometer([[1, 0], [0, 1.01]]), "not unitary: .*0.0201.*at most 1e-"),
        (lambda: layered().interferometer(np.eye(3)), "shape \\(2, 2\\), got \\(3, 3\\)"),
        (lambda: layered().interferometer([[np.nan, 0], [0, 1]]), "not finite"),
        (lambda: layered().interferometer(np.full((2, 2), 1e200 + 1e200j)), "not unitary"),  # the product overflows
        (lambda: layered().phases(["a"], modes=[2]), "feature 'a' drives is 2, .*0 to 1"),
        (lambda: layered().phases(["a", "b"], modes=[0]), "2 features but 1 modes"),
        (lambda: layered().phases(["a"], scale=[1, 2]), "scale must be one number or 1"),
        (lambda: layered().phases(["a"], offset=np.inf), "offset must be finite"),
        (lambda: layered(4).mzi_mesh([0] * 5, [0] * 5), "5 angles, .* 6 interferometers"),
        (lambda: layered().build("probs"), "must be a photonlink.Readout, got 'probs'"),
        (lambda: Program.layered(2, [1, 1, 1]), "expected one per mode \\(2\\)"),
        (lambda: Program.layered(3, [2, 1, 1]).build(), "4 photons cannot be unbunched in 3 modes"),
        (lambda: Program.reservoir(4, 2, 5), "features is 5, .* from 1 to 4"),
        (lambda: Program.reservoir(4, 2, 0), "is 0, .* from 1 to 4"),
        (lambda: Program.reservoir(4, 0, 2), "photons is 0, .* at least 1"),
        (lambda: Program.reservoir(4, 5, 2), "5 photons do not fit"),
        (lambda: Program.reservoir(4, 2, ["a", "a"]), "name of its own"),
        (lambda: Program.reservoir(4, 2, 2, input_state=[1, 1, 1, 0]), "has 3 photons, expected 2"),
        (lambda: Program.reservoir(4.0, 2, 2), "modes is 4.0, expected an integer"),
        (lambda: Program.reservoir(4, "2", 2), "photons is '2', expected an integer"),
        (lambda: Program.reservoir(4, 2, 2.0), "features is 2.0, expected how many"),
        (lambda: Program.reservoir(4, 2, "px"), "features is 'px', expected how many"),
        (lambda: Program.reservoir(4, 2, 2, seed=-1), "seed is -1, expected an integer of at least 0"),
        (
            lambda: Program.reservoir(4, 2, 2).replace(noise="belenos"),
            "noise is 'belenos', expected a photonlink.Noise",
        ),
        (lambda: Program.layered(2, [1, 1]).mzi_mesh([0.0], [0.0, 1.0]), "phi has 2 angles, .* 1 interferometers"),
        (lambda: haar_unitary(0, 1), "modes is 0, .* from 1"),
        (lambda: haar_unitary(2, 1.5), "seed is 1.5"),
    ],
)
def test_impossible_programs_are_refused(build, words):
    with pytest.raises(ProgramError, match=words):
        build()


def test_parts_that_do_not_match_are_refused():
    good = Program.reservoir(3, 1, 2)
    encoding = good.encoding
    for change, words in [
        ({"interferometers": np.eye(3)}, "expected interferometers of shape"),
        ({"features": ("a", "a")}, "given twice: a"),
        ({"features": ("a",)}, "uses feature 1, the program has 1"),
        ({"phase_layers": [1, 1]}, "a phase lies in layer 1"),
        ({"phase_modes": [0, 3]}, "on mode 3"),
        ({"phase_modes": [0]}, "do not match"),
        ({"encoding": dataclasses.replace(encoding, row_begin=[0, 2, 1])}, "must rise from 0 to 2"),
        ({"encoding": dataclasses.replace(encoding, offset=[0.0])}, "1 phases"),
        ({"encoding": dataclasses.replace(encoding, term_weight=[np.nan, 1])}, "not finite"),
    ]:
        with pytest.raises(ProgramError, match=words):
            dataclasses.replace(good, **change)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda p: p.simulate([1.0, 2.0]), "datapoints of 3 features.*got shape \\(2,\\)"),
        (lambda p: p.simulate(np.zeros((2, 2, 3))), "got shape \\(2, 2, 3\\)"),
        (lambda p: p.simulate([[0, 0, 0], [0, np.nan, 0]]), "'px2' of datapoint 1 is nan"),
        (lambda p: p.simulate([0, np.inf, 0]), "is inf"),
        (lambda p: p.simulate([0, 0, 0], shots=0), "shots is 0, .* from 1 to 4294967295"),
        (lambda p: p.simulate([0, 0, 0], shots=2**32), "shots is 4294967296, "),
        (lambda p: p.simulate([0, 0, 0], seed=-1), "seed is -1, "),
        (lambda p: p.simulate([0, 0, 0], precision="half"), "precision is 'half', .*'float32', 'float64'"),
        (lambda p: p.simulate([0, 0, 0], ids=[1, 2]), "expected 1 ids"),
        (lambda p: p.replace(readout=Readout.samples()).simulate([0, 0, 0]), "use a session"),
        (lambda p: p.predict_bytes("float16"), "float16"),
    ],
)
def test_bad_datapoints_are_refused(call, words):
    with pytest.raises(ProgramError, match=words):
        call(Program.reservoir(4, 2, 3, seed=1))


def test_memory_is_predicted_and_refused_before_it_is_allocated():
    program = Program.reservoir(60, 30, 4, seed=1)
    assert program.predict_bytes("float64") > 2**50
    assert program.predict_bytes("float32") <= program.predict_bytes("float64")
    with pytest.raises(ProgramError, match="bytes"):
        program.simulate(np.zeros(4))
    small = Program.reservoir(8, 3, 4, seed=1)
    with pytest.raises(ProgramError, match="bytes"):
        small.simulate(np.zeros(4), memory_limit=10)
    assert small.simulate(np.zeros(4), memory_limit=2 * small.predict_bytes()).shape == (56,)


def test_repr_is_short_and_names_the_readout():
    text = repr(exact_program())
    assert "probabilities/fock/LexGrouping" in text
    assert exact_program().digest[:8] in text
    assert len(text) < 200
