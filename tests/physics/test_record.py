"""What `callbacks.Record` keeps, beside Vectors of NEURON that record the same cells."""

import h5py
import numpy as np
import pytest

from segdend_plugin.callbacks import Record
from segdend_plugin.cells.templates import Membrane
from segdend_plugin.engine.kinds.cable import Cable
from segdend_plugin.engine.kinds.lumped import Lumped
from segdend_plugin.engine.layered import layered
from segdend_plugin.errors import ConfigError
from segdend_plugin.learner import Learner
from segdend_plugin.model.places import Place
from segdend_plugin.rules import Guerguiev, TwoPhase
from segdend_plugin.tasks import arrays

N_EXAMPLES, STEPS = 3, 100
CELLS = [2, 0]
KINDS = {
    "lumped": Lumped(),
    "reconstructed": Cable("mouse_v1_l4_nr5a1", "mouse_v1_l4_nr5a1", Membrane(nseg=1)),
}


@pytest.fixture
def images():
    random = np.random.default_rng(1)
    return arrays(random.random((N_EXAMPLES, 12)), np.array([0, 1, 1]))


@pytest.fixture(params=KINDS)
def learner(request, ranks):
    return Learner(
        layered([12, 3, 2], KINDS[request.param], seed=5), Guerguiev(), phases=TwoPhase(settle=30.0, jitter=False)
    )


def vectors(learner, place):
    """Return Vectors that record the chosen cells, a list for each, whose mean is their potential in mV."""
    from neuron import h

    cells = learner.network.cells["hidden"]
    back = learner.network.sets["output->hidden"]
    recorded = []
    for cell in CELLS:
        if place == "soma" and isinstance(learner.graph["hidden"].kind, Lumped):
            refs = [cells._octets.refs("soma")[cell]]
        elif place == "soma":
            refs = [cells.handles[cell].soma._ref_v]
        elif isinstance(learner.graph["hidden"].kind, Lumped):  # its apical dendrite has no membrane: it is its drive
            refs = [back.drive(cell)]
        else:
            refs = [segment._ref_v for segment in cells._tufts["output->hidden"][cell][0]]
        recorded.append([h.Vector().record(ref) for ref in refs])
    return recorded


def in_millivolts(learner, place, recorded):
    """Return the traces of the last trial from the end of its first step on, shape (steps, cells)."""
    traces = np.array([np.mean([np.array(vector) for vector in cell], axis=0) for cell in recorded]).T[1:]
    if place == "tuft" and isinstance(learner.graph["hidden"].kind, Lumped):
        traces = -70 + traces
    return traces


@pytest.mark.parametrize("place", ["soma", "tuft"])
def test_traces_and_averages_are_those_of_vectors(learner, images, place, tmp_path):
    trace = Record("hidden", "potential", place=place, cells=CELLS, examples="last")
    means = [Record("hidden", "potential", place=place, cells=CELLS, window=w) for w in ("forward", "target")]
    recorded = vectors(learner, place)
    learner.fit(images, callbacks=[trace, *means])
    expected = in_millivolts(learner, place, recorded)
    assert list(trace.millivolts) == [N_EXAMPLES - 1]
    last = trace.millivolts[N_EXAMPLES - 1]
    assert last.shape == (STEPS, len(CELLS))
    np.testing.assert_allclose(last, expected, rtol=1e-12)
    assert np.ptp(last, axis=0).min() > 0.01, "something must have happened for the test to say anything"
    np.testing.assert_array_equal(trace.times, np.arange(1.0, STEPS + 1))
    np.testing.assert_allclose(trace.values[N_EXAMPLES - 1], expected + 70, rtol=1e-9, atol=1e-12)

    for mean, window in zip(means, (slice(30, 50), slice(80, 100)), strict=True):
        assert list(mean.values) == [0, 1, 2]
        average = expected[window].mean(axis=0)
        np.testing.assert_allclose(mean.millivolts[N_EXAMPLES - 1], average, rtol=1e-12)

    trace.save(tmp_path / "traces.h5")
    means[0].save(tmp_path / "averages.h5")
    with h5py.File(tmp_path / "traces.h5") as file:
        assert dict(file.attrs) == {"population": "hidden", "quantity": "potential", "place": place}
        assert file["cells"][:].tolist() == CELLS
        np.testing.assert_array_equal(file["times"], trace.times)
        np.testing.assert_array_equal(file[f"examples/{N_EXAMPLES - 1}/millivolts"], last)
    with h5py.File(tmp_path / "averages.h5") as file:
        assert file.attrs["window"] == "forward"
        assert list(file["examples"]) == ["0", "1", "2"]
        np.testing.assert_array_equal(file["examples/1/values"], means[0].values[1])


def test_recording_changes_no_bit(learner, images):
    learner.fit(images)
    plain = learner.weights("input->hidden")
    other = Learner(learner.graph, Guerguiev(), phases=TwoPhase(settle=30.0, jitter=False))
    records = [Record("hidden", "potential", place=place) for place in ("soma", "tuft")]
    records += [Record("hidden", quantity, examples=[1]) for quantity in ("rate", "spikes")]
    other.fit(images, callbacks=records)
    np.testing.assert_array_equal(other.weights("input->hidden"), plain)
    assert list(records[2].values) == [1]
    assert records[3].millivolts == {}
    spikes = records[3].values[1]
    assert spikes.sum() > 0
    np.testing.assert_array_equal(spikes, np.round(spikes))


def test_what_cells_do_not_offer_is_refused(learner, images):
    learner.fit(images)
    weights = learner.weights("input->hidden")
    with pytest.raises(ConfigError, match="no cell 3 in 'hidden': give 0 to 2"):
        learner.fit(images, callbacks=[Record("hidden", "potential", cells=[3])])
    with pytest.raises(ConfigError, match=r"the rate of nexus cannot be read of .* cells, only"):
        learner.fit(images, callbacks=[Record("hidden", "rate", place=Place("nexus"))])
    np.testing.assert_array_equal(learner.weights("input->hidden"), weights)
