"""Cells that nobody has seen, grown from a seed, go through info, plot and train; NEURON's reader is the reference."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import segdend_plugin
from segdend_plugin.cells import morphology
from segdend_plugin.cells.files import source
from segdend_plugin.cli import main
from segdend_plugin.engine import mechanisms

CHECKOUT = Path(segdend_plugin.__file__).parents[1]
AXON, BASAL, APICAL = 2, 3, 4


@dataclass
class Branch:
    """Points (x, y, z, diameter) and what begins at the last of them."""

    points: list[tuple[float, float, float, float]]
    branches: list[Branch]


class Grower:
    """Grows trees by a random walk in a direction, forking into two with thinner branches."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def tree(self, start: np.ndarray, way: np.ndarray, length: float, diameter: float, forks: int) -> Branch:
        points, place, walked = [(*start, diameter)], np.array(start, float), 0.0
        way = np.array(way, float) / np.linalg.norm(way)
        while walked < length:
            step = self.random.uniform(3, 8)
            way = way + self.random.normal(0, 0.12, 3)
            way /= np.linalg.norm(way)
            place = place + step * way
            diameter = max(diameter * 0.99, 0.3)
            walked += step
            points.append((*place, diameter))
        branches = []
        if forks:
            aside = np.cross(way, self.random.normal(size=3))
            for sign in (-1, 1):
                turned = way + sign * 0.6 * aside / np.linalg.norm(aside)
                more = self.tree(place, turned, length * self.random.uniform(0.5, 0.9), 0.8 * diameter, forks - 1)
                branches.append(Branch(more.points[1:], more.branches))
        return Branch(points, branches)

    def pyramid(self, trunk: float, up: float = 1.0, tuft: int = 3, basal: int = 5, radius: float = 7.0):
        """Return the trees of a pyramidal cell, each with its type."""
        up_way = np.array([0.1, up, 0.05])
        apical = self.tree(up_way * radius, up_way, trunk, 3.0, 0)
        for way in ([-0.4, up, 0.2], [0.5, up, -0.2]):
            more = self.tree(np.array(apical.points[-1][:3]), way, 0.35 * trunk, 1.2, tuft - 1)
            apical.branches.append(Branch(more.points[1:], more.branches))
        trees = [(APICAL, apical)]
        for angle in np.linspace(0, 2 * math.pi, basal, endpoint=False):
            way = np.array([math.cos(angle), -0.5 * up, math.sin(angle)])
            trees.append((BASAL, self.tree(radius * way, way, 45.0, 1.5, 2)))
        axon = np.array([0.1, -up, 0.0])
        return [*trees, (AXON, self.tree(radius * axon, axon, 60.0, 1.0, 0))]


def swc(trees, soma: list[str], connected: bool = True, types: dict[int, int] | None = None) -> str:
    """Write trees as SWC behind the lines of a soma."""
    rows = list(soma)

    def add(branch: Branch, kind: int, parent: int) -> None:
        for x, y, z, diameter in branch.points:
            rows.append(f"{len(rows) + 1} {kind} {x:.3f} {y:.3f} {z:.3f} {diameter / 2:.4f} {parent}")
            parent = len(rows)
        for child in branch.branches:
            add(child, kind, parent)

    for kind, tree in trees:
        add(tree, (types or {}).get(kind, kind), 1 if connected else -1)
    return "\n".join(rows) + "\n"


def asc(trees, outline: np.ndarray) -> str:
    """Write trees as Neurolucida ASC with an outline of the soma, markers and spines."""
    names = {AXON: "Axon", BASAL: "Dendrite", APICAL: "Apical"}
    lines = [";\tV3 text file written for MicroBrightField products.", '(Sections S1 "1" S2 "2")', '("Cell Body"']
    lines += ["  (Color Yellow)", "  (CellBody)"]
    lines += [f"  ({x:8.2f} {y:8.2f} {z:8.2f} 0.15 S1)  ; 1, {k}" for k, (x, y, z) in enumerate(outline, 1)]
    lines += [")  ;  End of contour", ""]

    def add(branch: Branch, indent: str) -> None:
        for k, (x, y, z, diameter) in enumerate(branch.points):
            spine = f" <({x + 1:.2f} {y:.2f} {z:.2f} 0.2)>" if k % 5 == 4 else ""
            lines.append(f"{indent}({x:10.4f} {y:10.4f} {z:10.4f} {diameter:8.4f}){spine}  ; R, {k}")
        if branch.branches:
            lines.append(f"{indent}(")
            for k, child in enumerate(branch.branches):
                if k:
                    lines.append(f"{indent}|")
                add(child, indent + "  ")
            lines.append(f"{indent})  ;  End of split")
        else:
            lines.append(f"{indent}Normal")

    for kind, tree in trees:
        lines += ["( (Color RGB (128, 64, 0))", f"  ({names[kind]})"]
        add(tree, "  ")
        lines += [")  ;  End of tree", ""]
    return "\n".join(lines)


