"""Initial weights against the table that the paper's formulas give, and the rest of what a graph says of them."""

from dataclasses import replace

import numpy as np
import pytest

from segdend_plugin.engine.kinds.lumped import Lumped
from segdend_plugin.errors import ConfigError
from segdend_plugin.model.graph import Connections, Graph, Initial, Population
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.rule import weights


def graph(*sets, seed=0, sizes=(784, 200, 5), bias=True):
    names, first, populations = ("in", "cells", "others"), 0, []
    for name, size in zip(names, sizes, strict=True):
        populations.append(Population(name, size, Lumped(), first, bias=bias))
        first += size
    return Graph(seed, 1.0, tuple(populations), sets or (Connections("up", ("in",), "cells"),))


def drawn(made, cells=None, name="up"):
    cells = range(made["cells"].size) if cells is None else cells
    return weights.initial_weights(made, made.set(name), cells), weights.initial_biases(made, made["cells"], cells)


@pytest.mark.parametrize(("n", "mean", "sd"), [(784, 0.01871, 0.5049), (500, 0.02933, 0.6321), (100, 0.14667, 1.4104)])
def test_statistics(n, mean, sd):
    assert weights.weight_statistics(n) == pytest.approx((mean, sd), rel=1e-3)


def test_drawn_weights_have_these_statistics():
    matrix, biases = drawn(graph())
    mean, sd = weights.weight_statistics(784)
    assert matrix.shape == (784, 200)
    assert matrix.mean() == pytest.approx(mean, abs=4 * sd / np.sqrt(matrix.size))
    assert matrix.std() == pytest.approx(sd, rel=0.01)
    assert np.abs(matrix - mean).max() <= np.sqrt(3) * sd
    assert biases.mean() == pytest.approx(0.8, abs=1e-3)
    assert biases.std() == pytest.approx(0.001, rel=0.2)


def test_the_stream_of_a_cell_gives_its_weights_and_then_its_bias():
    matrix, biases = drawn(graph(seed=4), [7])
    numbers = stream(4, Purpose.FEEDFORWARD, 784 + 7).uniform(-np.sqrt(3), np.sqrt(3), 785)
    mean, sd = weights.weight_statistics(784)
    np.testing.assert_allclose(matrix[:, 0], mean + sd * numbers[:784], rtol=1e-12)
    assert biases[0] == pytest.approx(0.8 + 0.001 * numbers[784], rel=1e-12)


def test_a_cells_weights_do_not_depend_on_its_neighbours():
    made = graph(sizes=(20, 30, 5), seed=3)
    together, alone = drawn(made, [10, 11, 12]), drawn(made, [11])
    np.testing.assert_array_equal(together[0][:, 1], alone[0][:, 0])
    assert together[1][1] == alone[1][0]


def test_seeds_and_cells_differ():
    a, _ = drawn(graph(sizes=(20, 30, 5)), [1, 2])
    b, _ = drawn(graph(sizes=(20, 30, 5), seed=1), [1, 2])
    assert not np.any(a == b)
    assert not np.any(a[:, 0] == a[:, 1])


def test_the_released_code_doubles_every_spread_and_no_mean():
    paper, paper_biases = drawn(graph())
    wide = Connections("up", ("in",), "cells", initial=Initial(spread="released_code"))
    released, biases = drawn(graph(wide))
    mean, _ = weights.weight_statistics(784)
    np.testing.assert_allclose(released - mean, 2 * (paper - mean), rtol=1e-9)
    np.testing.assert_allclose(biases - 0.8, 2 * (paper_biases - 0.8), rtol=1e-6)


def test_a_layer_of_inputs_at_their_mean_gives_the_wanted_potential():
    """N W_avg nu V_avg + b_avg = V_avg: what the formula of the mean is made for."""
    for n in (784, 500, 100, 7):
        assert n * weights.weight_statistics(n)[0] * 0.05 * 3 + 0.8 == pytest.approx(3, rel=1e-12)


