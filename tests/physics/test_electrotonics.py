"""Impedances, lengths and indices that NEURON measures, against cable theory without compartments.

`ExactTree` solves a branched cable by the admittances of its cylinders (Rall 1959; Butz & Cowan 1974), which hold for
any length of cylinder: frusta between the traced points are cut into cylinders, and nothing depends on nseg.
"""

from itertools import pairwise

import numpy as np
import pytest
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.sparse.linalg import splu

from segdend_plugin.cells import cable
from segdend_plugin.cells.electrotonics import Port, port_impedance, segregation, transfer_impedance
from segdend_plugin.cells.files.catalogue import CATALOGUE
from segdend_plugin.cells.sites import most_distal_tips
from segdend_plugin.experiment import cells, config, summary
from segdend_plugin.experiment.graph import graph
from segdend_plugin.experiment.parts import Cable
from segdend_plugin.hosts import description

SLICES = 2
"""Cylinders per frustum."""
FREQUENCIES = (0.0, 60.0)
COARSE, FINE = 0.015, 0.0012
"""Largest relative errors of impedances on the default grid, and with three times as many segments."""


class ExactTree:
    """The cable of some sections, with nodes at given segments."""

    def __init__(self, sections, places):
        self.numbers, self.edges = {}, []
        joints = {section: {0.0, 1.0} for section in sections}
        for section in sections:
            above = section.parentseg()
            if above is not None:
                joints[above.sec].add(above.x)
        for place in places:
            joints[place.sec].add(place.x)
        for section in sections:
            self._cut(section, sorted(joints[section]))
        # nodes, length and diameter (cm), Ra (Ohm cm), g (S/cm2), c (F/cm2), membrane beyond that of such a cylinder
        self.edges = np.array(self.edges)

    def node(self, section, x):
        """Number of a node; the near end of a section is where it hangs on its parent."""
        above = section.parentseg()
        if above is not None and x == section.orientation():
            return self.node(above.sec, above.x)
        return self.numbers.setdefault((section.name(), round(x, 9)), len(self.numbers))

    def numbers_of(self, places):
        return [self.node(place.sec, place.x) for place in places]

    def _cut(self, section, joints):
        n = section.n3d()
        arcs = np.array([section.arc3d(i) for i in range(n)]) if n else np.array([0.0, section.L])
        widths = np.array([section.diam3d(i) for i in range(n)]) if n else np.full(2, section.diam)
        ends = np.unique(np.round(np.concatenate([arcs / arcs[-1], joints]), 9))
        for low, high in pairwise(ends):
            k = int(np.searchsorted(arcs / arcs[-1], (low + high) / 2))  # the traced points around this piece
            slant = np.hypot(1, (widths[k] - widths[k - 1]) / 2 / (arcs[k] - arcs[k - 1]))
            cuts = np.linspace(low, high, SLICES + 1)
            for begin, end in pairwise(cuts):
                both = np.interp([begin * arcs[-1], end * arcs[-1]], arcs[k - 1 : k + 1], widths[k - 1 : k + 1])
                self.edges.append(
                    (
                        self.node(section, begin),
                        self.node(section, end),
                        (end - begin) * section.L * 1e-4,
                        np.sqrt(both.prod()) * 1e-4,  # the axial resistance of the frustum
                        section.Ra,
                        section(0.5).pas.g,
                        section.cm * 1e-6,
                        slant * both.mean() / np.sqrt(both.prod()),  # and its membrane
                    )
                )

    def impedance(self, numbers, frequency):
        """Complex Z (MOhm) between nodes."""
        a, b = self.edges[:, :2].astype(int).T
        length, diameter, resistivity, leak, capacitance, membrane = self.edges[:, 2:].T
        leak, capacitance = membrane * leak, membrane * capacitance
        root = np.sqrt(1 + 2j * np.pi * frequency * capacitance / leak)
        steady = np.sqrt(diameter / (4 * resistivity * leak))
        infinite = np.pi * diameter**1.5 / 2 * np.sqrt(leak / resistivity) * root * 1e6  # uS
        own, mutual = infinite / np.tanh(root * length / steady), infinite / np.sinh(root * length / steady)
        n = len(self.numbers)
        admittance = coo_matrix(
            (
                np.concatenate([own, own, -mutual, -mutual]),
                (np.concatenate([a, b, a, b]), np.concatenate([a, b, b, a])),
            ),
            shape=(n, n),
        )
        unit = np.zeros((n, len(numbers)), dtype=complex)
        unit[numbers, range(len(numbers))] = 1
        return splu(admittance.tocsc()).solve(unit)[numbers]

    def lengths(self, source, numbers):
        """Path from a node in steady length constants."""
        a, b = self.edges[:, :2].astype(int).T
        length, diameter, resistivity, leak, _, _ = self.edges[:, 2:].T
        n = len(self.numbers)
        graph = csr_matrix((length / np.sqrt(diameter / (4 * resistivity * leak)), (a, b)), shape=(n, n))
        return dijkstra(graph, directed=False, indices=source)[numbers]

    def ports(self, ports, frequency):
        """The same as `port_impedance`."""
        places = [place for port in ports for place in port.places]
        weights = np.zeros((len(ports), len(places)))
        begin = 0
        for row, port in zip(weights, ports, strict=True):
            row[begin : begin + len(port.places)] = port.weights
            begin += len(port.places)
        return weights @ self.impedance(self.numbers_of(places), frequency) @ weights.T