def around(radius: float, points: int = 16) -> np.ndarray:
    angle = np.linspace(0, 2 * math.pi, points, endpoint=False)
    return np.stack([0.8 * radius * np.cos(angle), 1.2 * radius * np.sin(angle), 0 * angle], axis=1)


ONE = ["1 1 0 0 0 7 -1"]
THREE = ["1 1 0 0 0 7 -1", "2 1 0 -7 0 7 1", "3 1 0 7 0 7 1"]
OUTLINE = [f"{k} 1 {x:.3f} {y:.3f} {z:.3f} 0 {k - 1 or -1}" for k, (x, y, z) in enumerate(around(7), 1)]
CELLS = {  # what grows, and how it is written
    "l23.swc": (lambda: Grower(1).pyramid(110, tuft=4), lambda trees: swc(trees, THREE)),
    "l6_inverted.swc": (lambda: Grower(2).pyramid(220, up=-1.0, tuft=2, basal=4), lambda trees: swc(trees, ONE)),
    "motor_l5.swc": (lambda: Grower(3).pyramid(600, tuft=4, basal=7, radius=9), lambda trees: swc(trees, ONE)),
    "rat_l5.asc": (lambda: Grower(4).pyramid(700, basal=6, radius=8), lambda trees: asc(trees, around(8))),
    "l5_outline.swc": (lambda: Grower(5).pyramid(400), lambda trees: swc(trees, OUTLINE)),
    "l23_no_apical.swc": (lambda: Grower(6).pyramid(150), lambda trees: swc(trees, THREE, types={APICAL: BASAL})),
    "l5_many_roots.swc": (lambda: Grower(7).pyramid(400), lambda trees: swc(trees, ONE, connected=False)),
}
REPAIRS = {"l5_many_roots.swc": "joined to the soma"}
NOTES = {
    "rat_l5.asc": "taken as the sphere",
    "l5_outline.swc": "taken as the sphere",
    "l23_no_apical.swc": "taken as apical by its shape",
}


def length(branch: Branch, start: tuple[float, ...] | None = None) -> float:
    places = np.array([point[:3] for point in ([start] if start else []) + branch.points])
    own = float(np.linalg.norm(np.diff(places, axis=0), axis=1).sum())
    return own + sum(length(child, branch.points[-1]) for child in branch.branches)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "cache", lambda: tmp_path / "cache")  # not that of the compiled mechanisms


