"""Real files are untidy: what is read as it is, what is noted, what has to be accepted, and what is refused."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import segdend_plugin
from segdend_plugin.cells import morphology
from segdend_plugin.cells.files import catalogue, contours, source
from segdend_plugin.cells.files.swc import read_swc
from segdend_plugin.errors import MorphologyError
from segdend_plugin.experiment import config

CELL = """1 1 0 0 0 5 -1
2 3 0 -5 0 1 1
3 3 0 -25 0 1 2
4 4 0 5 0 1 1
5 4 0 105 0 1 4
6 4 30 145 0 1 5
7 4 -30 145 0 1 5
8 2 5 0 0 0.5 1
9 2 35 0 0 0.5 8
"""
LENGTHS = {"basal": 20.0, "apical": 200.0, "axon": 30.0}

ASC = """;	V3 text file written for MicroBrightField products.
(ImageCoords Filename "C:\\a.tif" Merge 65535 65535 65535 0)
(Sections S1 "1")
(Set "second" (FilledCircle (Color White) (Name "m") (1 2 3 0.5)))

("Cell Body"
  (Color RGB (255, 255, 0))
  (CellBody)
  (  5.00   0.00   0.00     0.15 S1)  ; 1, 1
  (  0.00   5.00   0.00     0.15 S1)
  ( -5.00   0.00   0.00     0.15)
  (  0.00  -5.00   0.00     0.15)
)  ;  End of contour

( (Color Red)
  (Dendrite)
  (0 -5 0 2)  ; Root
  (0 -25 0 2) <( (Class 0 "s") 1 -25 0 0.1)>
  Normal
)
( (Apical) (Color RGB (128, 64, 0))
  (0 5 0 2)
  (0 105 0 2) <(1 100 0 0.2)> <(2 100 0 0.2)>
  (Cross (Color White) (Name "Marker 3") (0 100 0 1))
  (
    (0 105 0 2)
    (30, 145, 0, 2)
    Incomplete
  |
    (-30 145 0 2)
    High
  )  ;  End of split
)
( (Axon) (5 0 0 1) (35 0 0 1) Generated )
( (Color Blue) (0 0 0 1) "a text" )
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEGDEND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def written(folder: Path, text: str | bytes, name: str = "cell.swc") -> str:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def lengths(cell: morphology.Morphology) -> dict[str, float]:
    return morphology.summary(cell)["length_um"]


def check_same(found: source.Source) -> None:
    own = lengths(found.morphology)
    assert {kind: own[kind] for kind in LENGTHS} == pytest.approx(LENGTHS, abs=1e-3)


