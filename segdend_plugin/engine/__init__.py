"""NEURON objects on this rank: MPI, compiled mechanisms, plastic projections and populations."""