def cylinder(name, length, diameter, nseg, leak=1e-4, resistivity=120.0):
    from neuron import h

    section = h.Section(name=name)
    section.L, section.diam, section.nseg, section.Ra, section.cm = length, diameter, nseg, resistivity, 1.0
    section.insert("pas")
    section.g_pas = leak
    return section


def complexes(diameter, leak, resistivity, frequency):
    """Complex length constant (um) and admittance of the endless cylinder (uS), by hand."""
    root = np.sqrt(1 + 2j * np.pi * frequency * 1e-6 / leak)
    steady = 1e4 * np.sqrt(1e-4 * diameter / (4 * resistivity * leak))
    return steady / root, np.pi * (1e-4 * diameter) ** 1.5 / 2 * np.sqrt(leak / resistivity) * root * 1e6


@pytest.mark.parametrize("frequency", [0.0, 100.0])
def test_ball_and_stick(ranks, frequency):
    """Y = Y_soma + Y_inf tanh(L); the sealed tip sees 1/cosh(L) of the soma. The error falls with nseg squared."""
    constant, infinite = complexes(1.5, 1e-4, 120.0, frequency)
    ball = np.pi * 20e-4**2 * (1e-4 + 2j * np.pi * frequency * 1e-6) * 1e6
    at_soma = 1 / (ball + infinite * np.tanh(700 / constant))
    at_tip = at_soma / np.cosh(700 / constant)
    errors = []
    for nseg in (5, 15, 45):
        soma, stick = cylinder("soma", 20.0, 20.0, 1), cylinder("stick", 700.0, 1.5, nseg)
        stick.connect(soma(0.5), 0)
        found = port_impedance([Port.evenly([soma(0.5)]), Port.evenly([stick(1)])], frequency)
        np.testing.assert_allclose(found, found.T)
        errors.append(np.abs([found[0, 0] / at_soma - 1, found[0, 1] / at_tip - 1]).max())
    assert errors[-1] < 1e-3
    assert errors[0] > 7 * errors[1] > 49 * errors[2]


@pytest.mark.parametrize("frequency", [0.0, 100.0])
def test_an_endless_cable_attenuates_e_fold_per_length_constant(ranks, frequency):
    section = cylinder("endless", 8000.0, 2.0, 1601)
    constant = cable.length_constant(2.0, 120.0, 1e-4, 1.0, frequency)
    near = section(0.1)
    places = [section(near.x + k * constant / section.L) for k in (1, 2)]
    x = np.array([place.x for place in [near, *places]]) * 1601
    middles = (np.floor(x) + 0.5) / 1601 * section.L  # NEURON reads in the middle of a segment
    port = port_impedance([Port.evenly([place]) for place in [near, *places]], frequency)
    found = cable.attenuation(port[0, 0], port[0, 1:])
    np.testing.assert_allclose(found, np.exp(-(middles[1:] - middles[0]) / constant), rtol=2e-3)


