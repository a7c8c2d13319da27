"""A run that was interrupted and resumed has the results of one that never stopped, bit for bit."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import h5py
import pytest
from filelock import FileLock

from segdend_plugin import cli
from segdend_plugin.errors import ConfigError, DataError
from segdend_plugin.experiment import config, run
from segdend_plugin.experiment.folder import Folder, read_weights
from segdend_plugin.learner import Learner
from segdend_plugin.model import state as states
from segdend_plugin.rule.feedback import feedback_weights

TOTAL = 340
SETTINGS = [
    "cell=three_compartment",
    "lumped.g_apical=0.05",
    "layers.hidden=[8]",
    "data.train=170",
    "data.test=8",
    "training.epochs=2",
    "training.evaluate_every=150",
    "training.evaluate_images=3",
    "checkpoint.every=100",
    "phases.settle=30",
    "phases.test=60",
]
VARIANTS = {
    "random": [],
    "learned": ["feedback.learning_rate=0.05"],
    "interneurons": ["inhibition=[{name: pv, size: 3, onto: soma, strength: 2, silent_in: target}]"],
    "noisy": ["feedback.weights=symmetric", "feedback.noise=0.05"],
}


class Stopping:
    """An observer that interrupts training after some examples."""

    def __init__(self, after: int | None = None) -> None:
        self.left = -1 if after is None else after
        self.depth = 0

    def start(self, total: int, what: str) -> None:
        self.depth += 1

    def finish(self) -> None:
        self.depth -= 1

    def report(self, metric: object) -> None: ...

    def advance(self, count: int = 1) -> None:
        if self.depth == 1:
            self.left -= count
            if self.left == 0:
                raise KeyboardInterrupt


def begin(folder: Path, *settings: str, after: int | None = None) -> None:
    experiment = config.load(settings=[*SETTINGS, *settings])
    if after is None:
        run.train(experiment, folder, Stopping())
        return
    with pytest.raises(KeyboardInterrupt):
        run.train(experiment, folder, Stopping(after))


def resume(folder: Path) -> int:
    return cli.main(["train", "--resume", str(folder), "--quiet"])


def results(folder: Path) -> dict:
    summary = json.loads((folder / "summary.json").read_text())
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    speeds = [metric.pop("images_per_second") for metric in metrics]
    assert min(speeds) > 0
    return {"metrics": metrics} | {key: summary[key] for key in ("weights_sha256", "test_error", "train_examples")}


def command(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "segdend_plugin", "train", "--quiet", *arguments, str(folder)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every variant's run that never stopped."""
    folders = {}
    for name, settings in VARIANTS.items():
        folders[name] = tmp_path_factory.mktemp("whole") / name
        begin(folders[name], *settings)
    return folders


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("after", [50, 320], ids=["before a checkpoint", "after checkpoints"])
def test_resumed_equals_uninterrupted(variant: str, after: int, whole: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    begin(folder, *VARIANTS[variant], after=after)
    assert (folder / "checkpoint.h5").is_file() == (after > 100)
    assert resume(folder) == 0
    assert results(folder) == results(whole[variant])
    names = {path.name for path in folder.iterdir()}
    assert names == {"config.yaml", "metrics.jsonl", "summary.json", "weights.h5", "learning.png"}


def test_reports_come_at_multiples_of_a_hundred(whole: dict[str, Path]) -> None:
    metrics = results(whole["random"])["metrics"]
    assert [(m["kind"], m["example"]) for m in metrics] == [
        ("train", 100),
        ("train", 150),
        ("test", 150),
        ("train", 200),
        ("train", 300),
        ("test", 300),
        ("train", 340),
        ("test", 340),
    ]


@pytest.mark.parametrize("variant", VARIANTS)
def test_evaluate_restores_the_feedback(variant: str, whole: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    state = states.load(whole[variant] / "weights.h5", "")
    name = "output->hidden1_three_compartment"
    assert (name in state.weights) == (variant == "learned")
    seen: list[Learner] = []
    restore = Learner.restore
    monkeypatch.setattr(Learner, "restore", lambda self, state: (seen.append(self), restore(self, state)))
    assert run.evaluate(whole[variant], Stopping())["test_error"] == results(whole[variant])["test_error"]
    (learner,) = seen
    if variant == "learned":
        assert (learner.network.sets[name].weights == state.weights[name]).all()
        assert not (feedback_weights(learner.graph)[name] == state.weights[name]).all(), "it learned"


@pytest.mark.parametrize("variant", ["learned", "noisy"])
def test_begun_on_one_rank_resumed_on_two(variant: str, mpiexec: list[str], tmp_path: Path) -> None:
    small = [*VARIANTS[variant], "data.train=55", "data.test=2", "phases.delay=5"]  # long delays: ranks talk less
    begin(tmp_path / "whole", *small)
    begin(tmp_path / "run", *small, after=105)
    arguments = [*mpiexec, "-n", "2", *command(tmp_path / "run", "--resume")]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert results(tmp_path / "run") == results(tmp_path / "whole")


def test_killed_at_any_moment(whole: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    settings = [word for setting in [*SETTINGS, *VARIANTS["learned"]] for word in ("--set", setting)]
    process = subprocess.Popen(command(folder, *settings, "--out"))
    try:
        deadline = time.monotonic() + 60
        while not (folder / "checkpoint.h5").exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (folder / "summary.json").exists(), "killed too late"
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "tra')  # as a kill in the middle of a line leaves it
    (folder / "checkpoint.h5.part").write_bytes(b"half")
    assert resume(folder) == 0
    assert results(folder) == results(whole["learned"])
    assert not list(folder.glob("checkpoint.h5*"))


def test_training_speed_covers_all_stretches(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    begin(folder, after=320)
    path = folder / "checkpoint.h5"
    state = states.load(path, "")
    assert state.seconds > 0
    states.save(path, replace(state, seconds=1000.0))
    assert resume(folder) == 0
    speed = json.loads((folder / "summary.json").read_text())["train_images_per_second"]
    assert 0.5 * TOTAL / 1000 < speed < TOTAL / 1000


def test_a_finished_run_says_so(whole: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    folder = whole["random"]
    before = results(folder)
    assert resume(folder) == 0
    captured = capsys.readouterr()
    assert captured.err == f"segdend: the run in {str(folder)!r} is finished: nothing is left to train.\n"
    assert captured.out.startswith("test error ")
    assert results(folder) == before
    assert not (folder / ".lock").exists()


def check(folder: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], *arguments: str) -> None:
    assert cli.main(["train", "--resume", str(folder), *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    for word in ("segdend: ", *words):
        assert word in captured.err


@pytest.mark.parametrize(
    "arguments", [["other.yaml"], ["--set", "seed=2"], ["--out", "other"], ["--seed", "2"], ["--seed", "0"]]
)
def test_settings_beside_resume(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check(tmp_path, capsys, ("--resume", "leave", arguments[0].replace("other.yaml", "CONFIG")), *arguments)


def test_a_folder_without_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check(tmp_path, capsys, ("--resume", "no config.yaml", "give the folder of a run"))
    assert not list(tmp_path.iterdir())


def test_checkpoints_come_with_reports() -> None:
    with pytest.raises(ConfigError, match=r"^checkpoint\.every=150: input should be a multiple of 100; change"):
        config.load(settings=["checkpoint.every=150"])


def test_a_damaged_checkpoint(whole: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.yaml").write_bytes((whole["random"] / "config.yaml").read_bytes())
    content = (whole["random"] / "weights.h5").read_bytes()
    weights = read_weights(whole["random"])["output"][0].tobytes()[:64]
    for damaged in (b"", content[:1000], content[:-100], content.replace(weights, weights[::-1])):
        assert damaged != content
        (tmp_path / "checkpoint.h5").write_bytes(damaged)
        check(tmp_path, capsys, ("checkpoint.h5", "cannot be read", "remove it to begin the run anew"))


@pytest.mark.parametrize("name", ["weights.h5", "checkpoint.h5"])
def test_a_run_of_an_older_version(name: str, whole: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes((whole["random"] / "config.yaml").read_bytes())
    with h5py.File(tmp_path / name, "w") as file:
        file.attrs["format"] = 1
    again = run.evaluate if name == "weights.h5" else run.resume
    with pytest.raises(DataError, match=rf"{name}' is of format 1, and this version reads format 2: "):
        again(tmp_path)


def test_two_processes_in_one_folder(
    whole: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_bytes((whole["random"] / "config.yaml").read_bytes())
    with FileLock(tmp_path / ".lock"):
        check(tmp_path, capsys, ("in use by another process", "choose another folder"))


def test_a_run_keeps_its_folder_to_itself(tmp_path: Path) -> None:
    class Intruding(Stopping):
        def advance(self, count: int = 1) -> None:
            with pytest.raises(ConfigError, match="in use by another process"):
                Folder(tmp_path / "run", resume=True)

    run.train(config.load(settings=[*SETTINGS, "data.train=2"]), tmp_path / "run", Intruding())
    assert not (tmp_path / "run" / ".lock").exists()


def test_a_full_disk_keeps_the_last_checkpoint(
    whole: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    begin(folder, after=150)
    before = (folder / "checkpoint.h5").read_bytes()
    sync = os.fsync

    def fsync(file: int) -> None:
        if os.readlink(f"/proc/self/fd/{file}").endswith("checkpoint.h5.part"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(file)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        check(folder, capsys, ("No space left", "free some room"), "--quiet")
    assert (folder / "checkpoint.h5").read_bytes() == before
    assert not (folder / "checkpoint.h5.part").exists()
    assert resume(folder) == 0
    assert results(folder) == results(whole["random"])


def test_weights_that_do_not_fit(whole: dict[str, Path], tmp_path: Path) -> None:
    text = (whole["random"] / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(text.replace("size: 8", "size: 9"))
    (tmp_path / "checkpoint.h5").write_bytes((whole["random"] / "weights.h5").read_bytes())
    with pytest.raises(DataError, match="made with another graph: give that of its run"):
        run.resume(tmp_path, Stopping())


def test_evaluate_takes_changes_of_the_description(whole: dict[str, Path]) -> None:
    assert run.evaluate(whole["random"], Stopping(), ["data.test=7"])["test_examples"] == 7
    with pytest.raises(DataError, match="shape"):
        run.evaluate(whole["random"], Stopping(), ["layers.hidden=[3]"])
