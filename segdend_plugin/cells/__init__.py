"""What a neuron is: its shape, its regions and its cell templates."""
