"""The catalogue, the checks of SWC files, and the regions of the apical dendrite."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from segdend_plugin.cells import morphology
from segdend_plugin.cells.files import catalogue
from segdend_plugin.cells.files.swc import read_swc
from segdend_plugin.errors import MorphologyError
from segdend_plugin.resources import folder
from segdend_plugin.views.morphology import plot, upright

SECTIONS = {  # basal, apical: shared/design/data.md
    "mouse_v1_l4_nr5a1": (27, 9),
    "mouse_v1_l4_rorb": (37, 25),
    "mouse_v1_l4_scnn1a": (80, 39),
    "mouse_v1_l5_rbp4": (34, 67),
}
LONGEST_APICAL_PATH = {  # um, shared/design/data.md
    "mouse_v1_l4_nr5a1": 359,
    "mouse_v1_l4_rorb": 448,
    "mouse_v1_l4_scnn1a": 498,
    "mouse_v1_l5_rbp4": 791,
}

CELL = """# a soma, a basal dendrite, and an apical dendrite that forks
1 1 0 0 0 5 -1
2 3 0 -5 0 1 1
3 3 0 -25 0 1 2
4 4 0 5 0 1 1
5 4 0 105 0 1 4
6 4 30 145 0 1 5
7 4 -30 145 0 1 5
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "cell.swc"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", catalogue.CATALOGUE)
def test_shipped_cells_have_the_published_sections_and_paths(name: str) -> None:
    figures = morphology.summary(read_swc(catalogue.find(name)))
    assert (figures["sections"]["basal"], figures["sections"]["apical"]) == SECTIONS[name]
    assert figures["sections"]["soma"] == 1
    assert figures["longest_apical_path_um"] == pytest.approx(LONGEST_APICAL_PATH[name], abs=0.6)


@pytest.mark.parametrize("name", catalogue.CATALOGUE)
def test_shipped_cells_have_trunk_oblique_and_tuft(name: str) -> None:
    cell = read_swc(catalogue.find(name))
    figures = morphology.summary(cell)
    assert all(length > 0 for length in figures["apical_length_um"].values())
    assert sum(figures["apical_length_um"].values()) == pytest.approx(figures["length_um"]["apical"])
    assert set(morphology.regions(cell)) == {"soma", "axon", "basal", "trunk", "oblique", "tuft"}


@pytest.mark.parametrize("name", catalogue.CATALOGUE)
def test_shipped_files_are_those_of_the_provenance_table(name: str) -> None:
    path = catalogue.find(name)
    readme = (folder("templates") / "morphologies" / "README.md").read_text()
    assert f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" in readme
    assert str(catalogue.CATALOGUE[name].specimen) in readme


def test_find_takes_an_existing_file(tmp_path: Path) -> None:
    path = written(tmp_path, CELL)
    assert catalogue.find(str(path)) == path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mouse_v1_l5_rpb4", "cell 'mouse_v1_l5_rpb4' is not known; did you mean 'mouse_v1_l5_rbp4'?"),
        ("three_compartmnt", "did you mean 'three_compartment'?"),
        ("elephant", "cell 'elephant' is not known; name one of mouse_v1_l4_nr5a1"),
        ("no/such.swc", "cell 'no/such.swc' is not there: no such file; check the path"),
        ("~nobody-of-this-name/cell.swc", "check the path"),
        (f"{'long' * 100}.swc", "check the path"),
        ("cell.asc", "cell 'cell.asc' is not there: no such file; check the path"),
        ("cell.hoc", "is neither an .swc nor an .asc file; convert it to .swc"),
        ("three_compartment", "is the lumped cell and has no shape"),
    ],
)
def test_find_says_what_to_name(name: str, message: str) -> None:
    with pytest.raises(MorphologyError) as error:
        catalogue.find(name)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_reads_points_as_arrays(tmp_path: Path) -> None:
    cell = read_swc(written(tmp_path, CELL))
    assert cell.name == "cell"
    assert cell.ids.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert cell.types.tolist() == [1, 3, 3, 4, 4, 4, 4]
    assert cell.parent.tolist() == [-1, 0, 1, 0, 3, 4, 4]
    assert cell.xyz.shape == (7, 3)
    assert cell.radius.tolist() == [5, 1, 1, 1, 1, 1, 1]


def test_reads_comments_blank_lines_further_columns_and_stray_bytes(tmp_path: Path) -> None:
    path = tmp_path / "untidy.swc"
    lines = CELL.splitlines()
    untidy = "\r\n".join(["# M\u00fcller", "", *lines[:3], "  # indented", lines[3] + " 7 8 # more", *lines[4:]])
    path.write_bytes(untidy.encode("latin-1"))
    assert read_swc(path).xyz.tolist() == read_swc(written(tmp_path, CELL)).xyz.tolist()