@pytest.mark.parametrize("name", catalogue.CATALOGUE)
def test_shipped_cells_go_to_neuron_as_they_are(name: str, cache: Path) -> None:
    found = source.load(name)
    assert found.swc == catalogue.find(name)
    assert found.findings == ()
    assert found.morphology.name == name
    assert not cache.exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(CELL, None, id="clean"),
        pytest.param(CELL.replace("\n", "\r\n"), None, id="CRLF"),
        pytest.param(CELL.replace("\n", " 7 8\n"), None, id="more columns"),
        pytest.param("\ufeff" + CELL, "line 1", id="BOM"),
        pytest.param("# a\n\n" + CELL, "empty lines", id="empty line"),
        pytest.param(CELL + "  ", "empty lines", id="blanks at the end"),
        pytest.param("# converted twice\r\r\n" + CELL, "empty lines", id="two carriage returns"),
        pytest.param(CELL.encode("utf-16"), "written anew", id="UTF-16"),
        pytest.param(CELL.replace("\n", "\r"), "written anew", id="old Macintosh"),
        pytest.param(CELL.replace(" ", ","), "written anew", id="commas"),
        pytest.param("\n".join(reversed(CELL.splitlines())), "sorted", id="children first"),
        pytest.param(CELL.replace("1 1 0", "-4 1 0").replace("1 1\n", "1 -4\n").replace("5 1\n", "5 -4\n"),
                     "written anew", id="negative id"),
        pytest.param(CELL.replace("9 2", "900000000 2"), "written anew", id="huge id"),
        pytest.param(CELL.replace("5 -1\n", "5 0\n", 1), "written anew", id="root with parent 0"),
        pytest.param(CELL.replace("7 4 -", "7 6 -").replace("5 4 0", "5 5 0"), "type of the next", id="fork and end"),
        pytest.param(CELL + "10 4 30 145 0 1 6\n", None, id="point twice"),
        pytest.param(CELL.replace("9 2 35 0 0 0.5", "9 2 35 0 0 0"), "no possible radius", id="axon without radius"),
        pytest.param(CELL + "10 2 400 0 0 1 -1\n11 2 420 0 0 1 10\n", "lie apart", id="piece of an axon"),
        pytest.param(CELL + "10 3 0 -25 0 1 3\n11 3 0 -25 0 1 3\n", "where the one before is", id="empty branches"),
        pytest.param("1 1 0 -5 0 5 2\n2 3 0 -25 0 1 -1\n3 4 0 5 0 1 1\n4 4 0 105 0 1 3\n5 3 0 -26 5 1 2\n",
                     "turned round", id="rooted in a dendrite"),
        pytest.param(CELL.replace("5 4 0 105 0 1 4", "5 4 0 105 0 1 4\n10 3 9 9 9 1 4\n11 3 20 9 9 1 10"),
                     "", id="forks into two types"),
    ],
)  # fmt: skip
def test_read_without_being_asked(text: str | bytes, words: str | None, tmp_path: Path) -> None:
    found = source.load(written(tmp_path, text))
    assert not any(finding.changes for finding in found.findings)
    if words is None:
        assert found.findings == ()
        assert str(found.swc) == found.given
    else:
        assert words in " ".join(found.lines())
        assert found.lines()
        assert str(found.swc) != found.given
        read_swc(found.swc)
    if words not in ("turned round", ""):
        check_same(found)


