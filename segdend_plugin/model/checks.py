"""What a set of connections may say of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segdend_plugin.errors import ConfigError
from segdend_plugin.model.places import Landing
from segdend_plugin.types import is_number

if TYPE_CHECKING:
    from segdend_plugin.model.graph import Connections

LONGEST_DELAY = 10_000.0
"""In ms."""
ALLOWED = {
    "role": ("forward", "feedback", "fixed"),
    "form": ("dense", "sparse"),
    "signal": ("spikes", "rates"),
}


def check_set(connections: Connections) -> None:
    """Raise ConfigError if a field of a set is out of range or of another kind."""
    where, delay, place = f"set {connections.name!r}", connections.delay, connections.place
    for name, allowed in ALLOWED.items():
        value = getattr(connections, name)
        if value not in allowed:
            raise ConfigError(f"{where}: {name}={value!r}: give one of {', '.join(map(repr, allowed))}.")
    if not isinstance(connections.learned, bool):
        raise ConfigError(f"{where}: learned={connections.learned!r}: give True or False.")
    if not isinstance(place, Landing):
        raise ConfigError(f"{where}: place={place!r}: give a Landing, such as Landing({str(place)!r}).")
    if not is_number(connections.memory) or connections.memory < 0:
        raise ConfigError(f"{where}: memory={connections.memory!r}: give 0 ms or more.")
    if delay is None and connections.form == "dense":
        raise ConfigError(f"{where}: delay=None is for sparse sets, whose synapses have their own: give one in ms.")
    if delay is not None and not (is_number(delay) and 0 <= delay <= LONGEST_DELAY):
        raise ConfigError(f"{where}: delay={delay!r}: give 0 to {LONGEST_DELAY:g} ms.")
    if not _is_range(connections.bounds):
        raise ConfigError(f"{where}: bounds={connections.bounds!r}: give two numbers, the smaller first.")


def _is_range(bounds: Any) -> bool:
    try:
        low, high = bounds
        return bool(low <= high)
    except (TypeError, ValueError):
        return False
