"""A network of the caller's own cells in plain NEURON learns exactly as the one that NetPyNE builds."""

import numpy as np
import pytest

from segdend_plugin.experiment import config
from segdend_plugin.rule import phases
from segdend_plugin.rule.random import Purpose


def learn(network, n_input):
    for example in range(3):
        schedule = phases.training_schedule(0, example, dt=1.0, forward=50.0, target=50.0, settle=30.0, jitter=True)
        image = np.linspace(0, 1, n_input)
        network.show(image, schedule, Purpose.TRAINING_SPIKES, example, example)
        network.learn(schedule, [0.5, 0.5], example, train_hidden=True)
    return network.gather_weights()


@pytest.mark.parametrize(
    "variant",
    [
        [],
        ["feedback.weights=symmetric", "feedback.noise=0.05", "rule.plateau=bursts", "rule.plateau_jitter=3"],
        ["rule.feedforward=rates", "feedback.signal=rates", "rule.psp_memory=10", "feedback.learning_rate=0.1"],
    ],
)
def test_same_weights_as_netpyne(ranks, variant):
    from neuron import h

    from segdend_plugin.cells import templates
    from segdend_plugin.engine import mechanisms
    from segdend_plugin.engine.population import CellHandle
    from segdend_plugin.experiment import network
    from segdend_plugin.hosts import neuron as host

    mechanisms.load()
    experiment = config.load(settings=["cell=three_compartment", "layers.hidden=[6]", *variant])
    built = network.build(experiment, 9, 3)
    first = learn(built, 9)
    gids = [built.inputs.gids, built.hidden[0].gids, built.output.gids]
    del built
    ranks.pc.gid_clear()

    def lumped(gid):
        cell = templates.three_compartment()
        return cell, CellHandle(gid, cell.soma(0.5), lumped=cell.neuron)

    cells = [[lumped(gid) for gid in layer] for layer in gids[1:]]
    layers = [
        host.LayerOfCells(layer, [handle for _, handle in own]) for layer, own in zip(gids[1:], cells, strict=True)
    ]
    inputs = [(gid, h.SegDendInput()) for gid in gids[0]]
    mine = host.create(gids[0], inputs, layers, seed=0, variant=experiment.variant())
    second = learn(mine, 9)
    for (matrix, biases), (same_matrix, same_biases) in zip(first.values(), second.values(), strict=True):
        np.testing.assert_array_equal(matrix, same_matrix)
        np.testing.assert_array_equal(biases, same_biases)
    ranks.pc.gid_clear()
