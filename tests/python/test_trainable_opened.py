"""A trainable program with its parameters as features is the same program for all their values."""

import numpy as np
import perceval as pcvl

import photonlink as phl
from photonlink.gradients import TrainableProgram, parameter_shift, phase_program, value_and_vjp


def test_parameters_become_features():
    theta, phi, px = pcvl.P("theta0"), pcvl.P("theta1"), pcvl.P("px0")
    circuit = pcvl.Circuit(4) // (0, pcvl.BS.Ry(theta, phi_tl=phi)) // (1, pcvl.PS(px))
    circuit = circuit // (1, pcvl.Unitary(pcvl.Matrix.random_unitary(3))) // (1, pcvl.BS(theta))
    circuit = circuit // (0, pcvl.PS(pcvl.Expression("theta1*0.5 + px0*2 + 0.1", {phi, px}))) // (0, pcvl.BS())
    trainable = TrainableProgram.from_perceval(circuit, [1, 1, 0, 1], ["px"], ["theta"], phl.Readout.probs("fock"))
    opened = trainable.opened()
    assert opened.features == ("px0", "theta0", "theta1")
    rng = np.random.default_rng(3)
    x, values = rng.uniform(-3, 3, (2, 1)), rng.uniform(-3, 3, 2)
    both = np.hstack([x, np.tile(values, (2, 1))])
    assert np.abs(opened.simulate(both) - trainable.program(values).simulate(x)).max() < 1e-12

    cotangent = rng.normal(size=(2, opened.output_size))
    exact = value_and_vjp(trainable, x, cotangent, parameters=values)
    with phl.reserve("sim", phase_program(opened), controller=phl.Controller()) as session:
        shifted = parameter_shift(session, both, cotangent, program=opened)
    assert np.abs(shifted.features[:, :1] - exact.features).max() < 1e-9
    assert np.abs(shifted.features[:, 1:].sum(0) - exact.parameters).max() < 1e-9
