"""A network of the caller's own cells in plain NEURON learns exactly as the one that NetPyNE builds."""

import numpy as np
import pytest

from segdend_plugin.experiment import config
from segdend_plugin.model.streams import Purpose
from segdend_plugin.rule import phases


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


def test_active_cells_as_in_netpyne(ranks):
    """To some digits only, because copies of a cell at other places differ in the last bits (single precision)."""
    from neuron import h

    from segdend_plugin.cells import active, templates
    from segdend_plugin.cells.files import source
    from segdend_plugin.engine import mechanisms
    from segdend_plugin.engine.population import CellHandle
    from segdend_plugin.engine.resting import Active
    from segdend_plugin.experiment import network
    from segdend_plugin.hosts import neuron as host

    def learn_once(net):
        schedule = phases.training_schedule(0, 0, dt=0.1, forward=40.0, target=40.0, settle=20.0, jitter=False)
        net.show(np.linspace(0, 1, 9), schedule, Purpose.TRAINING_SPIKES, 0, 1)
        seen = net.hidden[0].populations[0].averages(schedule)
        net.learn(schedule, [0.5, 0.5], 0, train_hidden=True)
        return seen, net.gather_weights()

    mechanisms.load()
    settings = ["cable.membrane=active", "cable.nseg=1", "cable.tonic=0.1", "cable.unit=30", "phases.dt=0.1"]
    experiment = config.load(settings=["layers.hidden=[2]", "phases.settle=20", *settings])
    built = network.build(experiment, 9, 3)
    seen, weights = learn_once(built)
    assert seen.forward_rate.max() > 0, "the cells fire"
    scale = built.hidden[0].populations[0].scale
    gids = [built.inputs.gids, built.hidden[0].gids, built.output.gids]
    del built
    ranks.pc.gid_clear()

    swc = source.load("mouse_v1_l5_rbp4").swc
    cells = [templates.pyramidal_active(swc, templates.Membrane(nseg=1)) for _ in gids[1]]
    rest = active.settle(cells[0], 0.1)  # one cell lends its potentials to all, as the NetPyNE host has it
    potentials = [v for values in rest.values() for v in values]
    hidden = []
    for gid, cell in zip(gids[1], cells, strict=True):
        regions = {name: list(getattr(cell, name)) for name in ("basal", "trunk", "tuft", "oblique", "apical")}
        places = [segment for section in cell.all for segment in section]
        resting = Active(0.1, list(zip(places, potentials, strict=True)))
        hidden.append(CellHandle(gid, cell.soma[0](0.5), regions, active=resting))
    outputs = [templates.three_compartment() for _ in gids[2]]
    output = [CellHandle(gid, c.soma(0.5), lumped=c.neuron) for gid, c in zip(gids[2], outputs, strict=True)]
    inputs = [(gid, h.SegDendInput()) for gid in gids[0]]
    layers = [host.LayerOfCells(gids[1], hidden), host.LayerOfCells(gids[2], output)]
    mine = host.create(gids[0], inputs, layers, seed=0, dt=0.1, scale=scale, variant=experiment.variant())
    mine_seen, mine_weights = learn_once(mine)
    np.testing.assert_array_equal(mine_seen.forward_rate, seen.forward_rate)
    np.testing.assert_allclose(mine_seen.target_apical, seen.target_apical, rtol=1e-4)
    for (matrix, biases), (same_matrix, same_biases) in zip(weights.values(), mine_weights.values(), strict=True):
        np.testing.assert_allclose(matrix, same_matrix, rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(biases, same_biases, rtol=1e-4, atol=1e-7)
    ranks.pc.gid_clear()
