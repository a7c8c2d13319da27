"""The learning theory: pure NumPy, without NEURON, NetPyNE or MPI."""