@pytest.mark.parametrize(
    ("change", "words", "same"),
    [
        pytest.param(("4 4 0 5 0 1 1", "4 4 0 5 0 1 -1"), "joined to the soma", True, id="two roots"),
        pytest.param(("4 4 0 5 0 1 1", "4 4 0 5 0 1 4"), "joined to the soma", True, id="its own parent"),
        pytest.param(("6 4 30 145 0 1 5", "6 4 30 145 0 1 5\n10 4 34 145 0 1 -1\n11 4 34 165 0 1 10"),
                     "nearest branch", False, id="a piece beside its branch"),
        pytest.param(("6 4 30", "10 4 500 500 0 1 -1\n11 4 510 500 0 1 10\n6 4 30"),
                     "left out with 2 points", True, id="apart"),
        pytest.param(("4 4 0 5 0 1 1", "4 4 0 5 0 1 5"), "run in a cycle", True, id="cycle"),
        pytest.param(("5 4 0 105 0 1 4", "5 4 0 105 0 0 4"), "no possible radius", True, id="no radius"),
        pytest.param(("5 4 0 105 0 1 4", "5 4 0 105 0 -3 4"), "no possible radius", True, id="negative radius"),
        pytest.param(("5 4 0 105 0 1 4", "5 4 0 105 0 nan 4"), "no possible radius", True, id="NaN radius"),
        pytest.param(("1 1 0 0 0 5", "1 1 0 0 0 0"), "taken as 5 um", True, id="soma without radius"),
        pytest.param(("1 1 0 0 0 5 -1\n", ""), "there is no soma", True, id="no soma"),
        pytest.param(("3 3 0 -25 0 1 2", "3 3 0 nan 0 1 2\n10 3 0 -25 0 1 3"), "coordinates", True, id="NaN"),
        pytest.param(("3 3 0 -25 0 1 2", "3 3 0 1e30 0 1 2\n10 3 0 -25 0 1 3"), "coordinates", True, id="1e30"),
        pytest.param((" 4 ", " 7 "), "given the type|basal", None, id="type 7"),
        pytest.param(("1 1 0", "id type x y z r parent\n1 1 0"), "not seven numbers", True, id="a header"),
        pytest.param(("9 2 35", "8 2 35"), "occurs twice", True, id="id twice"),
        pytest.param(("6 4 30 145 0 1 5", "6 1 30 145 0 1 5"), "outside the soma", True, id="soma in the tuft"),
        pytest.param(("3 3 0 -25 0 1 2", "3 3 0 -25 0 1 2\n10 3 35 20 0 1 9"),
                     "axon up to there", None, id="dendrite on axon"),
        pytest.param((" 3 ", " 4 "), "no basal dendrite", True, id="no basal type"),
    ],
)  # fmt: skip
def test_repaired_when_accepted(change: tuple[str, str], words: str, same: bool | None, tmp_path: Path) -> None:
    assert change[0] in CELL
    path = written(tmp_path, CELL.replace(*change))
    with pytest.raises(MorphologyError) as error:
        source.load(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert "--repair" in message
    assert "cable.repair=true" in message
    assert "\n" not in message
    found = source.load(path, repair=True)
    said = " ".join(found.lines())
    assert any(word in said for word in words.split("|")), said
    assert any(finding.changes for finding in found.findings)
    if same:
        check_same(found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no points"),
        ("# nothing\n", "holds no points"),
        (b"\x7fELF\x02\x01\x00\x00\x00" * 50, "is a binary file"),
        ("hello\nworld\n", "holds no points"),
        ("1 1 0 0 0 5 -1\n", "has 0 dendrites"),
        ("1 1 0 0 0 5 -1\n2 3 0 9 0 1 1\n3 3 0 19 0 1 2\n", "has 1 dendrite"),
        (CELL.replace("5 4 0 105", "5 4 0 90000"), "give coordinates in um"),
        ("1 1 0 0 0 0 -1\n2 3 0 0 0 1 1\n3 3 0 9 0 1 2\n4 4 0 0 0 1 1\n5 4 0 -99 0 1 4\n", "the soma has the radius 0"),
    ],
)  # fmt: skip
def test_refused_in_one_sentence(text: str | bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(MorphologyError) as error:
        source.load(written(tmp_path, text), repair=True)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_cell_is_the_same_however_it_is_written(tmp_path: Path) -> None:
    clean = source.load(written(tmp_path, CELL, "a.swc")).morphology
    asc = source.load(written(tmp_path, ASC, "b.asc")).morphology
    assert lengths(asc) == pytest.approx(lengths(clean) | {"soma": lengths(asc)["soma"]})
    assert morphology.regions(asc).count("tuft") == morphology.regions(clean).count("tuft") == 2
    assert sorted(asc.types[asc.types > 1]) == sorted(clean.types[clean.types > 1])
    assert asc.radius[asc.types == 4].tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("(Apical)", ""), "taken as basal"),
        (("(0 -5 0 2)", "(0 -5 0 0)"), "no possible radius"),
        (("(0 -25 0 2)", "(0 -15 1.#QNAN 2) (0 -25 0 2)"), "the point of line 18 has no possible coordinates"),
        (('("Cell Body"', '("Vessel"'), "no soma"),
    ],
)
def test_asc_files_are_repaired_alike(change: tuple[str, str], words: str, tmp_path: Path) -> None:
    text = ASC.replace(*change)
    text = text.replace("  (CellBody)\n", "") if "Vessel" in text else text
    path = written(tmp_path, text, "cell.asc")
    with pytest.raises(MorphologyError, match="--repair"):
        source.load(path)
    found = source.load(path, repair=True)
    assert words in " ".join(found.lines())
    check_same(found)


