"""Feedback weights: random, sparse, symmetric, noisy, sign-concordant, learned."""

import numpy as np
import pytest

from segdend_plugin.engine.kinds.lumped import Lumped
from segdend_plugin.errors import ConfigError
from segdend_plugin.model.graph import Connections, Graph, Initial, Population
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.rule.feedback import (
    Feedback,
    feedback_change,
    feedback_weights,
    followed,
    following,
    random_feedback,
)
from segdend_plugin.rule.plateau import plateau


def chain(*layers, n_output=3, seed=0, route="broadcast", **initial):
    """A graph of hidden layers, each a number of cells or several; feedback sets are called after their population."""
    populations, sets, below, first = [Population("in", 20, Lumped(), 0, bias=False)], [], ("in",), 20
    for depth, layer in enumerate((*layers, n_output)):
        names = []
        for k, size in enumerate(layer if isinstance(layer, tuple) else (layer,)):
            name = "out" if depth == len(layers) else f"{depth}{'abc'[k]}"
            names.append(name)
            populations.append(Population(name, size, Lumped(), first, teacher=name == "out"))
            sets.append(Connections(f"to {name}", below, name))
            first += size
        below = tuple(names)
    for name in [p.name for p in populations[1:-1]]:
        depth = int(name[0])
        above = tuple(p.name for p in populations if p.name[0] == str(depth + 1)) or ("out",)
        pre = above if route == "layerwise" else ("out",)
        sets.append(
            Connections(name, pre, name, role="feedback", learned=False, initial=Initial("feedback", **initial))
        )
    return Graph(seed, 1.0, tuple(populations), tuple(sets))


def forward(scale=1.0):
    """Weights out of both hidden layers, of 9 and 7 cells, with both signs."""
    draw = np.random.default_rng(5)
    return {name: scale * draw.normal(size=shape) for name, shape in (("to 1a", (9, 7)), ("to out", (7, 3)))}


def by_layer(matrices):
    """Those of the first and the second hidden layer."""
    return [matrices[name] for name in ("0a", "1a")]


def test_last_hidden_layer_is_zero_mean_with_the_layers_own_spread():
    matrix = random_feedback(chain(500, n_output=10))["0a"]
    assert matrix.shape == (10, 500)
    assert matrix.std() == pytest.approx(0.6321, rel=0.03)
    assert abs(matrix.mean()) < 4 * 0.6321 / np.sqrt(5000)


def test_an_earlier_layer_is_reached_by_a_chain_product():
    """SD 0.632 * 1.41 * sqrt(100), about 8.9, for 784-500-100-10."""
    first, second = by_layer(random_feedback(chain(500, 100, n_output=10)))
    assert second.std() == pytest.approx(1.41, rel=0.05)
    assert first.std() == pytest.approx(8.9, rel=0.15)


def test_released_code_draws_every_layer_by_itself_with_twice_the_spread():
    first, second = by_layer(random_feedback(chain(500, 100, n_output=10, spread="released_code")))
    assert (first.shape, second.shape) == ((10, 500), (10, 100))
    assert first.std() == pytest.approx(2 * 0.6321, rel=0.03)
    assert second.std() == pytest.approx(2 * 1.4104, rel=0.05)
    assert first.mean() == pytest.approx(0.02933, abs=4 * 1.2642 / np.sqrt(5000))
    large = random_feedback(chain(20, n_output=20000, seed=1, spread="released_code"))["0a"]
    # W_avg of 20 cells: 2.2/(0.05 * 20 * 3)
    assert large.mean() == pytest.approx(2.2 / 3, abs=4 * large.std() / np.sqrt(large.size))


def test_layerwise_weights_come_from_the_layer_above_with_the_receiving_layers_spread():
    first, second = by_layer(random_feedback(chain(500, 100, n_output=10, route="layerwise")))
    assert (first.shape, second.shape) == ((100, 500), (10, 100))
    assert first.std() == pytest.approx(0.6321, rel=0.02)


def test_random_feedback_is_the_same_for_every_example_and_not_for_every_seed():
    made, settings = chain(9, 7), Feedback(noise=0.05)
    for name, matrix in feedback_weights(made).items():
        np.testing.assert_array_equal(matrix, random_feedback(made)[name])
        assert not np.any(matrix == feedback_weights(chain(9, 7, seed=1))[name])
        assert np.any(following(made, settings, 0, {})[name] != following(made, settings, 7, {})[name])


def test_symmetric_feedback_is_the_transpose_and_its_product():
    weights = forward()
    lower, upper = weights["to 1a"], weights["to out"]
    first, second = by_layer(following(chain(9, 7), Feedback("symmetric"), 0, weights))
    for o in range(3):
        for i in range(7):
            assert second[o, i] == upper[i, o]
        for i in range(9):
            assert first[o, i] == pytest.approx(sum(lower[i, j] * upper[j, o] for j in range(7)), rel=1e-12)
    layerwise = following(chain(9, 7, route="layerwise"), Feedback("symmetric"), 0, weights)
    np.testing.assert_array_equal(layerwise["0a"], lower.T)


def test_symmetric_feedback_follows_the_weights():
    made = chain(9, 7, scale=2.0)
    assert [want.connections for want in followed(made)] == ["to 1a", "to out"]
    for factor in (1.0, 3.0):
        found = following(made, Feedback("symmetric"), 0, forward(factor))
        np.testing.assert_allclose(found["1a"], 2 * factor * forward()["to out"].T)


