"""The rate of a population against its drive, and weights that put it where it rises."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segdend_plugin.engine.sparse import Sparse
from segdend_plugin.errors import ConfigError
from segdend_plugin.model.graph import Population
from segdend_plugin.model.operating import OperatingPoint, rise
from segdend_plugin.model.places import SOMA
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.model.wants import Average
from segdend_plugin.operating.bench import SHOWN, Bench
from segdend_plugin.types import Array

COARSE, REACH = 4.0, 5
"""Factor between drives at which a rate is looked for, and how many of these there are in each direction at first."""
FINE = 12
"""Drives at which the rise is measured."""
LEAST_RATE = 2e-3
"""Rate (1/ms) that the largest one of a population must reach: else it cannot be driven."""
RISES = 0.2
"""Share of its rate without drive by which the rate must change: else what else drives it hides its inputs."""
SPREADS = {False: 0.25, True: 0.12}
"""Share of the rise over which patterns spread, of hidden and of taught populations."""
LIMIT = 6.0
"""Largest weight, relative to the mean."""
UNKNOWN = 1e-4
"""Weight to begin with where all that the owner gave are 0."""

Point = tuple[float, float]
"""Mean drive (sum of weights times filtered trains in 1/ms) and mean rate (1/ms)."""


def survey_rates(bench: Bench, p: Population, *, tune: bool) -> None:
    """Measure the rate of a population against its drive, and place its weights if it is to be tuned.

    Raises
    ------
    ConfigError
        If it cannot be driven.
    """
    every = bench.sets(p, "forward")
    sets = [one for one in every if not one.inhibits]
    if not sets:
        only = ", ".join(one.connections.name for one in every)
        raise ConfigError(f"population {p.name!r}: {only} can only inhibit it: mark a rule that excites it, too.")
    before = [one.weights.copy() for one in sets]
    trains = bench.trains(sets, SHOWN)
    mean = [x.mean(axis=0) for x in trains]
    equal = [np.ones_like(x) for x in mean]
    inputs = bench.per_cell(p, sets, [w * x for w, x in zip(equal if tune else before, mean, strict=True)])
    if not (inputs > 0).any():
        raise ConfigError(
            f"population {p.name!r}: no input excites it in the forward window: give stimuli that drive its inputs, "
            "longer phases, or call survey(tune=True)."
        )
    unit = float(inputs[inputs > 0].mean())
    # equal drive for all cells, however many inputs each has
    each = np.divide(unit, inputs, out=np.zeros_like(inputs), where=inputs > 0)[bench.network.local(p.name)]
    pattern = [each[one.column] for one in sets] if tune else before
    curve = _curve(bench, p, sets, [w / unit for w in pattern], _declared(bench, p, sets, before) * unit)
    for one, weights in zip(sets, before, strict=True):
        one.put(weights)
    drives, rates = (np.array(values) for values in zip(*curve, strict=True))
    low, middle, high = rise(drives, rates)
    width, top = high - low, int(rates.argmax())
    if rates[top:].min() < 0.5 * rates[top]:
        bench.remarks.append(
            f"{p.name}: it fires at most at {1000 * rates[top]:.0f} Hz; with more drive than "
            f"{drives[top] / width:.1f}, depolarisation blocks it."
        )
    inhibition = _inhibition(bench, p, [one for one in every if one.inhibits])
    names = [one.connections.name for one in sets]
    limits: dict[str, float] = {}
    typical = _declared(bench, p, sets, before)
    if tune:
        per_input = 1.0 / np.where(inputs > 0, inputs, np.inf)
        typical = max(abs(middle), 0.5 * width) * float(per_input[inputs > 0].mean())
        limits = dict.fromkeys(names, LIMIT * typical)
        _place(bench, p, sets, trains, middle * per_input, SPREADS[p.teacher] * width)
    squares, count = (bench.per_cell(p, sets, values).sum() for values in ([x**2 for x in mean], equal))
    steps = dict.fromkeys(names, typical / float(np.sqrt(squares / count)) / width)
    shift = -float(sum(drive for drive, _ in inhibition.values()))  # what is measured is drive beside inhibition
    steps |= {name: step / width for name, (_, step) in inhibition.items()}
    drives, middle = drives + shift, middle + shift
    point = OperatingPoint(drives / width, rates, middle / width, float(rates[top]), width, steps=steps, limits=limits)
    bench.keep(p, point)


def _inhibition(bench: Bench, p: Population, sets: Sequence[Sparse]) -> dict[str, tuple[float, float]]:
    """Return by inhibitory set the mean drive that it takes, and a typical weight over the rms of its trains."""
    found = {}
    for one, trains in zip(sets, bench.trains(sets, SHOWN) if sets else [], strict=True):
        mean, before = trains.mean(axis=0), one.weights.copy()
        taken = bench.per_cell(p, [one], [before * mean]).mean()
        squares, count = (bench.per_cell(p, [one], [values]).sum() for values in (mean**2, np.ones_like(mean)))
        typical = _declared(bench, p, [one], [before])
        found[one.connections.name] = float(taken), typical / float(np.sqrt(squares / count)) if squares > 0 else 0.0
    return found


def _declared(bench: Bench, p: Population, sets: Sequence[Sparse], before: Sequence[Array]) -> float:
    """Return the mean size of the weights that the owner gave, or a small one."""
    sums, count = (
        bench.per_cell(p, sets, values).sum()
        for values in ([np.abs(w) for w in before], [np.ones_like(w) for w in before])
    )
    return float(sums / count) if sums > 0 else UNKNOWN


def _curve(
    bench: Bench, p: Population, sets: Sequence[Sparse], per_drive: Sequence[Array], start: float
) -> list[Point]:
    """Return drives and rates, ascending, from no drive to beyond the largest rate.

    Parameters
    ----------
    bench, p, sets
        What is measured.
    per_drive
        Weights of the synapses of this rank for a drive of 1.
    start
        The drive to begin with; what is right may be a thousand times less or more.
    """
    want = Average(p.name, "rate", SOMA, "forward", whole=True)

    def measured(drive: float, n: int) -> Point:
        for one, weights in zip(sets, per_drive, strict=True):
            one.put(drive * weights)
        return drive, float(np.mean([bench.show(stimulus, [want])[want].mean() for stimulus in bench.some(n)]))

    base = measured(0.0, SHOWN)
    found = [measured(start * COARSE**k, 2) for k in range(-REACH, REACH + 1)]
    for _ in range(2 * REACH):
        gain = max(LEAST_RATE, max(rate for _, rate in found) - base[1])
        if found[0][1] > base[1] + 0.1 * gain:
            found.insert(0, measured(found[0][0] / COARSE, 2))
        elif gain == LEAST_RATE or found[-1][1] >= 1.05 * found[-2][1]:
            found.append(measured(found[-1][0] * COARSE, 2))
        else:
            break
    below: list[Point] = []
    if base[1] > LEAST_RATE and all(one.connections.bounds[0] < 0.0 for one in sets):
        for k in range(-REACH, 2 * REACH):  # inhibition, until it is silent
            below.insert(0, measured(-start * COARSE**k, 2))
            if below[0][1] < 0.05 * base[1]:
                break
    coarse = [*below, base, *found]
    least, best = min(rate for _, rate in [*below, base]), max(rate for _, rate in coarse)
    if best - least < max(LEAST_RATE, RISES * base[1]):
        names, remedy = ", ".join(one.connections.name for one in sets), "change its channels, synapses or inputs"
        if base[1] > LEAST_RATE:
            remedy = "weaken what else drives it, or let a pair of synMechs make weights signed"
        raise ConfigError(
            f"population {p.name!r}: weights of {names} bring it to {1000 * best:.1f} Hz at most, from "
            f"{1000 * base[1]:.1f} Hz without: {remedy}."
        )
    top = next(k for k, (_, rate) in enumerate(coarse) if rate == best)
    silent = [k for k in range(top) if coarse[k][1] <= least + 0.1 * (best - least)]
    first, last = coarse[silent[-1] if silent else 0][0], coarse[min(top + 1, len(coarse) - 1)][0]
    return [measured(drive, SHOWN // 2) for drive in _between(first, last)]


def _between(first: float, last: float) -> list[float]:
    """Return ascending drives, densest where drives are small."""
    if first > 0.0:
        return [0.0, *np.geomspace(first, last, FINE).tolist()]
    if first == 0.0:
        return [0.0, *np.geomspace(last / COARSE**3, last, FINE).tolist()]
    if last <= 0.0:
        return [*(-np.geomspace(-first, -last if last < 0.0 else -first / COARSE**3, FINE)).tolist(), 0.0]
    half = FINE // 2 + 1
    down, up = np.geomspace(-first / COARSE**2, -first, half), np.geomspace(last / COARSE**2, last, half)
    return [*(-down[::-1]).tolist(), 0.0, *up.tolist()]


def _place(
    bench: Bench, p: Population, sets: Sequence[Sparse], trains: Sequence[Array], weights: Array, spread: float
) -> None:
    """Give every cell its mean weight, and a random part that leaves its mean drive alone.

    Parameters
    ----------
    bench, p, sets
        What is placed.
    trains
        Of every synapse in some trials.
    weights
        Mean weight of every cell of the population.
    spread
        Standard deviation of a cell's drive between patterns.
    """
    local, mean = bench.network.local(p.name), [x.mean(axis=0) for x in trains]
    drawn = [_normal(bench, p, one) for one in sets]
    inputs = bench.per_cell(p, sets, mean)
    offset = bench.per_cell(p, sets, [z * x for z, x in zip(drawn, mean, strict=True)])
    offset = offset / np.where(inputs > 0, inputs, 1.0)
    drawn = [z - offset[local][one.column] for one, z in zip(sets, drawn, strict=True)]
    trials = range(len(trains[0]))
    drives = [bench.per_cell(p, sets, [z * x[k] for z, x in zip(drawn, trains, strict=True)]) for k in trials]
    typical = float(np.array(drives).std(axis=0).mean())
    for one, z in zip(sets, drawn, strict=True):
        part = spread / typical * z if typical > 0 else 0.0
        one.put(np.clip(weights[local][one.column] + part, *one.connections.bounds))


def _normal(bench: Bench, p: Population, one: Sparse) -> Array:
    """Return a normal number for each synapse of this rank, from the streams of its postsynaptic cells."""
    order, drawn = bench.graph.order_of(one.connections), np.zeros(len(one.weights))
    for column, position in enumerate(bench.network.local(p.name).tolist()):
        mine = np.flatnonzero(one.column == column)
        draw = stream(bench.graph.seed, Purpose.FEEDFORWARD, p.first + position, *((order,) if order else ()))
        drawn[mine] = draw.normal(size=len(mine))
    return drawn
