"""Hidden cells that learn do better than hidden cells that do not, by more than noise can explain."""

import json
import math

import pytest

from segdend_plugin import cli


def error(folder, *settings):
    arguments = [word for setting in settings for word in ("--set", setting)]
    assert cli.main(["train", "--out", str(folder), "--quiet", *arguments]) == 0
    summary = json.loads((folder / "summary.json").read_text())
    return summary["test_error"], summary["test_examples"]


@pytest.mark.parametrize(
    "settings",
    [
        ["cell=three_compartment", "layers.hidden=[40]", "training.epochs=3"],
        ["cell=mouse_v1_l5_rbp4", "layers.hidden=[20]", "training.epochs=3", "cable.nseg=1"],
    ],
    ids=["lumped", "reconstructed"],
)
def test_learning_beats_frozen_hidden_weights(settings, tmp_path):
    common = [*settings, "phases.settle=30", "phases.test=100", "training.evaluate_every=100000"]
    learned, n = error(tmp_path / "learned", *common)
    frozen, _ = error(tmp_path / "frozen", *common, "rule.train_hidden=false")
    deviation = math.sqrt((learned * (1 - learned) + frozen * (1 - frozen)) / n)
    assert learned < 0.45, "chance is 0.9"
    assert frozen - learned > 5 * deviation


def test_frozen_hidden_weights_stay_as_they_were(tmp_path):
    import numpy as np

    from segdend_plugin.engine.layered import layered
    from segdend_plugin.experiment.folder import read_weights
    from segdend_plugin.rule.weights import initial_weights

    error(
        tmp_path / "run",
        "cell=three_compartment",
        "layers.hidden=[6]",
        "data.train=20",
        "data.test=5",
        "training.epochs=1",
        "rule.train_hidden=false",
    )
    (hidden, _), (output, _) = read_weights(tmp_path / "run").values()
    graph = layered([64, 6, 10], "three_compartment")
    np.testing.assert_array_equal(hidden, initial_weights(graph, graph.set("input->hidden"), range(6)))
    assert not np.array_equal(output, initial_weights(graph, graph.set("hidden->output"), range(10)))