def test_soma_of_several_points_is_one_section(tmp_path: Path) -> None:
    text = """1 1 0 -5 0 5 -1
2 1 0 0 0 5 1
3 1 0 5 0 5 2
4 3 0 -6 0 1 1
5 3 0 -26 0 1 4
6 4 0 6 0 1 3
7 4 0 106 0 1 6
"""
    cell = read_swc(written(tmp_path, text))
    assert [section.type for section in morphology.sections(cell)] == [1, 3, 4]
    assert morphology.soma_diameter(cell) == pytest.approx(10)  # a cylinder of 10 x 10 um has the area of this sphere


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (CELL, "", "holds no points"),
        (CELL, "# nothing here\n\n", "holds no points"),
        ("4 4 0 5 0 1 1", "4 4 zero 5 0 1 1", "line 5 is '4 4 zero 5 0 1 1'; write seven numbers"),
        ("4 4 0 5 0 1 1", "4 4 0 5 0 1", "line 5 is '4 4 0 5 0 1'; write seven numbers"),
        ("4 4 0 5 0 1 1", "4.5 4 0 5 0 1 1", "line 5 has id 4.5, type 4 and parent 1; write integers"),
        ("4 4 0 5 0 1 1", "4 4 0 nan 0 1 1", "line 5 has the coordinates 0 nan 0"),
        ("4 4 0 5 0 1 1", "4 4 0 inf 0 1 1", "line 5 has the coordinates 0 inf 0"),
        ("4 4 0 5 0 1 1", "4 4 0 5 0 0 1", "line 5 has the radius 0;"),
        ("4 4 0 5 0 1 1", "4 4 0 5 0 -1 1", "line 5 has the radius -1;"),
        ("4 4 0 5 0 1 1", "4 4 0 5 0 nan 1", "line 5 has the radius nan;"),
        ("3 3 0 -25 0 1 2", "2 3 0 -25 0 1 2", "the id 2 occurs twice"),
        ("1 1 0 0 0 5 -1", "1 3 0 0 0 5 -1", "no point has type 1 (soma)"),
        ("4 4 0 5 0 1 1", "4 4 0 5 0 1 -1", "has 2 roots (points 1, 4 have"),
        ("4 4 0 5 0 1 1", "4 4 0 5 0 1 99", "has 2 roots (points 1, 4 have"),
        ("1 1 0 0 0 5 -1", "1 1 0 0 0 5 0", "the parent 0 of point 1 does not exist"),
        ("1 1 0 0 0 5 -1", "1 1 0 0 0 5 7", "run in a cycle"),
        ("4 4 0 5 0 1 1", "4 4 0 5 0 1 5", "the parents of point 4 run in a cycle"),
        ("2 3 0 -5 0 1 1\n3 3 0 -25 0 1 2", "2 3 0 -25 0 1 3\n3 3 0 -5 0 1 1", "point 2 comes before its parent 3"),
        ("2 3 0 -5 0 1 1\n3 3 0 -25 0 1 2", "3 3 0 -5 0 1 1\n2 3 0 -25 0 1 3", "the id 2 follows 3"),
        ("3 3 0 -25 0 1 2", "3 7 0 -25 0 1 2", "point 3 has type 7; use 1 (soma)"),
        ("1 1 0 0 0 5 -1\n2 3", "1 3 0 0 0 5 -1\n2 1", "the root, point 1, has type 3"),
        ("3 3 0 -25 0 1 2", "3 1 0 -25 0 1 2", "the soma point 3 hangs on point 2 of type 3"),
        (" 3 0 -", " 2 0 -", "has no basal dendrite"),
        ("\n6 4", "\n6 9", "point 6 has type 9"),
        ("7 4 -30 145 0 1 5\n", "7 2 0 0 9 1 1\n8 3 0 0 19 1 7\n", "point 8 of type 3 hangs on the axon"),
        (
            "7 4 -30 145 0 1 5\n",
            "7 3 0 9 0 1 1\n8 4 0 9 9 1 1\n9 3 0 19 0 1 7\n",
            "point 9 does not follow its parent 7",
        ),
        ("6 4 30 145 0 1 5", "6 3 30 145 0 1 4", "begins a neurite of type 4 and forks at once into type 3"),
        ("7 4 -30 145 0 1 5", "7 4 0 105 0 1 5", "the branch that ends at point 7 has no length"),
    ],
)
def test_each_fault_has_its_sentence(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in CELL
    path = written(tmp_path, CELL.replace(old, new))
    with pytest.raises(MorphologyError) as error:
        read_swc(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_no_apical_dendrite_has_its_sentence(tmp_path: Path) -> None:
    path = written(tmp_path, "\n".join(CELL.splitlines()[:4]))
    with pytest.raises(MorphologyError, match="no apical dendrite"):
        read_swc(path)


def test_absent_file_has_its_sentence(tmp_path: Path) -> None:
    with pytest.raises(MorphologyError, match="cannot be read"):
        read_swc(tmp_path / "absent.swc")


def test_sections_split_at_branch_points(tmp_path: Path) -> None:
    parts = morphology.sections(read_swc(written(tmp_path, CELL)))
    assert [part.points for part in parts] == [(0,), (1, 2), (3, 4), (4, 5), (4, 6)]
    assert [part.parent for part in parts] == [-1, 0, 0, 2, 2]
    assert [part.length for part in parts] == pytest.approx([10, 20, 100, 50, 50])


def test_fork_at_the_first_point_counts_as_two_dendrites_on_the_soma(tmp_path: Path) -> None:
    text = CELL + "8 3 9 -25 0 1 2\n9 3 9 -45 0 1 8\n"
    parts = morphology.sections(read_swc(written(tmp_path, text)))
    assert [(part.points, part.parent) for part in parts if part.type == 3] == [((1, 2), 0), ((1, 7, 8), 0)]


def test_dendrite_of_one_point_starts_in_the_soma(tmp_path: Path) -> None:
    text = "\n".join(line for line in CELL.splitlines() if not line.startswith("3 "))
    parts = morphology.sections(read_swc(written(tmp_path, text)))
    assert [(part.points, part.length) for part in parts if part.type == 3] == [((0, 1), 5.0)]


@pytest.mark.parametrize(
    ("parent", "length", "expected"),
    [
        pytest.param([], [], [], id="nothing"),
        pytest.param([-1], [300], ["tuft"], id="one section"),
        pytest.param([-1, 0, 0], [300, 100, 90], ["trunk", "tuft", "tuft"], id="a fork at the end"),
        pytest.param(
            [-1, 0, 0, 1, 1],
            [100, 200, 50, 100, 80],
            ["trunk", "trunk", "oblique", "tuft", "tuft"],
            id="an oblique before the nexus",
        ),
        pytest.param(
            [-1, 0, 0, 1, 1, 4],
            [300, 20, 90, 80, 30, 40],
            ["trunk", "tuft", "tuft", "tuft", "tuft", "tuft"],
            id="everything beyond the nexus",
        ),
        pytest.param(
            [-1, 0, 0, 1, 1],
            [30, 300, 280, 70, 60],
            ["trunk", "trunk", "oblique", "tuft", "tuft"],
            id="a bifurcation close to the soma is no nexus",
        ),
        pytest.param([-1, 0, 0], [50, 300, 60], ["trunk", "tuft", "oblique"], id="no nexus: the last section"),
        pytest.param(
            [-1, 0, 0, -1, 3],
            [300, 100, 90, 50, 60],
            ["trunk", "tuft", "tuft", "oblique", "oblique"],
            id="a second apical tree",
        ),
        pytest.param([-1, -1], [300, 50], ["tuft", "oblique"], id="two apical trees of one section"),
        pytest.param([2, 2, -1], [100, 90, 300], ["tuft", "tuft", "trunk"], id="children before parents"),
    ],
)
def test_apical_regions_of_drawn_trees(parent: list[int], length: list[float], expected: list[str]) -> None:
    assert morphology.apical_regions(parent, length) == expected


def test_apical_regions_do_not_depend_on_the_unit_of_length() -> None:
    rng = np.random.default_rng(1)
    parent = [-1, *(int(rng.integers(section)) for section in range(1, 40))]
    length = rng.uniform(1, 50, 40)
    assert morphology.apical_regions(parent, length) == morphology.apical_regions(parent, 2 * length)


@pytest.mark.parametrize("name", catalogue.CATALOGUE)
def test_pictures_have_the_apical_dendrite_upwards(name: str, tmp_path: Path) -> None:
    cell = read_swc(catalogue.find(name))
    xy = upright(cell)
    apical = xy[cell.types == morphology.APICAL]
    assert apical[:, 1].max() > 0.9 * np.abs(xy).max()
    plot(cell, morphology.regions(cell), tmp_path / "cell.png")
    assert (tmp_path / "cell.png").stat().st_size > 10_000
