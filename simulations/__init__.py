"""Federations on one machine: the surrogate cohort, the reproduction, the benchmarks."""
