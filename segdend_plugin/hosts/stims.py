"""Stimuli of a NetPyNE model, of stimSourceParams and stimTargetParams: teachers, what the task drives, and noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from segdend_plugin.engine.kinds.generator import Generator
from segdend_plugin.engine.kinds.stimuli import SpikeTeacher, Stimulus, Teacher, made_for
from segdend_plugin.engine.mpi import Ranks
from segdend_plugin.errors import ConfigError
from segdend_plugin.hosts.given import raise_first
from segdend_plugin.types import HocObject, is_number

DEFAULT_RATE = 200.0
"""Rate (Hz) at level 1 of input cells whose population declares none."""
BETWEEN = -40.0
"""Reversal potential (mV) below which a synapse inhibits."""

Cells = Sequence[tuple[int, Any]]
"""Gids and NetPyNE's cells."""


def local(sim: Any) -> Iterator[tuple[int, Any]]:
    """Return the cells of this rank in the order of gids."""
    return ((int(cell.gid), cell) for cell in sorted(sim.net.cells, key=lambda cell: cell.gid))


def cells_of(sim: Any, population: str) -> Cells:
    """Return those of one population."""
    return [(gid, cell) for gid, cell in local(sim) if cell.tags["pop"] == population]


def reversal(netcon: HocObject) -> float | None:
    """Return the reversal potential (mV) of the synapse that a NetCon reaches, if it has one."""
    e: Any = getattr(netcon.syn(), "e", None)
    return float(e) if is_number(e) else None


def declared_rate(where: str, said: Mapping[str, Any]) -> float:
    """Return the rate (Hz) at which what the task drives fires at level 1: that which its owner gave it."""
    rate = said.get("rate", 1000.0 / said["interval"] if is_number(said.get("interval")) else DEFAULT_RATE)
    if isinstance(rate, (list, tuple)) and rate and all(map(is_number, rate)):
        rate = max(rate)  # NetPyNE draws one between two of these
    if not is_number(rate) or rate <= 0:
        raise ConfigError(f"{where}: rate={rate!r}: give the rate (Hz) at level 1, which the task scales.")
    return float(rate)


def driver(sim: Any, label: str) -> Generator:
    """Return what the task drives an input population by: a source of stimSourceParams."""
    source = sim.net.params.stimSourceParams.get(label)
    if source is None or source.get("type") != "NetStim":
        kind = "there is no such source" if source is None else f"it is a {source.get('type')}"
        raise ConfigError(f"inputs: {label!r} is no NetStim of stimSourceParams, {kind}: name one.")
    return Generator(declared_rate(f"stimSourceParams[{label!r}]", source))


def drives_of(ranks: Ranks, name: str, cells: Cells, label: str) -> Mapping[int, HocObject]:
    """Return by gid the NetStim of a label that each cell of a population has; every rank must call this."""
    found = {gid: [stim["hObj"] for stim in cell.stims if stim.get("source") == label] for gid, cell in cells}
    said = [
        f"inputs[{name!r}]={label!r}: cell {gid} has {len(own)} of this source: let stimTargetParams put one on every "
        "cell of the population."
        for gid, own in found.items()
        if len(own) != 1
    ]
    raise_first(ranks, said)
    return {gid: own[0] for gid, own in found.items()}


def teachers_of(ranks: Ranks, name: str, cells: Cells, labels: Sequence[str]) -> Mapping[int, Sequence[Stimulus]]:
    """Return by gid the stimuli of cells that have these labels, or teachers of the plugin's; every rank calls this."""
    if not labels:
        return {gid: made_for(_target(cell)) for gid, cell in cells}
    found = {gid: [one for label in labels for one in _stimuli(cell, label)] for gid, cell in cells}
    said = [
        f"teachers[{name!r}]={list(labels)}: cell {gid} has none of these stimuli: let stimTargetParams put one on "
        "every cell of the population."
        for gid, own in found.items()
        if not own
    ]
    kinds = {str(kind) for own in found.values() for kind in own if isinstance(kind, str)}
    said += [f"teachers: {kind}: take a NetStim or an IClamp." for kind in sorted(kinds)]
    raise_first(ranks, said)
    return {gid: [one for one in own if not isinstance(one, str)] for gid, own in found.items()}


def _target(cell: Any) -> HocObject:
    """Return the segment, or the artificial cell, that a teacher of ours acts on."""
    if not isinstance(cell.secs, dict) or not cell.secs:
        return cell.hPointp
    soma = cell.secs["soma"] if "soma" in cell.secs else next(sec for sec in cell.secs.values() if not sec["topol"])
    return soma["hObj"](0.5)


def _stimuli(cell: Any, label: str) -> list[Stimulus | str]:
    """Return the stimuli of a cell that come from one source of stimTargetParams, or what one is instead."""
    found: list[Stimulus | str] = []
    netcons = [conn["hObj"] for conn in cell.conns if conn.get("preLabel") == label and conn.get("hObj") is not None]
    stims = [stim for stim in cell.stims if label in (stim.get("source"), stim.get("label"))]
    for stim in stims:
        if stim["type"] == "IClamp":
            found.append(Teacher(stim["hObj"], float(stim["hObj"].amp)))
        elif stim["type"] == "NetStim":
            mine = [netcon for netcon in netcons if netcon.pre() is not None and netcon.pre().same(stim["hObj"])]
            inhibits = (reversal(mine[0]) or 0.0) < BETWEEN
            found.append(SpikeTeacher(stim["hObj"], mine[0], 1000.0 / stim["hObj"].interval, silences=inhibits))
        else:
            found.append(f"{label!r} is a {stim['type']}")
    return found


def background(ranks: Ranks, sim: Any, driving: Mapping[str, str]) -> dict[int, HocObject]:
    """Return the NetStims that nobody drives, each with a number that does not depend on ranks."""
    stims = {
        gid: [
            (stim["hObj"], stim.get("source") == driving.get(cell.tags["pop"], None))
            for stim in cell.stims
            if stim.get("type") == "NetStim"
        ]
        for gid, cell in local(sim)
    }
    most = max(ranks.allgather(max(map(len, stims.values()), default=0)))
    return {gid * most + k: stim for gid, own in stims.items() for k, (stim, driven) in enumerate(own) if not driven}
