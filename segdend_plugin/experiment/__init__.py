"""A run: its description, data, network, training and results."""
