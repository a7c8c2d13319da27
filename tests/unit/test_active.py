"""Active cells: what needs no simulator."""

import numpy as np
import pytest

from segdend_plugin.cells import active, schematic
from segdend_plugin.cells.files.swc import read_swc
from segdend_plugin.cells.morphology import regions, summary
from segdend_plugin.errors import ConfigError, DataError
from segdend_plugin.experiment import config, teaching
from segdend_plugin.rule.plateau import sigma, sigma_slope
from segdend_plugin.rule.targets import equivalent_potential


def test_density_profiles_of_the_published_fit():
    """Hay et al. 2011: Ih grows from soma to tip, calcium channels are dense in the hot zone alone."""
    assert active.h_profile(0, 1300) == pytest.approx(-0.8696 + 2.087)
    assert active.h_profile(1300, 1300) == pytest.approx(76.7, rel=0.01)
    assert active.calcium_profile(700, (685, 885)) == (1.0, 1.0)
    assert active.calcium_profile(684, (685, 885)) == active.calcium_profile(886, (685, 885)) == (0.1, 0.01)


def test_a_rate_becomes_the_potential_of_an_escape_rate_soma():
    """In 20 ms at most 4 spikes: n of them are the fraction (n + 1/2)/5."""
    spikes = np.array([0.0, 1.0, 2.0, 4.0, 9.0])
    potential = equivalent_potential(spikes / 20, 20.0)
    np.testing.assert_allclose(sigma(potential), [0.1, 0.3, 0.5, 0.9, 0.9])
    assert sigma_slope(potential).min() == pytest.approx(0.09), "silent and fast cells learn, too"
    assert potential[2] == pytest.approx(0.0, abs=1e-12)


def test_the_schematic_cell_is_thick_tufted(tmp_path):
    cell = read_swc(schematic.write_layer_5(tmp_path / "cell.swc"))
    facts = summary(cell)
    assert facts["apical_length_um"]["trunk"] == pytest.approx(640, abs=15)
    assert facts["longest_apical_path_um"] == pytest.approx(1240, abs=20)
    assert facts["soma_diameter_um"] == pytest.approx(22)
    assert regions(cell).count("tuft") == 2 + 4 + 8


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("phases.dt=0.2", "phases.dt=0.2 is too long for cable.membrane=active: give 0.1 ms or less"),
        ("cable.solver=linear", "cable.solver=linear cannot follow cable.membrane=active"),
        ("rule.feedforward=rates", "rule.feedforward=rates, but active cells have spikes only"),
        ("feedback.signal=rates", "feedback.signal=rates, but active cells have spikes only"),
    ],
)
def test_what_active_cells_cannot_do(setting, words):
    with pytest.raises(ConfigError, match=words):
        config.load(settings=["cable.membrane=active", "phases.dt=0.1", setting])
    config.load(settings=[setting.replace("0.2", "0.1")])  # well with a passive membrane


def test_chosen_classes_are_numbered_in_their_order():
    whole = teaching.load(config.Data())
    chosen = teaching.load(config.Data(classes=(9, 4)))
    for part, name in ((whole.train, "train"), (whole.held_out, "held_out")):
        kept = np.isin(part.labels, (4, 9))
        np.testing.assert_array_equal(getattr(chosen, name).rates, part.rates[kept])
        np.testing.assert_array_equal(getattr(chosen, name).labels, (part.labels[kept] == 4).astype(int))
    assert chosen.classes == 2
    parity = teaching.load(config.Data(classes=(2, 4, 7), labels="parity", train=50))
    assert len(parity.train) == 50
    assert 0.2 < parity.train.labels.mean() < 0.5


def test_classes_of_a_file(tmp_path):
    rng = np.random.default_rng(0)
    pixels, labels = rng.uniform(size=(40, 6)), np.arange(40) % 5
    np.savez(tmp_path / "d.npz", x_train=pixels, y_train=labels, x_test=pixels[:10], y_test=labels[:10])
    data = config.Data(path=str(tmp_path / "d.npz"), classes=(1, 3), train=10)
    loaded = teaching.load(data)
    np.testing.assert_array_equal(loaded.train.rates, pixels[np.isin(labels, (1, 3))][:10])
    with pytest.raises(DataError, match=r"data\.classes has 7, but no image has this label"):
        teaching.load(config.Data(path=str(tmp_path / "d.npz"), classes=(1, 7)))


@pytest.mark.parametrize("classes", ["[3]", "[3,3]"])
def test_one_class_is_no_task(classes):
    with pytest.raises(ConfigError, match="two or more different labels"):
        config.load(settings=[f"data.classes={classes}"])