def test_the_exact_tree_is_the_equivalent_cylinder_of_rall(ranks):
    """Daughters whose d^1.5 add up to the parent's and of equal electrotonic length go on like one cylinder."""
    constant, infinite = complexes(2.0, 1e-4, 120.0, 60.0)
    trunk = cylinder("trunk", 300.0, 2.0, 1)
    daughters = [cylinder(f"daughter{k}", 0.0001, 2.0 / 2 ** (2 / 3), 1) for k in range(2)]
    for daughter in daughters:
        daughter.L = 0.5 * 1e4 * np.sqrt(1e-4 * daughter.diam / (4 * 120.0 * 1e-4))
        daughter.connect(trunk(1), 0)
    total = 300 / constant + 0.5 * np.sqrt(1 + 2j * np.pi * 60.0 * 1e-2)
    tree = ExactTree([trunk, *daughters], [])
    found = tree.impedance([tree.node(trunk, 0.0), tree.node(daughters[0], 1.0)], 60.0)
    assert found[0, 0] == pytest.approx(1 / (infinite * np.tanh(total)))
    assert found[0, 1] == pytest.approx(1 / (infinite * np.sinh(total)))


def built(name, refine=1):
    """A cell, its soma, its basal segments and its tuft sites; refined, the sites stay where they are."""
    cell = cells.pyramidal(name, Cable())
    soma = cell.soma[0](0.5)
    tips = [(tip.sec, tip.x) for tip in most_distal_tips(list(cell.tuft), soma, 4)]
    for section in cell.all:
        section.nseg *= refine
    return cell, cell.soma[0](0.5), [s for section in cell.basal for s in section], [sec(x) for sec, x in tips]


def ports_of(soma, basal, tuft):
    return [Port.by_length(basal), Port.evenly([soma]), Port.evenly(tuft)]


@pytest.mark.parametrize("name", CATALOGUE)
def test_impedances_of_reconstructed_cells_are_those_of_the_cable(ranks, name):
    """Basal dendrites, soma and tuft, at 0 and 60 Hz, on two grids."""
    worst = []
    for refine in (1, 3):
        cell, soma, basal, tuft = built(name, refine)
        if refine > 1:
            basal = basal[1::3]  # where the middles of the coarse segments were
        ports = ports_of(soma, basal, tuft)
        tree = ExactTree(list(cell.all), [place for port in ports for place in port.places])
        off = [np.abs(port_impedance(ports, f) / tree.ports(ports, f) - 1).max() for f in FREQUENCIES]
        worst.append(max(off))
    assert worst[0] < COARSE
    assert worst[1] < min(FINE, worst[0] / 5)


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_second_grid_gives_the_same_segregation(ranks, name):
    """Three times as many segments, all of the basal dendrites: within 1 %, the index itself within 0.001."""
    _, *coarse = built(name)
    first = segregation(coarse[0], coarse[2], coarse[1])
    _, *fine = built(name, 3)
    second = segregation(fine[0], fine[2], fine[1])
    for field in ("soma_input", "tuft_input", "tuft_to_soma", "soma_to_tuft", "independence", "independence_soma"):
        assert getattr(first, field) == pytest.approx(getattr(second, field), rel=0.01), field
    assert first.index == pytest.approx(second.index, abs=1e-3)
    assert first.index_soma == pytest.approx(second.index_soma, abs=1e-3)


def test_impedance_is_reciprocal(ranks):
    _, soma, basal, tuft = built("mouse_v1_l4_rorb")
    for frequency in FREQUENCIES:
        for a, b in ((soma, tuft[0]), (basal[5], tuft[1]), (basal[0], basal[-1])):
            there, back = transfer_impedance(a, [b], frequency), transfer_impedance(b, [a], frequency)
            np.testing.assert_allclose(there, back, rtol=1e-9)


