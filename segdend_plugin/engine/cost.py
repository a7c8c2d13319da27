"""What a graph costs, known before anything is built: memory and time on each rank, and how far more ranks help.

**The scaling model** (constants measured by ``make bench``, the interconnect assumed; docs/performance.md). Every rank
integrates its cells, draws the trains of all inputs (no input spike travels) and adds their weights. How many spikes
left each cell is gathered by every rank of a network from every other in every step. The rank that all others wait for
is one with output cells, which looks at every hidden cell. With N hidden cells, I inputs, O output cells, T ms per
image, s = T/dt steps, S_i, S_h, S_o spikes of inputs, hidden and output cells per image, R replicas on P ranks, p =
P/R, B images in a batch and n = ceil(N/p), o = ceil(O/p) cells on that rank, an image takes::

    shown       of what follows, ceil(B/R)/B but for the rule: the images of a batch are shared
    cells       s (n c_step + o c_output)
    projection  S_i (c_draw + n c_weight) + S_h o c_weight + S_o n c_weight
    rule        (I n + N o) c_learn, of every image in every replica
    start       c_fixed + n c_start
    receiving   s (N + O)(1 - 1/p) c_counter
    exchange    s (ceil(log2 p) L + b (N + O)(1 - 1/p)/W)
    parcels     c_parcel + ceil(log2 R) L/B + (1 - 1/R) 8 (I + N + V (n + o))/W, with replicas

L is the latency of a message, W the bandwidth into a rank, b the bytes of a counter, V what is told of a cell.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import ceil, log2

import numpy as np

from segdend_plugin.model.graph import Graph
from segdend_plugin.types import Integers

BYTES_PER_WEIGHT = 8
RATE = 0.05
"""Spikes per ms of a presynaptic cell, a quarter of the largest rate."""
ADDED, CHANGED = 0.15, 0.24
"""Nanoseconds for each weight that a spike adds, and for each that an example changes."""
TRIAL = 0.5
"""Milliseconds for each trial, whatever is in it."""
VALUES = 6.0
"""Numbers that replicas tell each other of a cell: averages, and what its bias changes."""


@dataclass(frozen=True)
class RankCost:
    """What one rank has to do.

    Attributes
    ----------
    cells
        How many are on it, inputs included.
    bytes
        Memory of cells and weights, beyond that of Python, NEURON and NetPyNE.
    milliseconds
        For a training example, if no rank waits for another.
    """

    cells: int
    bytes: int
    milliseconds: float


def estimate(graph: Graph, steps: int, ranks: int, replicas: int = 1, batch: int = 1) -> list[RankCost]:
    """Return what each rank of a network has to do, to within a factor of about two.

    Parameters
    ----------
    graph
        The network, whose cells NetPyNE deals to ranks in turn.
    steps
        Of a training example.
    ranks
        How many there are.
    replicas
        Groups of ranks that hold the network each; the ranks of the first are returned.
    batch
        Images that meet the same weights.
    """
    group, net = ranks // replicas, Interconnect()
    on = {p.name: _dealt(p.first, p.size, group) for p in graph.populations}
    cells = np.sum(list(on.values()), axis=0)
    memory, shown, changed = np.zeros(group), np.full(group, 1e6 * TRIAL), np.zeros(group)
    for p in graph.populations:
        one = p.kind.cost(graph.dt)
        memory += one.bytes * on[p.name]
        shown += steps * one.ns_per_step * on[p.name]
    for c in graph.connections:
        if c.form == "dense":
            weights = graph.n_pre(c) * on[c.post]
            memory += BYTES_PER_WEIGHT * weights
            shown += RATE * steps * graph.dt * ADDED * weights
            changed += c.learned * CHANGED * weights
    if group > 1:
        spiking = sum(p.size for p in graph.populations if graph.onto(p.name))
        waited = ceil(log2(group)) * net.latency + net.counter_bytes * spiking / net.bandwidth
        shown += 1e9 * steps * waited
    time = shown * ceil(batch / replicas) / batch + changed
    if replicas > 1:
        time += 1e9 * Costs.parcel
    return [RankCost(int(n), int(size), float(one) / 1e6) for n, size, one in zip(cells, memory, time, strict=True)]


def _dealt(first: int, size: int, ranks: int) -> Integers:
    """Return how many cells of a population each rank has, shape (ranks,)."""
    dealt: Integers = np.bincount(np.arange(first, first + size) % ranks, minlength=ranks)
    return dealt


@dataclass(frozen=True)
class Costs:
    """Constants in seconds.

    Attributes
    ----------
    step, output_step
        Of a hidden cell and of an output cell, per time step.
    draw, weight, learn
        Per input spike, per weight that a spike adds, and per weight that the rule changes.
    start, fixed
        Per image: for each hidden cell, and once.
    counter
        Of looking at one cell of another rank, per time step.
    parcel
        Of packing and unpacking what a replica tells others of an example.
    """

    step: float
    output_step: float
    draw: float
    weight: float
    learn: float
    start: float
    fixed: float
    counter: float = 1e-9
    parcel: float = 70e-6


@dataclass(frozen=True)
class Job:
    """A network and how an image is shown to it; spikes are counted per image.

    Attributes
    ----------
    hidden, inputs, outputs
        Cells.
    input_spikes, spikes_per_hidden, spikes_per_output
        Of all inputs together, and of one cell.
    duration, dt
        In ms.
    steps_per_exchange
        Steps whose counters travel together; no delay may be shorter.
    batch
        Images that meet the same weights.
    """

    hidden: int
    inputs: int = 784
    outputs: int = 10
    input_spikes: float = 2000.0
    spikes_per_hidden: float = 10.0
    spikes_per_output: float = 10.0
    duration: float = 104.0
    dt: float = 1.0
    steps_per_exchange: int = 1
    batch: int = 1


@dataclass(frozen=True)
class Interconnect:
    """The assumed network.

    Attributes
    ----------
    latency
        Of a message (s), at each of log2(P) stages.
    bandwidth
        Into one rank (bytes/s).
    counter_bytes
        Size of a counter of spikes.
    """

    latency: float = 1.5e-6
    bandwidth: float = 1e9
    counter_bytes: float = 1.0


@dataclass(frozen=True)
class Parts:
    """Seconds per image of the rank that is waited for."""

    cells: float
    projection: float
    rule: float
    start: float
    receiving: float
    exchange: float
    parcels: float = 0.0

    @property
    def total(self) -> float:
        """Return the time of an image (s)."""
        return float(sum(getattr(self, field.name) for field in fields(self)))


def predict(
    job: Job, costs: Costs, ranks: int, interconnect: Interconnect = Interconnect(), replicas: int = 1
) -> Parts:
    """Return the time of one training image on `ranks` ranks, in so many replicas of the network, by its parts."""
    group = ranks // replicas
    hidden, outputs = ceil(job.hidden / group), ceil(job.outputs / group)
    steps = job.duration / job.dt
    from_hidden, from_output = job.hidden * job.spikes_per_hidden, job.outputs * job.spikes_per_output
    elsewhere = (job.hidden + job.outputs) * (1.0 - 1.0 / group)
    net = interconnect
    stages = ceil(log2(group)) * net.latency / job.steps_per_exchange
    weights = job.input_spikes * hidden + from_hidden * outputs + from_output * hidden
    shown = ceil(job.batch / replicas) / job.batch  # of the images, by the replica that is waited for
    parcels = 0.0
    if replicas > 1:
        content = 8.0 * (job.inputs + job.hidden + VALUES * (hidden + outputs))
        parcels = ceil(log2(replicas)) * net.latency / job.batch + (1.0 - 1.0 / replicas) * content / net.bandwidth
        parcels += costs.parcel
    return Parts(
        cells=shown * steps * (hidden * costs.step + outputs * costs.output_step),
        projection=shown * (job.input_spikes * costs.draw + weights * costs.weight),
        rule=(job.inputs * hidden + job.hidden * outputs) * costs.learn,
        start=shown * (costs.fixed + hidden * costs.start),
        receiving=shown * steps * elsewhere * costs.counter,
        exchange=shown * steps * (stages + net.counter_bytes * elsewhere / net.bandwidth),
        parcels=parcels,
    )


def fastest(job: Job, costs: Costs, interconnect: Interconnect = Interconnect(), most: int = 2**20) -> int:
    """Return the power of two at which an image takes least time."""
    powers = [1 << k for k in range(int(log2(most)) + 1)]
    return min(powers, key=lambda ranks: predict(job, costs, ranks, interconnect).total)


def efficient(
    job: Job,
    costs: Costs,
    interconnect: Interconnect = Interconnect(),
    least: float = 0.5,
    most: int = 2**20,
) -> int:
    """Return the greatest power of two up to which every one keeps a parallel efficiency of `least`."""
    alone = predict(job, costs, 1, interconnect).total
    ranks = 1
    while 2 * ranks <= most and alone / (2 * ranks * predict(job, costs, 2 * ranks, interconnect).total) >= least:
        ranks *= 2
    return ranks
