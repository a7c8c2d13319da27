"""How long a training image takes on many ranks: a model with measured constants and an assumed interconnect.

Every rank integrates its cells, draws the trains of all inputs (no input spike travels) and adds their weights. How
many spikes left each cell is gathered by every rank from every other in every step. The rank that all others wait for
is one with output cells, which looks at every hidden cell. With N hidden cells, I inputs, O output cells, T ms per
image, s = T/dt steps, x exchanges (as many, if `steps_per_exchange` is 1), S_i, S_h, S_o spikes of inputs, hidden and
output cells per image and n = ceil(N/P), o = ceil(O/P) cells on that rank of P::

    cells       s (n c_step + o c_output)
    projection  S_i (c_draw + n c_weight) + S_h o c_weight + S_o n c_weight
    rule        (I n + N o) c_learn
    start       c_fixed + n c_start
    receiving   s (N + O)(1 - 1/P) c_counter
    exchange    x ceil(log2 P) L + s b (N + O)(1 - 1/P)/B

L is the latency of a message, B the bandwidth into a rank, b the bytes of a counter.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import ceil, log2


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
    """

    step: float
    output_step: float
    draw: float
    weight: float
    learn: float
    start: float
    fixed: float
    counter: float = 1e-9


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

    @property
    def total(self) -> float:
        """Return the time of an image (s)."""
        return sum(getattr(self, field.name) for field in fields(self))


def predict(job: Job, costs: Costs, ranks: int, interconnect: Interconnect = Interconnect()) -> Parts:
    """Return the time of one training image on `ranks` ranks, by its parts."""
    hidden, outputs = ceil(job.hidden / ranks), ceil(job.outputs / ranks)
    steps = job.duration / job.dt
    from_hidden, from_output = job.hidden * job.spikes_per_hidden, job.outputs * job.spikes_per_output
    elsewhere = (job.hidden + job.outputs) * (1.0 - 1.0 / ranks)
    net = interconnect
    stages = ceil(log2(ranks)) * net.latency / job.steps_per_exchange
    weights = job.input_spikes * hidden + from_hidden * outputs + from_output * hidden
    return Parts(
        cells=steps * (hidden * costs.step + outputs * costs.output_step),
        projection=job.input_spikes * costs.draw + weights * costs.weight,
        rule=(job.inputs * hidden + job.hidden * outputs) * costs.learn,
        start=costs.fixed + hidden * costs.start,
        receiving=steps * elsewhere * costs.counter,
        exchange=steps * (stages + net.counter_bytes * elsewhere / net.bandwidth),
    )


def fastest(job: Job, costs: Costs, interconnect: Interconnect = Interconnect(), most: int = 2**20) -> int:
    """Return the power of two at which an image takes least time."""
    powers = [2**k for k in range(int(log2(most)) + 1)]
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
