import hashlib
from dataclasses import replace

import h5py
import numpy as np
import pytest

from segdend_plugin.engine.kinds.lumped import Lumped
from segdend_plugin.errors import ConfigError, DataError
from segdend_plugin.model import state as states
from segdend_plugin.model.graph import Connections, Graph, Population
from segdend_plugin.model.state import State

GRAPH = Graph(
    0,
    1.0,
    (
        Population("in", 3, Lumped(), 0, bias=False),
        Population("hidden", 2, Lumped(), 3),
        Population("out", 2, Lumped(), 5, teacher=True),
    ),
    (
        Connections("in/hidden", ("in",), "hidden"),
        Connections("hidden->out", ("hidden",), "out", learned=False),
        Connections("in->out", ("in",), "out"),
        Connections("back", ("out",), "hidden", role="feedback"),
    ),
)


def made():
    random = np.random.default_rng(1)
    weights = {c.name: random.normal(size=(GRAPH.n_pre(c), GRAPH[c.post].size)) for c in GRAPH.connections}
    return State(
        states.fingerprint(GRAPH, rule="a", total=3),
        7,
        weights,
        {"hidden": np.array([0.1, 0.2]), "out": np.array([0.3, 1e-300])},
        {"mean": np.zeros((0, 4))},
        {"gain": np.array(2.5)},
        {"Evaluate/0": {"results": [[1, 0.1 + 0.2]]}},
        seconds=1.5,
    )


def test_a_state_comes_back_as_it_was(tmp_path):
    state = made()
    states.save(tmp_path / "a.h5", state)
    read = states.load(tmp_path / "a.h5", "mend it")
    for kind in ("weights", "biases", "rule", "derived", "host"):
        before, after = getattr(state, kind), getattr(read, kind)
        assert sorted(before) == sorted(after)
        for name in before:
            assert before[name].tobytes() == after[name].tobytes()
            assert before[name].shape == after[name].shape
    assert (read.fingerprint, read.example, read.callbacks, read.seconds) == (
        state.fingerprint,
        7,
        state.callbacks,
        1.5,
    )


def test_an_edited_file_is_refused(tmp_path):
    states.save(tmp_path / "a.h5", made())
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["biases/out"][0] = 0.4
    with pytest.raises(DataError, match="does not match its digest\\): mend it"):
        states.load(tmp_path / "a.h5", "mend it")


def test_a_file_cut_short_or_missing_is_refused(tmp_path):
    with pytest.raises(DataError, match="mend it"):
        states.load(tmp_path / "a.h5", "mend it")
    states.save(tmp_path / "a.h5", made())
    content = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "a.h5").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="mend it"):
        states.load(tmp_path / "a.h5", "mend it")


def test_the_file_before_is_taken_where_the_last_one_is_damaged(tmp_path):
    path = tmp_path / "a.h5"
    states.save(path, made())
    states.save(path, replace(made(), example=9))
    assert states.load(path, "mend it").example == 9
    path.write_bytes(b"nothing")
    with pytest.warns(UserWarning, match="of example 7"):
        assert states.load(path, "mend it").example == 7
    path.unlink()
    with pytest.warns(UserWarning, match="of example 7"):
        assert states.load(path, "mend it").example == 7
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.h5.old"]


def test_a_file_of_the_first_format_is_refused(tmp_path):
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file.attrs["format"] = 1
    with pytest.raises(DataError, match="format 1, and this version reads format 2: train anew"):
        states.load(tmp_path / "weights.h5", "train anew")


def test_the_digest_of_weights_is_that_of_populations_in_order():
    state = made()
    digest = hashlib.sha256(b"hidden")
    digest.update(state.weights["in/hidden"].T.tobytes() + state.biases["hidden"].tobytes() + b"out")
    digest.update(state.weights["hidden->out"].T.tobytes() + state.weights["in->out"].T.tobytes())
    digest.update(state.biases["out"].tobytes())
    assert states.weights_sha256(GRAPH, state.weights, state.biases) == digest.hexdigest()


def test_a_mismatch_is_said_by_name(tmp_path):
    class Nameless:
        def __init__(self):
            self.rate = 1.0

    saved = states.fingerprint(GRAPH, rule=Nameless(), rates={"out": 1.0})
    states.compare(saved, states.fingerprint(GRAPH, rule=Nameless(), rates={"out": 1.0}), tmp_path)
    for now, name in (
        (states.fingerprint(replace(GRAPH, seed=1)), "another graph"),
        (states.fingerprint(GRAPH, rule=Lumped()), "another rule"),
        (states.fingerprint(GRAPH, rates={"out": 2.0}), "other learning rates"),
        (states.fingerprint(GRAPH, task="t"), "another task"),
    ):
        with pytest.raises(DataError, match=f"with {name}: "):
            states.compare(saved, now, tmp_path)


def test_long_arrays_of_a_part_are_told_apart():
    long = np.zeros(5000)
    other = long.copy()
    other[2500] = 1e-12
    assert states.fingerprint(GRAPH, phases=long) != states.fingerprint(GRAPH, phases=other)


def test_a_callbacks_state_must_be_plain(tmp_path):
    with pytest.raises(ConfigError, match="not plain data"):
        states.save(tmp_path / "a.h5", replace(made(), callbacks={"Own/0": {"x": np.zeros(2)}}))
