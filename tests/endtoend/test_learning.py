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
    common = [*settings, "phases.test=100", "training.evaluate_every=100000"]
    learned, n = error(tmp_path / "learned", *common)
    frozen, _ = error(tmp_path / "frozen", *common, "rule.train_hidden=false")
    deviation = math.sqrt((learned * (1 - learned) + frozen * (1 - frozen)) / n)
    assert learned < 0.45, "chance is 0.9"
    assert frozen - learned > 5 * deviation


def test_frozen_hidden_weights_stay_as_they_were(tmp_path):
    import h5py
    import numpy as np

    from segdend_plugin.rule import weights

    error(
        tmp_path / "run",
        "cell=three_compartment",
        "layers.hidden=[6]",
        "data.train=20",
        "data.test=5",
        "training.epochs=1",
        "rule.train_hidden=false",
    )
    with h5py.File(tmp_path / "run" / "weights.h5") as file:
        hidden, output = file["hidden1_three_compartment/weights"][()], file["output/weights"][()]
    np.testing.assert_array_equal(hidden, weights.feedforward(0, list(range(64, 70)), 64)[0])
    assert not np.array_equal(output, weights.feedforward(0, list(range(70, 80)), 6)[0])
