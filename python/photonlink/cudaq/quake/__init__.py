"""Quake, the intermediate representation of CUDA-Q kernels: from a compiled module to a plain list of gates."""
