"""Where synapses land: trees whose distances and areas one can work out by hand, and networks of real cells."""

import math

import numpy as np
import pytest

from segdend_plugin.cells.sites import draw, ground, nexus
from segdend_plugin.errors import ConfigError, MorphologyError
from segdend_plugin.model.places import Landing

CELL = "mouse_v1_l4_scnn1a"


@pytest.fixture(scope="module")
def tree(ranks):
    """A soma of 20 um, two basal dendrites, a trunk of 200 um that forks into a tuft, and an oblique dendrite."""
    from neuron import h

    made = {}

    def section(name, length, diameter, nseg, parent=None, at=1.0):
        made[name] = sec = h.Section(name=name)
        sec.L, sec.diam, sec.nseg = length, diameter, nseg
        if parent is not None:
            sec.connect(made[parent](at))

    section("soma", 20, 20, 1)
    section("thin", 100, 1, 5, "soma", 0.0)
    section("thick", 300, 3, 3, "soma", 0.0)
    section("trunk", 200, 4, 2, "soma")
    section("oblique", 80, 1, 1, "trunk", 0.5)
    section("near", 50, 1, 1, "trunk")
    section("far", 120, 1, 3, "trunk")
    regions = {
        "basal": [made["thin"], made["thick"]],
        "trunk": [made["trunk"]],
        "oblique": [made["oblique"]],
        "tuft": [made["near"], made["far"]],
        "apical": [made[name] for name in ("trunk", "oblique", "near", "far")],
        "axonal": [],
    }
    return made["soma"](0.5), regions


def on(tree, role="feedback", **fields):
    return ground("hand-made", *tree, Landing(**fields), role)


def test_distances_and_weights_by_hand(tree):
    """Middles of the thin dendrite lie 20 to 100 um from the middle of the soma, of the thick one 60, 160, 260 um."""
    by_length = on(tree, region="basal", nearest=50.0, farthest=110.0).pieces()
    third = pytest.approx(1 / 3)
    assert [piece[:1] for piece in by_length] == [(0,), (0,), (0,), (1,)]
    assert [piece[1:] for piece in by_length[:3]] == [
        pytest.approx((0.4, 0.6, 20)),
        pytest.approx((0.6, 0.8, 20)),
        pytest.approx((0.8, 1.0, 20)),
    ]
    assert by_length[3][1:] == (pytest.approx(0, abs=1e-12), third, pytest.approx(100))
    by_area = on(tree, region="basal", nearest=50.0, farthest=110.0, weighting="area").pieces()
    assert [piece[3] for piece in by_area] == pytest.approx([math.pi * 20] * 3 + [math.pi * 3 * 100])


@pytest.mark.parametrize(("weighting", "share"), [("length", 100 / 400), ("area", 100 / 1000)])
def test_draws_follow_length_or_area(tree, weighting, share):
    places = draw(on(tree, region="basal", weighting=weighting).pieces(), 20000, np.random.default_rng(1))
    thin = np.array([x for k, x in places if k == 0])
    assert len(thin) / 20000 == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / 20000))
    # evenly along the dendrite: each fifth of it, and within a segment
    np.testing.assert_allclose(np.histogram(thin, 10, (0, 1))[0] / len(thin), 0.1, atol=0.025)


def test_tips_nexus_and_soma_are_not_drawn(tree):
    soma, regions = tree
    assert on(tree, region="tips", sites=4).fixed() == [(1, pytest.approx(5 / 6)), (0, 0.5)]
    assert on(tree, region="tips", sites=1).fixed() == [(1, pytest.approx(5 / 6))]
    # the tip of the near branch is 10 + 200 + 25 um away, that of the far one 10 + 200 + 100
    assert on(tree, region="tips", sites=4, farthest=240.0).fixed() == [(0, 0.5)]
    end = on(tree, region="nexus", sites=4)
    assert end.segment(*end.fixed()) == regions["trunk"][0](0.75) == nexus(regions)
    middle = on(tree, region="soma", sites=3)
    assert middle.segment(*middle.fixed()) == soma
    turns = on(tree, "feedforward", region="tips", sites=5).candidates().places(np.random.default_rng(0))
    assert [k for k, _ in turns] == [1, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"region": "axonal"},
            ("placement.feedback.region='axonal'", "hand-made", "tuft, trunk, oblique, apical, basal"),
        ),
        ({"region": "basal", "nearest": 280.0}, ("'basal'", "hand-made", "280 um", "20 to 260 um")),
        ({"region": "tips", "farthest": 200.0}, ("'tips'", "hand-made", "0 um to 200 um", "230 to 310 um")),
    ],
)
def test_what_a_cell_does_not_have(tree, fields, words):
    def look():
        place = on(tree, **fields)
        return place.fixed() if place.is_fixed else place.pieces()

    with pytest.raises(MorphologyError) as error:
        look()
    for word in words:
        assert word in str(error.value)


def test_a_cell_without_a_trunk_has_no_nexus(tree):
    soma, regions = tree
    with pytest.raises(MorphologyError, match="nexus"):
        ground("stump", soma, {"tuft": regions["tuft"]}, Landing("nexus"), "feedback")


@pytest.mark.parametrize(
    "fields", [{"sites": 0}, {"weighting": "volume"}, {"per_input": "two"}, {"nearest": -1.0}, {"farthest": 0.0}]
)
def test_landings_that_make_no_sense(fields):
    with pytest.raises(ConfigError, match=next(iter(fields))):
        Landing(**fields)