@pytest.fixture(params=CELLS)
def cell(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / request.param
    grow, write = CELLS[request.param]
    path.write_text(write(grow()))
    return path


def test_info_and_plot(cell: Path, ranks, capsys: pytest.CaptureFixture[str]) -> None:
    picture = cell.with_suffix(".png")
    extra = []
    if cell.name in REPAIRS:
        assert main(["morphology", "info", str(cell)]) == 2
        said = capsys.readouterr().err
        assert "accept the repair" in said
        assert said.count("\n") == 1
        extra = ["--repair"]
    assert main(["morphology", "info", str(cell), "--json", *extra]) == 0
    out, err = capsys.readouterr()
    info = json.loads(out)
    assert info["source"] == str(cell)
    expected = REPAIRS.get(cell.name) or NOTES.get(cell.name)
    assert [
        finding["action"] for finding in info["repairs"] if expected and expected in finding["action"]
    ] or not expected
    assert len(info["repairs"]) == err.count(f"segdend: {cell}: ")
    assert any(finding["changes"] for finding in info["repairs"]) == (cell.name in REPAIRS)
    assert info["segregation"]["tuft_sites"] >= 1
    assert info["sections"]["basal"] >= 4 * 7
    assert main(["morphology", "plot", str(cell), "--out", str(picture), *extra]) == 0
    assert picture.stat().st_size > 10_000


def test_neuron_builds_the_lengths_that_were_grown(cell: Path, ranks) -> None:
    from segdend_plugin.cells.templates import pyramidal_passive

    found = source.load(str(cell), repair=True)
    built = pyramidal_passive(found.swc)
    grown: dict[int, float] = {AXON: 0.0, BASAL: 0.0, APICAL: 0.0}
    for kind, tree in CELLS[cell.name][0]():
        grown[kind] += length(tree)
    assert sum(section.L for section in built.basal) == pytest.approx(grown[BASAL], rel=1e-4)
    assert sum(section.L for section in built.apical) == pytest.approx(grown[APICAL], rel=1e-4)
    assert len(list(built.somatic)) == 1
    labels = morphology.regions(found.morphology)
    for region in ("trunk", "oblique", "tuft"):
        assert len(list(getattr(built, region))) == labels.count(region)


REFERENCE = """
import json, sys
from neuron import h
h.load_file("stdlib.hoc"); h.load_file("import3d.hoc")
reader = h.Import3d_Neurolucida3(); reader.quiet = 1; reader.input(sys.argv[1])
h.Import3d_GUI(reader, 0).instantiate(None)
found = {}
for section in h.allsec():
    section.nseg = 31
    kind = section.name().partition("[")[0]
    length, area = found.get(kind, (0.0, 0.0))
    found[kind] = (length + section.L, area + sum(segment.area() for segment in section))
print("found", json.dumps(found))
"""


@pytest.mark.parametrize("radius", [6, 9])
def test_asc_is_read_as_by_neuron(radius: int, tmp_path: Path) -> None:
    path = tmp_path / "cell.asc"
    path.write_text(asc(Grower(11).pyramid(300, radius=radius), around(radius, 24)))
    done = run([sys.executable, "-c", REFERENCE, str(path)], tmp_path)
    theirs = json.loads(done.stdout.partition("found ")[2])
    ours = morphology.summary(source.load(str(path)).morphology)
    for kind, name in (("dend", "basal"), ("apic", "apical"), ("axon", "axon")):
        assert ours["length_um"][name] == pytest.approx(theirs[kind][0], rel=1e-3)
    assert math.pi * ours["soma_diameter_um"] ** 2 == pytest.approx(theirs["soma"][1], rel=0.05)


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT), "NEURON_MODULE_OPTIONS": "-nogui"}
    environment |= {"SEGDEND_MECHANISMS": str(mechanisms.build()), "SEGDEND_CACHE": str(folder / "cache")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, (done.returncode, done.stdout[-500:], done.stderr[-2000:])
    return done


@pytest.mark.parametrize("name", ["rat_l5.asc", "l5_many_roots.swc"])
def test_training(name: str, tmp_path: Path) -> None:
    grow, write = CELLS[name]
    (tmp_path / name).write_text(write(grow()))
    settings = [
        "layers.hidden=[2]",
        "data.train=20",
        "data.test=5",
        "phases.settle=30",
        "phases.test=50",
        f"cell={name}",
        "cable.nseg=1",
    ]
    settings += ["training.epochs=1", "cable.apical_length=0.8"] + ["cable.repair=true"] * (name in REPAIRS)
    arguments = [word for setting in settings for word in ("--set", setting)]
    done = run([sys.executable, "-m", "segdend_plugin", "train", "--quiet", "--out", "run", *arguments], tmp_path)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    label = name.partition(".")[0]
    assert list(summary["repairs"]) == [label]
    assert done.stderr.count(f"segdend: {name}: ") == len(summary["repairs"][label])
    assert summary["train_examples"] == 20
    assert summary["segregation"][label]["tuft_sites"] >= 1
    resolved = (tmp_path / "run" / "config.yaml").read_text()
    assert f"cell: {tmp_path / name}" in resolved