@pytest.fixture(scope="module")
def measured(ranks):
    return {name: cells.electrotonics(name, frequencies=np.array([0.0, 20.0, 100.0, 500.0])) for name in CATALOGUE}


def test_the_soma_parts_tuft_and_basal_dendrites(measured):
    """Every path between them leads through the soma, so that couplings multiply, at any frequency."""
    for cell in measured.values():
        through = (1 - cell.index("tuft", "soma")) * (1 - cell.index("soma", "basal"))
        np.testing.assert_allclose(1 - cell.index("tuft", "basal"), through, rtol=1e-6)


def test_indices_lie_between_0_and_1_and_grow_with_frequency(measured):
    for cell in measured.values():
        for pair in (("tuft", "basal"), ("tuft", "soma")):
            index = cell.index(*pair)
            assert index[0] > 0
            assert np.all(np.diff(index) > 0)
            assert index[-1] < 1


def test_the_thick_tufted_cell_is_the_most_segregated(measured):
    steady = {name: float(cell.index("tuft", "basal")[0]) for name, cell in measured.items()}
    assert max(steady, key=steady.get) == "mouse_v1_l5_rbp4"
    assert steady["mouse_v1_l5_rbp4"] > 0.98
    assert max(steady["mouse_v1_l4_nr5a1"], steady["mouse_v1_l4_rorb"]) < 0.75 < steady["mouse_v1_l4_scnn1a"] < 0.9


def test_signals_and_lengths_along_the_tree_are_those_of_the_cable(measured):
    """Sites and branches of the thick-tufted cell; 2 pi f tau is 2 pi at 100 Hz and 10 ms."""
    name = "mouse_v1_l5_rbp4"
    cell, soma, _, tuft = built(name)
    sections = [section for region in ("basal", "trunk", "oblique", "tuft") for section in getattr(cell, region)]
    tree = ExactTree(list(cell.all), [soma, *tuft, *(segment for section in sections for segment in section)])
    home = tree.node(soma.sec, soma.x)

    def compare(found, places):
        numbers = [home, *tree.numbers_of(places)]
        impedance = tree.impedance(numbers, 0.0).real
        np.testing.assert_allclose(found.length, tree.lengths(home, numbers)[1:], rtol=2e-3, atol=1e-6)
        np.testing.assert_allclose(found.length_ac, np.sqrt(1 + 2j * np.pi).real * np.array(found.length), rtol=1e-9)
        np.testing.assert_allclose(found.from_soma, impedance[0, 1:] / impedance[0, 0], rtol=0.01)
        np.testing.assert_allclose(found.to_soma, impedance[0, 1:] / impedance.diagonal()[1:], rtol=0.02)

    for site, place in zip(measured[name].sites, tuft, strict=True):
        compare(site, [place])
    for branch, section in zip(measured[name].branches, sections, strict=True):
        compare(branch, [section.parentseg(), *section, section(1)])
    extent = measured[name].extent()
    numbers = tree.numbers_of([section(1) for section in cell.apical])
    assert extent["length"]["apical_greatest"] == pytest.approx(tree.lengths(home, numbers).max(), rel=2e-3)


def test_networks_know_the_index_of_their_cells(ranks, measured):
    """What calibration found, of cells on either solver, and the lumped cell's."""

    def found(*settings):
        experiment = config.load(settings=["layers.hidden=[1]", *settings])
        return summary.segregation(description.build(graph(experiment, 4, 2)), experiment.lumped)

    name = "mouse_v1_l4_nr5a1"
    basal, soma = (float(measured[name].index("tuft", port)[0]) for port in ("basal", "soma"))
    for settings in ([], ["cable.solver=neuron"]):
        index = found(f"cell={name}", *settings)[name]
        assert index["index"] == pytest.approx(basal, rel=1e-6)
        assert index["index_soma"] == pytest.approx(soma, rel=0.01)
    lumped = found("cell=three_compartment", "lumped.g_apical=0.05")
    assert lumped == {"three_compartment": cable.segregation_lumped(0.1, 0.6, 0.05)}
