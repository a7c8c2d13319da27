"""Recordings and weights are whole and the same on any number of ranks."""

import subprocess
import sys

import pytest

SCRIPT = """
import hashlib, sys
import numpy as np
from segdend_plugin import Learner, callbacks, layered, start, tasks
from segdend_plugin.cells.templates import Membrane
from segdend_plugin.engine.kinds.cable import Cable

ranks = start()
cell = sys.argv[1]
kind = cell if cell == "three_compartment" else Cable(cell, cell, Membrane(nseg=1))
learner = Learner(layered([12, 5, 2], kind, seed=5))
records = [callbacks.Record("hidden", "potential", place=place, cells=[4, 1]) for place in ("soma", "tuft")]
records += [callbacks.Record("hidden", "rate", window="forward"), callbacks.Record("output", "spikes")]
images = tasks.arrays(np.random.default_rng(1).random((3, 12)), np.array([0, 1, 1]))
learner.fit(images, callbacks=records)
digest = hashlib.sha256()
for record in records:
    assert sorted(record.values) == [0, 1, 2]
    for example in (0, 1, 2):
        digest.update(np.ascontiguousarray(record.values[example]).data)
for name in ("input->hidden", "hidden->output", "output->hidden"):
    digest.update(np.ascontiguousarray(learner.weights(name)).data)
assert len(set(ranks.allgather(digest.hexdigest()))) == 1, "every rank has all of it"
records[0].save(sys.argv[2])
if ranks.is_root:
    print(records[0].values[2].shape[1], digest.hexdigest())
"""


@pytest.mark.parametrize("cell", ["three_compartment", "mouse_v1_l4_nr5a1"])
def test_two_ranks_record_what_one_does(cell, mpiexec, tmp_path):
    script, said = tmp_path / "record.py", []
    script.write_text(SCRIPT)
    for command in ([], [*mpiexec, "-n", "2"]):
        file = tmp_path / f"{len(said)}.h5"
        done = subprocess.run(
            [*command, sys.executable, str(script), cell, str(file)], capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert file.is_file()
        said.append(done.stdout)
    assert said[0].startswith("2 ")
    assert said[0] == said[1]