def test_several_sets_count_each_others_inputs_and_have_streams_of_their_own():
    up, more = Connections("up", ("in",), "cells"), Connections("more", ("others", "in"), "cells")
    both, alone = graph(up, more), graph(up)
    (first, biases), (only, same) = drawn(both), drawn(alone)
    np.testing.assert_array_equal(biases, same)  # a bias comes once, from the first set's stream
    (mean, sd), (own_mean, own_sd) = weights.weight_statistics(784 + 789), weights.weight_statistics(784)
    np.testing.assert_allclose((first - mean) / sd, (only - own_mean) / own_sd, rtol=1e-9, atol=1e-12)
    second = weights.initial_weights(both, more, range(200))
    assert second.shape == (789, 200)
    assert second.std() == pytest.approx(sd, rel=0.01)
    assert abs(np.corrcoef(first.ravel(), second[5:].ravel())[0, 1]) < 4 / np.sqrt(first.size)


def test_populations_without_learned_biases_have_none():
    assert not drawn(graph(bias=False))[1].any()


def test_excitation_and_inhibition_have_one_sign_and_one_sum():
    rouse = Connections("rouse", ("in",), "cells", role="fixed", initial=Initial("excitation", total=40.0))
    calm = Connections(
        "calm", ("others",), "cells", role="fixed", initial=Initial("inhibition", total=-5.0, fraction=0.4)
    )
    again = replace(calm, name="again")
    made = graph(rouse, calm, again)
    up, down = (weights.initial_weights(made, c, range(200)) for c in (rouse, calm))
    assert np.all(up > 0)
    np.testing.assert_allclose(up.sum(axis=0), 40.0, rtol=1e-12)
    assert np.all(down <= 0)
    np.testing.assert_allclose(down.sum(axis=0), -5.0, rtol=1e-12)
    assert np.all(np.count_nonzero(down, axis=0) == 2)  # of 5
    np.testing.assert_array_equal(down[:, [3]], weights.initial_weights(made, calm, [3]))
    assert np.any(down != weights.initial_weights(made, again, range(200)))
    assert weights.initial_weights(made, calm, []).shape == (5, 0)


def test_a_sparse_set_reaches_each_cell_from_as_many():
    made = graph(Connections("up", ("in",), "cells", initial=Initial("forward", fraction=0.25)))
    matrix, biases = drawn(made)
    assert np.all(np.count_nonzero(matrix, axis=0) == 196)  # of 784
    mean, sd = weights.weight_statistics(196)
    assert matrix[matrix != 0].mean() == pytest.approx(mean, abs=4 * sd / np.sqrt(196 * 200))
    assert matrix[matrix != 0].std() == pytest.approx(sd, rel=0.02)
    np.testing.assert_array_equal(biases, drawn(graph())[1])
    assert len({tuple(np.flatnonzero(column)) for column in matrix.T}) == 200
    np.testing.assert_array_equal(matrix[:, [7]], drawn(made, [7])[0])


@pytest.mark.parametrize(
    ("initial", "said"),
    [
        (Initial("given"), "handed over"),
        (Initial("excitation", fraction=0.5), "initial.fraction=0.5"),
        (Initial("excitation", noise=0.1), "initial.noise=0.1"),
        (Initial("forward", total=3.0), "initial.total=3.0"),
    ],
)
def test_what_cannot_be_drawn_is_refused(initial, said):
    made = graph(Connections("up", ("in",), "cells", initial=initial))
    with pytest.raises(ConfigError, match=said):
        weights.initial_weights(made, made.set("up"), [0])


def test_weights_between_groups_of_populations_are_put_together():
    sets = (Connections("x", ("in", "others"), "cells"), Connections("y", ("others",), "cells"))
    made = graph(*sets, sizes=(2, 3, 4))
    values = {"x": np.arange(18.0).reshape(6, 3), "y": np.full((4, 3), 100.0)}
    lower, upper = (made["others"], made["in"]), (made["cells"],)
    assert weights.are_connected(made, lower, upper)
    assert not weights.are_connected(made, upper, lower)
    found = weights.joined_weights(made, lower, upper, lambda c: values[c.name])
    np.testing.assert_array_equal(found, np.concatenate([values["x"][2:] + 100.0, values["x"][:2]]))
