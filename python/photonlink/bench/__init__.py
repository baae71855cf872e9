"""Benchmarks that compare, in one run, our path, the peers and the bare limit of the machine."""
