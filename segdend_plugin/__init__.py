"""Teach networks of realistic neurons with segregated dendrites, in NEURON and NetPyNE."""

__version__ = "0.1.0"
