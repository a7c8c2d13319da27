"""The documentation names what there is."""

from pathlib import Path

from pydantic import BaseModel

from segdend_plugin.campaign.sweep import Sweep
from segdend_plugin.experiment.config import Experiment
from segdend_plugin.experiment.parts import InhibitionPart

ROOT = Path(__file__).resolve().parents[2]


def keys(model, prefix=""):
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from keys(kind, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def test_every_key_of_the_configuration_is_documented():
    text = (ROOT / "docs" / "configuration.md").read_text()
    parts = (Experiment, InhibitionPart)
    missing = [key for part in parts for key in keys(part) if f"| `{key}` |" not in text]
    assert not missing


def test_every_key_of_a_sweep_is_documented():
    text = (ROOT / "docs" / "configuration.md").read_text()
    missing = [key for key in keys(Sweep) if f"`{key}`" not in text]
    assert not missing


def test_every_module_is_in_the_map_of_the_code():
    text = (ROOT / "docs" / "architecture.md").read_text()
    modules = [path.name for path in (ROOT / "segdend_plugin").glob("*/**/*.py") if path.name != "__init__.py"]
    assert modules
    assert not [name for name in modules if name not in text]
