"""The mutants of `make mutants` still apply; running them takes minutes and has its own command."""

import ast
import importlib.util
import re
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
RUNNER = PROJECT / "tests" / "mutants" / "run.py"


def load_runner():
    spec = importlib.util.spec_from_file_location("segdend_mutants", RUNNER)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


runner = load_runner()


@pytest.mark.parametrize("mutant", runner.mutants(), ids=lambda mutant: mutant.name)
def test_it_applies_and_its_test_exists(mutant):
    text = (PROJECT / mutant.file).read_text(encoding="utf-8")
    assert text.count(mutant.old) == 1
    assert mutant.new != mutant.old
    path, name = mutant.test.split("::")
    functions = [
        node.name
        for node in ast.parse((PROJECT / path).read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    ]
    assert re.sub(r"\[.*", "", name) in functions


def test_enough_mutants_with_names_of_their_own():
    names = [mutant.name for mutant in runner.mutants()]
    assert len(names) == len(set(names)) >= 20


def test_a_mutant_is_applied_for_a_while(tmp_path):
    (tmp_path / "rule.py").write_text("a = 1\nb = 2\n")
    mutant = runner.Mutant("wrong sum", "rule.py", "b = 2", "b = 3", "")
    with mutant.applied(tmp_path):
        assert (tmp_path / "rule.py").read_text() == "a = 1\nb = 3\n"
    assert (tmp_path / "rule.py").read_text() == "a = 1\nb = 2\n"
    (tmp_path / "rule.py").write_text("b = 2\nb = 2\n")
    with pytest.raises(SystemExit, match="occurs 2 times"), mutant.applied(tmp_path):
        pass