# ------------------------------------------------------------------------------------------------------- networks


@pytest.fixture
def cable(build):
    """Return a function that builds a network of a few cells, whose inputs send rates."""

    def make(*settings, cells=3):
        own = [f"cell={CELL}", "cable.nseg=1", f"layers.hidden=[{cells}]", "rule.feedforward=rates"]
        return build(16, 3, *own, *settings)

    return make


def steady(bench, **drive):
    """Show constant rates with given weights and drives until nothing moves any more."""
    bench.fill(**drive)
    return bench.averages(bench.show(np.ones(16), 0, test=260.0, settle=240.0))


def synapses(cells):
    """Return the synapses of all cells: feed-forward ones of all, then feedback of all."""
    return [m for m in cells._mechanisms if m.hname().startswith("SegDendSite")]


def sections(cells):
    """Where they are on each cell, as names of sections."""
    names = [m.get_segment().sec.name() for m in synapses(cells)]
    return np.array(names).reshape(cells.n, -1)


@pytest.mark.parametrize("region", ["tuft", "trunk", "oblique", "apical", "basal", "nexus", "soma"])
def test_feedback_of_one_moves_its_sites_by_one(cable, region):
    """Measured on the first cell, at places that are each cell's own; the plateau is read where feedback lands."""
    bench = cable(f"placement.feedback.region={region}", "placement.feedback.sites=3")
    seen = steady(bench, apical=1.0)
    np.testing.assert_allclose(seen.forward_apical, 1.0, rtol=1e-6)
    tufts = bench.cells._tufts[bench.set_onto(0, "feedback").connections.name]
    read = [[place.sec.name() for place in places] for places, _ in tufts]
    assert np.shape(read) == (3, 1 if region in ("nexus", "soma") else 3)
    for cell, places in zip(bench.cells.handles, read, strict=True):
        own = [cell.soma.sec] if region == "soma" else cell.regions["trunk" if region == "nexus" else region]
        assert set(places) <= {section.name() for section in own}
    if region in ("tuft", "apical", "basal"):
        assert len({tuple(name.split(".")[-1] for name in places) for places in read}) > 1, "not drawn per cell"
    if region == "soma":
        np.testing.assert_allclose(seen.forward_potential, 1.0, rtol=1e-6)


def test_feed_forward_synapses_land_where_they_are_told(cable):
    bench = cable(
        "placement.feedforward.region=apical",
        "placement.feedforward.nearest=60",
        "placement.feedforward.farthest=200",
        "placement.feedforward.sites=5",
    )
    from neuron import h

    np.testing.assert_allclose(steady(bench, biases=1.0).forward_potential, 0.6 / 0.7, rtol=1e-6)
    sites = [m.get_segment() for m in synapses(bench.cells)]
    assert len(sites) == 3 * (5 + 4)
    for k, cell in enumerate(bench.cells.handles):
        apical = {section.name() for section in cell.regions["apical"]}
        for segment in sites[5 * k : 5 * (k + 1)]:
            assert segment.sec.name() in apical
            assert 60 <= h.distance(cell.soma, segment) <= 200


def test_one_input_on_one_site_or_on_all(cable):
    """The weight of one presynaptic cell moves the soma equally, by a current at one place or by currents at all."""
    moved = {}
    for per_input, acting in (("one", 1), ("all", 8)):
        bench = cable(f"placement.feedforward.per_input={per_input}", cells=2)
        weights = np.zeros((16, 2))
        weights[5] = 10.0
        moved[per_input] = steady(bench, weights=weights).forward_potential
        sites = synapses(bench.cells)
        assert len(sites) == 2 * (8 + 4)
        assert len([m for m in sites if m.i != 0.0]) == 2 * acting
    np.testing.assert_allclose(moved["one"], 10 * 0.2 * 0.6 / 0.7, rtol=1e-6)
    np.testing.assert_allclose(moved["all"], moved["one"], rtol=1e-6)


def test_linear_cells_draw_as_those_on_the_solver(cable):
    """The same places, and so the same learning: relative gains are equal."""
    gains = []
    drawn = ["placement.feedforward.nearest=40", "placement.feedforward.weighting=area", "cell=mouse_v1_l4_nr5a1"]
    for solver in ("neuron", "linear"):
        bench = cable(*drawn, "placement.feedback.region=nexus", f"cable.solver={solver}", "cable.calibration=per_cell")
        gains.append(bench.set_onto(0).place_gains)
        np.testing.assert_allclose(steady(bench, apical=1.0).forward_apical, 1.0, rtol=2e-5)
    np.testing.assert_allclose(gains[0], gains[1], rtol=1e-6)  # NetPyNE moves a cell, in single precision
    assert gains[0].std() > 0.01


def test_plain_neuron_takes_the_same_placement(cable):
    """NetPyNE's cells, handed over as anybody's."""
    from segdend_plugin.hosts import neuron as host

    first = cable("placement.feedback.region=tuft", "placement.feedforward.weighting=area")
    wanted = sections(first.cells)
    handles = {name: list(own.handles) for name, own in first.network.cells.items()}
    again = host.create(first.graph, handles)
    np.testing.assert_array_equal(sections(again.cells[first.layers[0]]), wanted)
