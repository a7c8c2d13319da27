"""What teachers make of taught cells, and how far feedback then moves tufts: the least of each that does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from segdend_plugin.engine.kinds.stimuli import SpikeTeacher
from segdend_plugin.engine.sparse import Sparse
from segdend_plugin.model.graph import Population
from segdend_plugin.model.places import SOMA
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.model.wants import Average
from segdend_plugin.operating.bench import SHOWN, Bench
from segdend_plugin.operating.rates import LIMIT
from segdend_plugin.rule.measured import tuft
from segdend_plugin.types import Array, Integers

DOUBLINGS = 12
"""How often a teacher or feedback becomes twice as strong."""
FIRST = 0.5
"""Of a typical weight of the population's inputs, at which the search begins."""
SEEN = 1.0
"""By how many standard deviations of a trial the least feedback moves a tuft; more changes what hidden cells fire."""
OBEYED = 0.9, 0.1
"""Share of its own rate to which a teacher is to drive cells, and of that rate which it is to leave at level 0."""


def survey_teacher(bench: Bench, p: Population, *, tune: bool) -> None:
    """Measure what a teacher makes of its population, and take the least strength that is obeyed."""
    if tune:
        _strengthen(bench, p, silences=False)
        _strengthen(bench, p, silences=True)
    bench.keep(p, replace(bench.points[p.name], taught=_taught_rate(bench, p, 1.0)))


def _strengthen(bench: Bench, p: Population, *, silences: bool) -> None:
    mine = [one for one in bench.cells(p).teachers if isinstance(one, SpikeTeacher) and one.silences == silences]
    everywhere = [rate for part in bench.network.ranks.allgather([one.rate for one in mine]) for rate in part]
    if not everywhere:
        return
    rate, strength = max(everywhere), FIRST * _typical(bench, p)
    asked = OBEYED[1] * _taught_rate(bench, p, 1.0) if silences else OBEYED[0] * rate * 1e-3
    tried = []
    for _ in range(DOUBLINGS):
        _let(mine, strength)
        reached = _taught_rate(bench, p, 0.0 if silences else 1.0)
        tried.append((reached if silences else -reached, strength))
        if reached <= asked if silences else reached >= asked:
            return
        strength *= 2
    best, strength = min(tried)
    _let(mine, strength)
    bench.remarks.append(
        f"{p.name}: a teacher that says {0 if silences else 1} brings it to {1000 * abs(best):.0f} Hz at best, where "
        f"{1000 * asked:.0f} Hz are asked."
    )


def _let(teachers: list[SpikeTeacher], strength: float) -> None:
    for one in teachers:
        one.netcon.weight[0] = -strength if one.netcon.weight[0] < 0 else strength


def _taught_rate(bench: Bench, p: Population, level: float) -> float:
    """Return the mean rate (1/ms) under a teacher that says one level to all cells."""
    want, target = Average(p.name, "rate", SOMA, "target", whole=True), np.full(_n_taught(bench), level)
    return float(np.mean([bench.show(stimulus, [want], target)[want].mean() for stimulus in bench.some(2)]))


def _n_taught(bench: Bench) -> int:
    return sum(p.size for p in bench.graph.taught)


def survey_feedback(bench: Bench, p: Population, *, tune: bool) -> None:
    """Measure how far the teacher moves tufts through feedback, and take the least feedback that is seen.

    Each cell hears one group of taught cells, such as those of a class: that is seen with the least feedback. Where
    weights stay as they are, what moves a tuft is the difference that each group makes.
    """
    if tune:
        hears: Integers = stream(bench.graph.seed, Purpose.FEEDBACK, p.first).permutation(p.size) % bench.n_groups
        unit, noise = _place(bench, p, hears)
    else:
        unit, noise = _moved(bench, p, None)
    bench.keep(p, replace(bench.points[p.name], unit=max(unit, 0.0), noise=noise))


def _place(bench: Bench, p: Population, hears: Integers) -> tuple[float, float]:
    """Place feedback, and return how far (mV) it moves tufts, and the noise of a trial."""
    sets = bench.sets(p, "feedback")
    strength, unit, noise = FIRST * _typical(bench, p), 0.0, 0.0
    for _ in range(DOUBLINGS):
        for one in sets:
            one.put(np.clip(strength * _heard(bench, p, one, hears), *one.connections.bounds))
        unit, noise = _moved(bench, p, hears)
        if unit > SEEN * noise:
            return unit, noise
        strength *= 2
    bench.remarks.append(f"{p.name}: no feedback moves tufts by twice the noise of a trial ({noise:.2f} mV).")
    return unit, noise


def _typical(bench: Bench, p: Population) -> float:
    """Return the size of the weights that were placed onto a population."""
    return max(bench.points[p.name].limits.values()) / LIMIT


def _heard(bench: Bench, p: Population, one: Sparse, hears: Integers) -> Array:
    """Return relative weights of the synapses of this rank: those from the group that a cell hears share 1."""
    nobody = [np.full(bench.graph[name].size, -1) for name in one.connections.pre]
    groups = [bench.groups.get(name, none) for name, none in zip(one.connections.pre, nobody, strict=True)]
    source, weights = np.concatenate(groups)[one.pre], np.zeros(len(one.weights))
    for column, position in enumerate(bench.network.local(p.name).tolist()):
        mine = one.column == column
        for shift in range(bench.n_groups):  # the next group, if none of its own reaches the cell
            chosen = mine & (source == (hears[position] + shift) % bench.n_groups)
            if chosen.any():
                weights[chosen] = 1.0 / chosen.sum()
                break
    return weights


def _moved(bench: Bench, p: Population, hears: Integers | None) -> tuple[float, float]:
    """Return how far (mV) tufts move when their group is taught, or any group if none is named, and a trial's noise.

    Each stimulus is shown with each group, so that what stimuli do to tufts is told from what the teacher does.
    """
    want, mv = tuft(bench.graph, p.name, "target"), float(p.kind.scale.unit)  # type: ignore[attr-defined]
    of_cells = np.concatenate([bench.groups[q.name] for q in bench.graph.taught])
    targets = [(of_cells == group).astype(float) for group in range(bench.n_groups)]
    if len(targets) == 1:
        targets.append(np.zeros(len(of_cells)))
    n = len(targets)
    shown = bench.some(max(2, -(-2 * SHOWN // n)))
    read = mv * np.array([[bench.show(stimulus, [want], target)[want] for target in targets] for stimulus in shown])
    by_group, by_stimulus = read.mean(axis=0), read.mean(axis=1)  # (groups, cells), (stimuli, cells)
    left = read - by_group[None] - by_stimulus[:, None] + by_group.mean(axis=0)
    degrees = (len(read) - 1) * (n - 1) * p.size
    noise = float(np.sqrt((left**2).sum() / degrees))
    if hears is None:
        variance = float(by_group.var(axis=0, ddof=1).mean()) - noise**2 / len(read)
        return float(np.sqrt(max(variance, 0.0))), noise
    own = by_group[hears, np.arange(p.size)]
    others = (by_group.sum(axis=0) - own) / (n - 1)
    return float((own - others).mean()), noise