def test_an_asc_tree_far_from_the_soma_is_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, ASC.replace("(0 5 0 2)", "(0 60 0 2)"), "cell.asc")
    with pytest.raises(MorphologyError, match="has 1 dendrite and no apical one"):
        source.load(path, repair=True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no dendrites"),
        (ASC.partition("High")[0], "the file is cut off"),
        (ASC + ")", "closes nothing"),
        ("\0" * 99, "binary"),
        ('( "', "cut off"),
        ("(" * 100_000, "cut off"),
    ],
)
def test_broken_asc_has_its_sentence(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(MorphologyError, match=words):
        source.load(written(tmp_path, text, "cell.asc"), repair=True)


@pytest.mark.parametrize(("a", "b"), [(10, 10), (15, 6)])
def test_an_outline_has_the_area_of_its_solid(a: float, b: float) -> None:
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    turned = np.stack([3 + a * np.cos(angle), 4 + 0 * angle, 5 + b * np.sin(angle)], axis=1)
    centre, radius = contours.of_outline(turned)
    eccentricity = np.sqrt(1 - (b / a) ** 2)
    prolate = 2 * np.pi * b**2 * (1 + a / b * (np.arcsin(eccentricity) / eccentricity if eccentricity else 1))
    assert 4 * np.pi * radius**2 == pytest.approx(prolate, rel=0.02)
    assert centre == pytest.approx((3, 4, 5), abs=0.1)


def test_neuromorpho_soma_stays_and_others_become_spheres(tmp_path: Path) -> None:
    three = "1 1 0 0 0 5 -1\n2 1 0 -5 0 5 1\n3 1 0 5 0 5 1\n"
    rest = "4 3 0 -5 0 1 1\n5 3 0 -25 0 1 4\n6 4 0 5 0 1 1\n7 4 0 105 0 1 6\n"
    assert source.load(written(tmp_path, three + rest)).findings == ()
    star = three.replace("3 1 0 5 0 5 1", "3 1 0 5 0 4 1")
    found = source.load(written(tmp_path, star + rest))
    assert "a soma of 3 points: taken as the sphere of the same area" in found.lines()[0]
    assert (found.morphology.types == morphology.SOMA).sum() == 1


@pytest.mark.parametrize("name", catalogue.CATALOGUE)
def test_apical_dendrites_of_the_shipped_cells_are_found_by_shape(name: str, tmp_path: Path) -> None:
    rows = [line.split() for line in catalogue.find(name).read_text().splitlines() if line[0] != "#"]
    true = lengths(source.load(name).morphology)
    untyped = "\n".join(" ".join([row[0], "3" if row[1] == "4" else row[1], *row[2:]]) for row in rows)
    found = source.load(written(tmp_path, untyped))
    assert "taken as apical by its shape" in found.lines()[0]
    assert lengths(found.morphology)["apical"] == pytest.approx(true["apical"], rel=1e-3)


def test_a_neurite_off_the_soma_is_noted(tmp_path: Path) -> None:
    path = written(tmp_path, CELL.replace("4 4 0 5 0", "4 4 0 50 0"))
    found = source.load(path)
    assert found.lines() == [
        f"{path}: 1 neurite up to 45 um off the soma: connected with it as in the file, the way between not counted"
    ]
    assert str(found.swc) == path


@pytest.mark.parametrize(
    "row",
    [
        pytest.param("{k} 3 nan 0 0 1 {before}", id="no coordinates"),
        pytest.param("{k} 3 0 -25 0 1 {before}", id="one place"),
        pytest.param("{k} 3 0 {k} 0 1 -1", id="all apart"),
        pytest.param("{k} 3 {half} {odd} 0 1 {pair}", id="pairs apart"),
        pytest.param("{k} 3 0 {k} 0 1 {after}", id="the wrong way round"),
        pytest.param("{k} 1 0 {k} 0 1 {before}", id="all soma"),
    ],
)
def test_a_large_bad_file_is_no_matter_of_minutes(row: str, tmp_path: Path) -> None:
    rows = [
        row.format(k=k, before=k - 1, after=k + 1, half=k // 2, odd=k % 2, pair=k - 1 if k % 2 else -1)
        for k in range(10, 20_000)
    ]
    path = written(tmp_path, CELL + "\n".join(rows))
    before = time.process_time()
    found = outcome(path)
    assert time.process_time() - before < 20
    assert isinstance(found, source.Source) or "\n" not in str(found)


def test_a_star_has_no_dendrite_that_stands_out(tmp_path: Path) -> None:
    rows = ["1 1 0 0 0 5 -1"]
    for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        rows += [f"{len(rows) + 1} 3 {5 * x} {5 * y} 0 1 1", f"{len(rows) + 2} 3 {99 * x} {99 * y} 0 1 {len(rows) + 1}"]
    with pytest.raises(MorphologyError, match="none stands out"):
        source.load(written(tmp_path, "\n".join(rows)))


def test_ids_and_files_in_a_description() -> None:
    cells = {"a.asc": 0.25, "b.SWC": 0.25, "allen:488683425": 0.25, "neuromorpho:x.swc": 0.25}
    kept = config.load(None, cells=cells).with_absolute_paths().cells
    assert kept is not None
    assert list(kept) == [os.path.abspath("a.asc"), os.path.abspath("b.SWC"), *list(cells)[2:]]


def test_an_unwritable_cache_has_its_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SEGDEND_CACHE", str(tmp_path / "file"))
    with pytest.raises(MorphologyError, match="set SEGDEND_CACHE to a writable folder"):
        source.load(written(tmp_path, ASC, "cell.asc"))


# -------------------------------------------------------------------------------------------------------------- fuzzing

BUILD = """
import json, sys
from segdend_plugin.engine import mpi
mpi.start()
from segdend_plugin.cells.templates import pyramidal_passive
for path in json.loads(sys.argv[1]):
    cell = pyramidal_passive(path)
    assert len(list(cell.somatic)) == 1 and len(list(cell.basal)) and len(list(cell.apical))
    del cell
print("built")
"""


def mutated(text: str, dice: random.Random) -> bytes:
    """Spoil a file in one to six places."""
    lines = text.splitlines()
    for _ in range(dice.randint(1, 6)):
        lines = lines or [""]
        k = dice.randrange(len(lines))
        fields = lines[k].split()
        what = dice.randrange(9)
        if what == 0:
            del lines[k]
        elif what == 1:
            lines.insert(dice.randrange(len(lines)), lines[k])
        elif what == 2:
            other = dice.randrange(len(lines))
            lines[k], lines[other] = lines[other], lines[k]
        elif what in (3, 4, 5, 6) and fields:
            words = [
                "0",
                "-1",
                "1",
                "3",
                "7",
                "nan",
                "inf",
                "1e30",
                "-5",
                "0.5",
                "x",
                "(",
                ")",
                "|",
                "<",
                str(k),
                ";",
                "\0",
            ]
            fields[dice.randrange(len(fields))] = dice.choice(words[: 17 + (dice.random() < 0.1)])
            lines[k] = " ".join(fields)
        elif what == 7:
            lines[k] = lines[k][: dice.randrange(len(lines[k]) + 1)]
        elif dice.random() < 0.2:
            lines = lines[: k + 1]
    return "\n".join(lines).encode()


def outcome(path: str) -> source.Source | MorphologyError:
    try:
        return source.load(path, repair=True)
    except MorphologyError as error:
        return error


@pytest.mark.parametrize("kind", ["swc", "asc"])
def test_no_file_crashes(kind: str, tmp_path: Path, ranks) -> None:
    dice = random.Random(20170)
    shipped = "\n".join(
        line for line in catalogue.find("mouse_v1_l4_nr5a1").read_text().splitlines()[:900] if line[:1] != "#"
    )
    texts = [CELL, shipped] if kind == "swc" else [ASC]
    good: set[Path] = set()
    refused = 0
    for turn in range(400):
        text = mutated(texts[turn % 20 == 0 and kind == "swc"], dice)
        path = written(tmp_path, text, f"cell.{kind}")
        found = outcome(path)
        if isinstance(found, MorphologyError):
            assert "\n" not in str(found)
            assert str(found).startswith(path), found
            refused += 1
            continue
        copy = tmp_path / f"{turn}.swc"
        copy.write_bytes(found.swc.read_bytes())
        good.add(copy)
    assert 20 < refused < 380
    environment = os.environ | {"PYTHONPATH": str(Path(segdend_plugin.__file__).parents[1])}
    chosen = sorted(map(str, good))[::4]
    done = subprocess.run(
        [sys.executable, "-c", BUILD, json.dumps(chosen)], env=environment, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout.strip()) == (0, "built"), (done.returncode, done.stdout, done.stderr[-2000:])
