"""Files in the SONATA format, read by the libraries of others."""

import sys
from pathlib import Path

import numpy as np
import pytest

from segdend_plugin.errors import ConfigError

sys.path.append(str(Path(__file__).resolve().parents[1]))


@pytest.fixture
def learned(ranks):
    """A small network that has learned three examples, and records of its hidden and output spikes."""
    from segdend_plugin import Learner, callbacks, layered

    records = [callbacks.Record(name, "spikes") for name in ("hidden", "output")]
    learner = Learner(layered([6, 5, 2]))
    learner.fit(np.tile(np.linspace(0, 1, 6), (3, 1)), np.array([0, 1, 0]), callbacks=records)
    return learner, records


def test_edges_of_dense_sets(learned, tmp_path):
    import libsonata
    from bmtk.utils.sonata import File

    from segdend_plugin import sonata

    learner, _ = learned
    sonata.write_edges(learner, tmp_path / "edges.h5")
    storage = libsonata.EdgeStorage(tmp_path / "edges.h5")
    assert storage.population_names == {c.name for c in learner.graph.connections}
    for c in learner.graph.connections:
        edges = storage.open_population(c.name)
        assert (edges.source, edges.target) == (c.pre[0], c.post)
        everything = edges.select_all()
        matrix = np.full((learner.graph.n_pre(c), learner.graph[c.post].size), np.nan)
        where = edges.source_nodes(everything), edges.target_nodes(everything)
        matrix[where] = edges.get_attribute("syn_weight", everything)
        np.testing.assert_array_equal(matrix, learner.weights(c.name))
    file = File(str(tmp_path / "edges.h5"), str(tmp_path / "edges.csv"))
    (up,) = [edges for edges in file.edges.populations if edges.name.startswith("input->")]
    found = {(edge.source_node_id, edge.target_node_id): edge["syn_weight"] for edge in up}
    weights = learner.weights(up.name)
    assert found == {(i, j): weights[i, j] for i in range(6) for j in range(5)}
    assert {edge["role"] for edge in up} == {"forward"}


def test_edges_of_netcons(h, ranks, tmp_path):
    """Several sources are a population of edges each; every NetCon is an edge."""
    import libsonata
    from attached_model import Model

    from segdend_plugin import Learner, rules, sonata

    model = Model(ranks.pc)
    sonata.write_edges(Learner(model.attach(), rules.Measured()), tmp_path / "edges.h5")
    storage = libsonata.EdgeStorage(tmp_path / "edges.h5")
    for name, netcons, source, target in (
        ("in->hidden:inputs", model.forward, 300, 100),
        ("in->hidden:noisy", model.skip, 40, 100),
        ("hidden->out", model.readout, 100, 7),
    ):
        edges = storage.open_population(name)
        everything = edges.select_all()
        weights = edges.get_attribute("syn_weight", everything).tolist()
        found = zip(edges.source_nodes(everything), edges.target_nodes(everything), weights, strict=True)
        expected = [(pre - source, post - target, netcon.weight[0]) for pre, post, netcon in netcons]
        assert sorted(found) == sorted(expected)


def test_spikes(learned, tmp_path):
    import libsonata
    from bmtk.utils.reports.spike_trains import SpikeTrains

    from segdend_plugin import sonata, tasks

    _, records = learned
    sonata.write_spikes(records, tmp_path / "spikes.h5")
    reader = libsonata.SpikeReader(tmp_path / "spikes.h5")
    theirs = SpikeTrains.load(str(tmp_path / "spikes.h5"))
    read = tasks.trains.read_spikes(tmp_path / "spikes.h5")
    for record in records:
        begin, expected = 0.0, []
        for counts in record.values.values():
            for step, cell in zip(*np.nonzero(counts), strict=True):
                expected += [(begin + step + 1.0, cell)] * int(counts[step, cell])
            begin += len(counts)
        assert expected
        population = reader[record.population]
        assert population.sorting == "by_time"
        assert sorted((time, node) for node, time in population.get()) == sorted(expected)
        assert theirs.n_spikes(population=record.population) == len(expected)
        trains = read[record.population]
        assert sorted(zip(trains.times, trains.cells, strict=True)) == sorted(expected)


def test_mistakes(learned, tmp_path):
    from segdend_plugin import callbacks, sonata

    learner, records = learned
    with pytest.raises(ConfigError, match="record of its rate: give Record"):
        sonata.write_spikes([callbacks.Record("output", "rate", window="target")], tmp_path / "x.h5")
    with pytest.raises(ConfigError, match="nothing was recorded"):
        sonata.write_spikes([callbacks.Record("output", "spikes")], tmp_path / "x.h5")
    with pytest.raises(ConfigError, match="other examples"):
        sonata.write_spikes([records[0], callbacks.Record("output", "spikes")], tmp_path / "x.h5")
    with pytest.raises(ConfigError, match="cannot be written"):
        sonata.write_edges(learner, tmp_path / "nowhere" / "edges.h5")
    assert list(tmp_path.iterdir()) == []
