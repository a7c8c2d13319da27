"""Plain data that all parts share; knows neither NEURON nor MPI."""
