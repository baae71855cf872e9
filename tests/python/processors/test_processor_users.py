"""What is built on sessions takes processors by name, too."""

import numpy as np
import pytest

import photonlink as phl
from photonlink.errors import ProgramError


def test_kernels_are_measured_by_perceval_as_by_the_simulator(x):
    learn = pytest.importorskip("photonlink.learn")
    feature_map = phl.Program.reservoir(6, 2, features=6)
    measured = [learn.FidelityKernel(feature_map, target=target)(x[:4]) for target in ("sim", "perceval:slos")]
    np.testing.assert_allclose(*measured, atol=1e-10)
    with pytest.raises(ProgramError, match="other outputs"):
        learn.FidelityKernel(feature_map, target="perceval:belenos")(x[:2])


def test_layers_refuse_a_chip_that_changes_their_outputs(x):
    pytest.importorskip("torch")
    merlin = pytest.importorskip("merlin")
    import torch

    from photonlink.merlin import Processor

    layer = merlin.QuantumLayer.simple(input_size=3).eval()
    rows = torch.from_numpy(x[:2, :3].astype(np.float32))
    with Processor("perceval:slos") as processor:
        np.testing.assert_allclose(processor.forward(layer, rows), layer(rows).detach(), atol=1e-5)
    with Processor("perceval:belenos") as processor, pytest.raises(ProgramError, match="other outputs"):
        processor.forward(layer, rows)


def test_the_real_time_clock_waits_for_a_driver_too(program, x):
    with phl.reserve("perceval:slos", program, shots=100, clock="realtime") as session:
        _, info = session.infer(x[:2], return_info=True)
    used = session.usage
    assert info.clock == "realtime"
    assert np.all(info.quantum_seconds > 0)
    assert used.wall_seconds >= used.quantum_seconds
