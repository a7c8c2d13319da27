"""What a script may get wrong at the public face: one sentence each, before anything is simulated."""

import numpy as np
import pytest

from segdend_plugin import Connections, Graph, Initial, Learner, Population, layered, rules, tasks
from segdend_plugin.errors import SegDendError
from segdend_plugin.kinds import Lumped, Own, Poisson
from segdend_plugin.model import state as states

PAIR = (Population("in", 3, Poisson(), 0, bias=False), Population("out", 2, Lumped(), 3, teacher=True))


def graph(**changed):
    return Graph(0, 1.0, PAIR, (Connections("up", ("in",), "out", **changed),))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: graph(role="fwd"), "role='fwd'"),
        (lambda: graph(form="dens"), "form='dens'"),
        (lambda: graph(signal="volts"), "signal='volts'"),
        (lambda: graph(learned="no"), "learned='no'"),
        (lambda: graph(place="basal"), "place='basal'"),
        (lambda: graph(bounds=(1.0, 0.0)), "bounds=(1.0, 0.0)"),
        (lambda: graph(bounds=(0.0,)), "bounds=(0.0,)"),
        (lambda: graph(bounds=None), "bounds=None"),
        (lambda: graph(bounds=(0.0, float("nan"))), "bounds=(0.0, nan)"),
        (lambda: graph(memory=-1.0), "memory=-1.0"),
        (lambda: graph(delay=None), "delay=None"),
        (lambda: graph(delay=1e9), "delay=1000000000.0"),
        (lambda: graph(delay=-1.0), "delay=-1.0"),
        (lambda: Initial("drawn"), "drawn='drawn'"),
        (lambda: Initial(spread="wide"), "spread='wide'"),
        (lambda: Initial(fraction=2.0), "fraction=2.0"),
        (lambda: Initial(fraction=0.0), "fraction=0.0"),
        (lambda: Initial(constant=float("nan")), "constant=nan"),
        (lambda: Population("a", 4.0, Lumped(), 0), "size=4.0"),
        (lambda: Population("a", 0, Lumped(), 0), "size=0"),
        (lambda: Population("a", 1, Lumped(), -1), "first=-1"),
        (lambda: Population("a", 1, "three_compartment", 0), "kind='three_compartment'"),
        (lambda: Graph(0, 1.0, (PAIR[0], Population("b", 2, Poisson(), 2)), ()), "first=2"),
        (lambda: Lumped(g_leak=0.0), "g_leak=0.0"),
        (lambda: Lumped(g_apical=-1.0), "g_apical=-1.0"),
        (lambda: Lumped(g_basal="a"), "g_basal='a'"),
        (lambda: Own(drive_per_weight=-1.0), "drive_per_weight=-1.0"),
        (lambda: Own(gain=float("nan")), "gain=nan"),
        (lambda: layered([64]), "sizes=[64]"),
        (lambda: Learner([64, 5, 10]), "network=[64, 5, 10]"),
        (lambda: Learner(graph(), "guerguiev"), "rule='guerguiev'"),
        (lambda: Learner(graph(), rules.Guerguiev), "rule=<class"),
        (lambda: Learner(graph(), phases=rules.TwoPhase), "phases=<class"),
        (lambda: tasks.load("digits", train=-5), "data.train=-5"),
        (lambda: tasks.load("digits", test=1.5), "data.test=1.5"),
    ],
)
def test_one_sentence(make, words):
    with pytest.raises(SegDendError) as caught:
        make()
    said = str(caught.value)
    assert words in said
    assert said.endswith(".")
    assert "\n" not in said


def test_sizes_may_be_numpy_integers():
    assert layered(np.array([6, 5, 4]), "three_compartment").sizes == [6, 5, 4]


def test_a_state_is_no_folder_and_has_no_weights_that_are_not_numbers(tmp_path):
    """`save` renamed the folder that it was given, and kept weights that are not numbers."""
    state = states.State({}, 0, {"up": np.ones((3, 2))}, {"out": np.zeros(2)})
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SegDendError, match="is a folder"):
        states.save(tmp_path, state)
    assert (tmp_path / "file").read_text() == "mine"
    good = tmp_path / "state.h5"
    states.save(good, state)
    bad = states.State({}, 0, {"up": np.full((3, 2), np.nan)}, {"out": np.zeros(2)})
    with pytest.raises(SegDendError, match="not finite"):
        states.save(good, bad)
    assert np.all(states.load(good, "").weights["up"] == 1)
    assert not list(tmp_path.glob("*.old"))
