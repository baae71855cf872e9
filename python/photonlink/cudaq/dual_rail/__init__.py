"""Qubit circuits on linear optics: one photon in two modes per qubit, and probabilistic entangling gates."""