def test_symmetric_feedback_takes_a_way_that_is_direct():
    made = chain(9, 7)
    skip = Connections("skip", ("0a",), "out")
    direct = np.random.default_rng(3).normal(size=(9, 3))
    graph = Graph(0, 1.0, made.populations, (*made.connections, skip))
    found = following(graph, Feedback("symmetric"), 0, forward() | {"skip": direct})
    np.testing.assert_array_equal(found["0a"], direct.T)


def test_symmetric_feedback_is_refused_where_nothing_leads_back():
    made = chain(9, 7)
    sets = tuple(c for c in made.connections if c.name != "to out")
    alone = Graph(0, 1.0, made.populations, (*sets, Connections("past", ("in",), "out")))
    with pytest.raises(ConfigError, match="no forward sets lead from '0a' to out"):
        followed(alone)


@pytest.mark.parametrize("route", ["broadcast", "layerwise"])
def test_sign_concordant_feedback_has_the_signs_of_the_transpose_and_random_magnitudes(route):
    made, weights = chain(9, 7, route=route), forward()
    drawn = by_layer(random_feedback(made))
    found = by_layer(following(made, Feedback("sign_concordant"), 0, weights))
    lower, upper = weights["to 1a"], weights["to out"]
    transposes = [lower.T if route == "layerwise" else (lower @ upper).T, upper.T]
    for matrix, transpose, random in zip(found, transposes, drawn, strict=True):
        assert np.all(matrix * transpose > 0)
        np.testing.assert_allclose(np.abs(matrix), np.abs(random), rtol=1e-12)


def test_sparse_feedback_keeps_exactly_the_fraction_and_scales_it():
    dense = feedback_weights(chain(50, n_output=10, seed=4))["0a"]
    found = feedback_weights(chain(50, n_output=10, seed=4, fraction=0.2, scale=5.0))["0a"]
    assert np.count_nonzero(found) == 100  # of 500
    np.testing.assert_allclose(found[found != 0], 5 * dense[found != 0], rtol=1e-12)
    unscaled = feedback_weights(chain(50, n_output=10, seed=4, fraction=0.2))["0a"]
    np.testing.assert_allclose(found, 5 * unscaled, rtol=1e-12)


def test_sparse_masks_of_two_layers_differ():
    first, second = by_layer(feedback_weights(chain(40, 40, n_output=10, seed=4, fraction=0.2)))
    assert np.any((first != 0) != (second != 0))


def test_noise_has_its_standard_deviation_and_is_redrawn_for_every_example():
    made = chain(500, n_output=10)
    upper = np.random.default_rng(2).normal(size=(500, 10))
    settings = Feedback("symmetric", noise=0.05)
    noise = [following(made, settings, example, {"to out": upper})["0a"] - upper.T for example in (0, 1)]
    assert noise[0].std() == pytest.approx(0.05, rel=0.05)
    assert abs(noise[0].mean()) < 4 * 0.05 / np.sqrt(5000)
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 4 / np.sqrt(5000)


def test_noise_that_is_drawn_once_stays():
    made, clean = chain(9, 7, noise=0.05), feedback_weights(chain(9, 7))
    for name, matrix in feedback_weights(made).items():
        assert np.all(matrix != clean[name])
    fixed = [following(made, Feedback("symmetric"), example, forward()) for example in (0, 1)]
    for name in ("0a", "1a"):
        np.testing.assert_array_equal(fixed[0][name], fixed[1][name])
    assert Feedback(noise=0.05).is_renewed
    assert Feedback("symmetric").is_renewed
    assert not Feedback().is_renewed


@pytest.mark.parametrize("route", ["broadcast", "layerwise"])
@pytest.mark.parametrize("kind", ["random", "symmetric", "sign_concordant"])
def test_populations_of_a_layer_share_its_matrix(route, kind):
    """A layer of 4 and 5 cells has the weights, masks and noise of one of 9."""
    one, two = (chain(layer, 7, route=route, fraction=0.5) for layer in (9, (4, 5)))
    settings = Feedback(kind, noise=0.1)
    found = following(two, settings, 3, forward())
    np.testing.assert_array_equal(
        np.concatenate([found["0a"], found["0b"]], axis=1), following(one, settings, 3, forward())["0a"]
    )


def test_feedback_from_elsewhere_and_of_a_second_set_is_drawn_for_its_own_size():
    made = chain(9, 7)
    more = [
        Connections("from in", ("in",), "0a", role="feedback", initial=Initial("feedback")),
        Connections("onto out", ("0a",), "out", role="feedback", initial=Initial("feedback")),
    ]
    found = feedback_weights(Graph(0, 1.0, made.populations, (*made.connections, *more)))
    np.testing.assert_array_equal(found["0a"], feedback_weights(made)["0a"])
    assert (found["from in"].shape, found["onto out"].shape) == ((20, 9), (9, 3))
    column = stream(0, Purpose.FEEDBACK, 20, 1).uniform(-1, 1, 20)  # the second set of the first cell
    assert np.corrcoef(found["from in"][:, 0], column)[0, 1] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kind": "mirrored"}, "feedback.kind='mirrored'"),
        ({"noise": -1.0}, "feedback.noise=-1.0"),
        ({"learning_rate": 0.1, "noise": 0.1}, "random feedback without noise"),
        ({"learning_rate": 0.1, "kind": "symmetric"}, "random feedback without noise"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        Feedback(**settings)


def test_learned_feedback_lets_the_tuft_predict_the_rate_of_its_soma():
    # V = 0: 0.1/ms; apical average ln 3: alpha 0.75, slope 3/16
    change = feedback_change(np.array([0.0]), plateau(np.array([np.log(3.0)])), 0.5)
    assert change[0] == pytest.approx(0.5 * (0.1 - 0.75) * 3 / 16, rel=1e-12)
