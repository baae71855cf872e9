"""MerLin layers of all kinds, at random."""

import warnings
from dataclasses import dataclass

import merlin
import numpy as np
import perceval as pcvl
import torch

from photonlink.readout import basis_size

SPACES = ("fock", "unbunched", "dual_rail")
STRATEGIES = ("probs", "lex", "mod", "mode_expectations", "partial", "occupancy")


@dataclass(frozen=True)
class Case:
    """What is needed to make a layer again, in another precision."""

    arguments: dict
    features: int

    def layer(self, dtype):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MerLin's remarks on detectors and noise
            torch.manual_seed(5)
            return merlin.QuantumLayer(**self.arguments, dtype=dtype)


def random_case(seed):
    """The layer of a seed: its space, strategy, grouping, scale, circuit and state are drawn from it."""
    rng = np.random.default_rng(seed)
    space = SPACES[seed % 3]
    photons = int(rng.integers(2, 4))
    modes = 2 * photons if space == "dual_rail" else int(rng.integers(max(3, photons), 6))
    described_by = ("builder", "circuit", "experiment")[seed // 3 % 3]
    make = builder_arguments if described_by == "builder" else circuit_arguments
    arguments, features = make(rng, modes, as_experiment=described_by == "experiment")
    arguments |= state_arguments(rng, modes, photons, space)
    kind = STRATEGIES[(seed + seed // 6) % 6]
    arguments["measurement_strategy"] = strategy(rng, kind, space, modes, photons)
    return Case(arguments | {"input_size": features}, features)


def builder_arguments(rng, modes, as_experiment):  # noqa: ARG001  # a builder is no experiment
    """Meshes of both kinds, trainable and not, rotations, beam splitters, one or two encodings with scales."""
    builder = merlin.CircuitBuilder(modes)
    builder.add_entangling_layer(model=("mzi", "bell")[rng.integers(2)], name=("U", None)[rng.integers(2)])
    encoded = int(rng.integers(1, modes))
    builder.add_angle_encoding(
        list(range(encoded)),
        name="px",
        scale=float(rng.uniform(0.3, 2)),
        subset_combinations=bool(rng.integers(2)) and encoded > 1,
        max_order=2,
    )
    if rng.integers(2):
        builder.add_rotations(trainable=True)
        builder.add_superpositions([(0, 1), (1, 2)], trainable=True)
    features = encoded
    if rng.integers(2):
        builder.add_entangling_layer(trainable=False, seed=int(rng.integers(99)))
        builder.add_angle_encoding([0, modes - 1], name="second", scale=float(rng.uniform(0.3, 2)))
        features += 2
    builder.add_entangling_layer(name="V", trainable_inner=bool(rng.integers(2)), trainable_outer=True)
    return {"builder": builder}, features


def circuit_arguments(rng, modes, as_experiment):
    """Beam splitters of all conventions, trained and driven by features, permutations, and a random unitary."""
    circuit = pcvl.Circuit(modes)
    conventions = (pcvl.BS.Rx, pcvl.BS.Ry, pcvl.BS.H)
    for k in range(modes - 1):
        splitter = conventions[rng.integers(3)]
        circuit.add(k, splitter(theta=pcvl.P(f"theta{k}"), phi_tr=pcvl.P(f"phi{k}"), phi_bl=float(rng.uniform(0, 6))))
    matrix = np.linalg.qr(rng.normal(size=(modes, modes)) + 1j * rng.normal(size=(modes, modes)))[0]
    circuit.add(0, pcvl.Unitary(pcvl.Matrix(matrix)))
    features = int(rng.integers(1, modes + 1))
    for mode in range(features):
        circuit.add(mode, pcvl.PS(pcvl.P(f"x{mode}")))
    circuit.add(0, pcvl.PERM(rng.permutation(modes).tolist()))
    if rng.integers(2):
        circuit.add(0, conventions[rng.integers(3)](theta=pcvl.P("w0")))
        features += 1
    for k in range(modes - 1):
        circuit.add(k, pcvl.BS() // pcvl.PS(pcvl.P(f"theta_r{k}")) // pcvl.BS())
    inputs = ["x", "w"] if "w0" in circuit.params else ["x"]
    source = {"experiment": pcvl.Experiment(circuit)} if as_experiment else {"circuit": circuit}
    return source | {"input_parameters": inputs, "trainable_parameters": ["phi", "theta"]}, features


def state_arguments(rng, modes, photons, space):
    """A state, or only its number of photons; in the Fock space also with several photons in a mode."""
    if space == "dual_rail" or rng.integers(3) == 0:
        return {"n_photons": photons}
    if space == "fock":
        return {"input_state": rng.multinomial(photons, np.ones(modes) / modes).tolist()}
    return {"input_state": rng.permutation([1] * photons + [0] * (modes - photons)).tolist()}


def strategy(rng, kind, space, modes, photons):
    """MerLin's object; groupings of 2 to 5 groups."""
    of, computation_space = merlin.MeasurementStrategy, merlin.ComputationSpace(space)
    if kind == "mode_expectations":
        return of.mode_expectations(computation_space)
    if kind == "partial":
        return of.partial(sorted(rng.permutation(modes)[: rng.integers(1, modes)].tolist()), computation_space)
    if kind == "occupancy" and space == "fock":
        return of.probs(computation_space, occupancy_readout=True)
    if kind in ("lex", "mod"):
        grouping = merlin.LexGrouping if kind == "lex" else merlin.ModGrouping
        return of.probs(computation_space, grouping(basis_size(modes, photons, space), int(rng.integers(2, 6))))
    return of.probs(computation_space)
