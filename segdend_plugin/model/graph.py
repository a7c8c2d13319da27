"""What is connected with what: plain data, the same on every rank, that prints, compares and pickles."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol, get_args, runtime_checkable

from segdend_plugin.errors import ConfigError
from segdend_plugin.model import streams
from segdend_plugin.model.checks import check_set
from segdend_plugin.model.places import FEEDBACK, FORWARD, Landing
from segdend_plugin.model.wants import Quantity
from segdend_plugin.types import is_number

Role = Literal["forward", "feedback", "fixed"]
Form = Literal["dense", "sparse"]
Signal = Literal["spikes", "rates"]
Drawn = Literal["forward", "feedback", "excitation", "inhibition", "given"]


@dataclass(frozen=True)
class Cost:
    """Of one cell, known without NEURON: nanoseconds per time step, and bytes."""

    ns_per_step: float
    bytes: int


@runtime_checkable
class Kind(Protocol):
    """What cell a population is made of: a description that pickles, without NEURON objects."""

    @property
    def label(self) -> str:
        """What messages, tables and cell rules call it."""
        ...

    @property
    def offers(self) -> frozenset[tuple[Quantity, str]]:
        """What can be read: quantity and region."""
        ...

    @property
    def accepts(self) -> frozenset[str]:
        """What may land on it: ``"currents"``, ``"conductances"``, ``"netcons"``."""
        ...

    @property
    def filters(self) -> tuple[float, ...]:
        """Time constants (ms) in a row from a spike to what it moves: of its potential (decay, rise), of the cell."""
        ...

    def cost(self, dt: float) -> Cost:
        """Return what one cell costs at a time step of `dt` ms."""
        ...


LANDS_AS: Mapping[Form, frozenset[str]] = {
    "dense": frozenset({"currents", "conductances"}),
    "sparse": frozenset({"netcons"}),
}
"""As what a set of each form lands on cells; a kind accepts one of them."""


@dataclass(frozen=True)
class Initial:
    """How the first weights of a set are drawn, each column from a stream of its postsynaptic cell.

    Attributes
    ----------
    drawn
        ``"forward"`` and ``"feedback"``: as in the paper; ``"excitation"`` and ``"inhibition"``: positive or negative,
        of the same sum onto each cell; ``"given"``: as the host or the user has set them.
    spread
        ``"paper"``, or ``"released_code"`` with all standard deviations doubled.
    total
        Sum of the weights onto a cell, of excitation and inhibition (units times ms).
    fraction, scale
        Fraction of the weights that is kept, the others being no synapses, and a factor for those.
    noise
        Standard deviation of normal noise on every weight, drawn once.
    constant
        Steady drive that comes with the set, of populations without a learned bias (units).
    """

    drawn: Drawn = "forward"
    spread: Literal["paper", "released_code"] = "paper"
    total: float = 0.0
    fraction: float = 1.0
    scale: float = 1.0
    noise: float = 0.0
    constant: float = 0.0

    def __post_init__(self) -> None:
        if not is_number(self.fraction) or not 0 < self.fraction <= 1:
            raise ConfigError(f"fraction={self.fraction!r}: give more than 0 and at most 1.")
        for name in ("total", "scale", "noise", "constant"):
            if not is_number(getattr(self, name)):
                raise ConfigError(f"{name}={getattr(self, name)!r}: give a number.")
        for name, allowed in (("drawn", get_args(Drawn)), ("spread", ("paper", "released_code"))):
            if getattr(self, name) not in allowed:
                raise ConfigError(f"{name}={getattr(self, name)!r}: give one of {', '.join(map(repr, allowed))}.")
        if self.noise < 0:
            raise ConfigError(f"noise={self.noise!r}: give 0 or more.")


@dataclass(frozen=True)
class Population:
    """Cells of one kind.

    Attributes
    ----------
    name, size
        Name, and number of cells on all ranks.
    kind
        What they are made of.
    first
        Number of its first cell in the graph: the key of every random stream, never a gid of NEURON.
    teacher
        Whether the task may give it a target.
    bias
        Whether each cell has a learned constant drive of its own, whatever sets land on it.
    """

    name: str
    size: int
    kind: Kind
    first: int
    teacher: bool = False
    bias: bool = True

    def __post_init__(self) -> None:
        for name, least in (("size", 1), ("first", 0)):
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise ConfigError(f"population {self.name!r}: {name}={value!r}: give a whole number, {least} or more.")
        if not isinstance(self.kind, Kind):
            raise ConfigError(f"population {self.name!r}: kind={self.kind!r}: give a kind, as kinds.Lumped().")

    @property
    def numbers(self) -> range:
        """The numbers of its cells in the graph."""
        return range(self.first, self.first + self.size)


@dataclass(frozen=True)
class Connections:
    """A set: from whole populations, in this order, onto one.

    Attributes
    ----------
    name, pre, post
        Name, and the populations.
    place
        Where its synapses land; by default on basal dendrites, feedback on the tips of tufts.
    role
        What rules select by.
    learned
        Whether a rule may change it; False freezes it, the usual control.
    form
        ``"dense"``: every cell reaches every cell, in one object; ``"sparse"``: the NetCons of a host.
    delay
        Conduction delay (ms), of all its synapses, at least one step; None where each has its own (sparse).
    bounds
        Of its weights, applied once after each batch.
    signal
        Spikes, or the rates of the presynaptic cells themselves.
    initial
        How its first weights are drawn; by default as in the paper.
    memory
        Age (ms) at which the postsynaptic potential on lumped cells is cut off, 0 for never.
    """

    name: str
    pre: tuple[str, ...]
    post: str
    place: Landing = None  # type: ignore[assignment]  # that of its role
    role: Role = "forward"
    learned: bool = True
    form: Form = "dense"
    delay: float | None = 1.0
    bounds: tuple[float, float] = (float("-inf"), float("inf"))
    signal: Signal = "spikes"
    initial: Initial = None  # type: ignore[assignment]  # that of its role
    memory: float = 0.0

    def __post_init__(self) -> None:
        feedback = self.role == "feedback"
        if self.place is None:
            object.__setattr__(self, "place", FEEDBACK if feedback else FORWARD)
        if self.initial is None:
            object.__setattr__(self, "initial", Initial("feedback" if feedback else "forward"))
        check_set(self)


@dataclass(frozen=True)
class Graph:
    """Populations and the sets between them.

    Attributes
    ----------
    seed
        Of all random streams.
    dt
        Time step (ms) of the network; no trial changes it.
    populations, connections
        In order: drives onto one place add up, and cells are counted, in that order.

    Raises
    ------
    ConfigError
        If names occur twice or are unknown, or a number is out of range.
    """

    seed: int
    dt: float
    populations: tuple[Population, ...]
    connections: tuple[Connections, ...]

    def __post_init__(self) -> None:
        streams.check_seed(self.seed)
        if not is_number(self.dt) or self.dt <= 0:
            raise ConfigError(f"dt={self.dt!r}: give a time step of more than 0 ms.")
        for what, names in (("population", [p.name for p in self.populations]), ("set", [*self.set_names()])):
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise ConfigError(f"graph: two of its {what}s are called {twice!r}: rename one.")
        for connections in self.connections:
            for name in (*connections.pre, connections.post):
                if name not in self._by_name:
                    raise ConfigError(f"set {connections.name!r}: there is no population {name!r}: add it.")
            if len(set(connections.pre)) < len(connections.pre) or not connections.pre:
                raise ConfigError(f"set {connections.name!r}: pre={connections.pre}: name each population once.")
            self._can_land(connections)
        taken = 0
        for population in sorted(self.populations, key=lambda p: p.first):
            if population.first < taken:
                raise ConfigError(
                    f"population {population.name!r}: first={population.first}: another population has this number: "
                    f"count on, from {taken}."
                )
            taken = population.first + population.size

    def _can_land(self, connections: Connections) -> None:
        kind, where = self[connections.post].kind, f"set {connections.name!r}"
        if not kind.accepts:
            raise ConfigError(f"{where}: nothing can land on {connections.post!r} ({kind.label}): let it end on cells.")
        if not kind.accepts & LANDS_AS[connections.form]:
            other = next(form for form in LANDS_AS if form != connections.form)
            raise ConfigError(
                f"{where}: form={connections.form!r}: {connections.post!r} ({kind.label}) takes {other!r} sets only."
            )

    def set_names(self) -> Iterator[str]:
        """Return the names of all sets."""
        return (connections.name for connections in self.connections)

    @cached_property
    def _by_name(self) -> dict[str, Population]:
        return {population.name: population for population in self.populations}

    def __getitem__(self, population: str) -> Population:
        try:
            return self._by_name[population]
        except KeyError:
            known = ", ".join(map(repr, self._by_name))
            raise ConfigError(f"population {population!r}: the graph has none of this name, it has {known}.") from None

    def set(self, name: str) -> Connections:
        """Return the set of this name."""
        try:
            return self._sets[name]
        except KeyError:
            known = ", ".join(map(repr, self.set_names()))
            raise ConfigError(f"set {name!r}: the graph has none of this name, it has {known}.") from None

    @cached_property
    def _sets(self) -> dict[str, Connections]:
        return {connections.name: connections for connections in self.connections}

    def onto(self, population: str, role: Role | None = None) -> tuple[Connections, ...]:
        """Return the sets onto a population, of one role or all."""
        return self._onto.get((population, role), ())

    @cached_property
    def _onto(self) -> dict[tuple[str, Role | None], tuple[Connections, ...]]:
        found: dict[tuple[str, Role | None], tuple[Connections, ...]] = {}
        for c in self.connections:
            for key in ((c.post, c.role), (c.post, None)):
                found[key] = (*found.get(key, ()), c)
        return found

    def n_pre(self, connections: Connections) -> int:
        """Return how many cells a set comes from."""
        return sum(self[name].size for name in connections.pre)

    def pre_numbers(self, connections: Connections) -> list[int]:
        """Return the numbers of the cells that a set comes from, in its order."""
        return [number for name in connections.pre for number in self[name].numbers]

    def rows(self, connections: Connections, population: str) -> slice:
        """Return where the cells of a population stand among those that a set comes from."""
        before = 0
        for name in connections.pre:
            if name == population:
                return slice(before, before + self[name].size)
            before += self[name].size
        raise ConfigError(f"set {connections.name!r}: it does not come from {population!r}.")

    def order_of(self, connections: Connections) -> int:
        """Return which of the forward sets, or of the others of one role, onto its population this is, 0 first."""
        return self.onto(connections.post, connections.role).index(connections)

    @cached_property
    def sources(self) -> tuple[Population, ...]:
        """The populations where layers begin: no set reaches them, and no teacher."""
        return tuple(p for p in self.populations if not self.onto(p.name) and not p.teacher)

    @property
    def inputs(self) -> tuple[Population, ...]:
        """The sources whose spikes the task gives: all but those of a kind with ``driven = False``."""
        return tuple(p for p in self.sources if getattr(p.kind, "driven", True))

    @cached_property
    def taught(self) -> tuple[Population, ...]:
        """The populations that the task may give a target."""
        return tuple(p for p in self.populations if p.teacher)

    @cached_property
    def hidden(self) -> tuple[Population, ...]:
        """The populations with feedback that no teacher speaks to: those that learn from their plateaus."""
        return tuple(p for p in self.populations if self.onto(p.name, "feedback") and not p.teacher)

    @cached_property
    def depths(self) -> Mapping[str, int]:
        """How many forward sets lie between the input and each population, 0 for those that it reaches first."""
        found = {p.name: -1 for p in self.sources}
        depth = -1
        while True:
            reached = {
                c.post
                for c in self.connections
                if c.role == "forward" and c.post not in found and any(found.get(name) == depth for name in c.pre)
            }
            if not reached:
                break
            depth += 1
            found |= dict.fromkeys(reached, depth)
        return {p.name: found[p.name] for p in self.populations if found.get(p.name, -1) >= 0}

    @cached_property
    def layers(self) -> tuple[tuple[Population, ...], ...]:
        """Populations of equal depth, from the input on."""
        depths = self.depths
        return tuple(
            tuple(p for p in self.populations if depths.get(p.name) == depth)
            for depth in range(max(depths.values(), default=-1) + 1)
        )

    @cached_property
    def hidden_layers(self) -> tuple[tuple[Population, ...], ...]:
        """Those layers, without populations that are taught or have no feedback."""
        names = {p.name for p in self.hidden}
        layers = (tuple(p for p in layer if p.name in names) for layer in self.layers)
        return tuple(layer for layer in layers if layer)

    @property
    def sizes(self) -> list[int]:
        """Number of cells in every layer, input first."""
        return [sum(p.size for p in self.sources), *(sum(p.size for p in layer) for layer in self.layers)]

    @cached_property
    def fingerprint(self) -> str:
        """A digest of all that the graph says."""
        said = (self.seed, self.dt, self.populations, self.connections)
        return hashlib.sha256(repr(said).encode()).hexdigest()

    def __getstate__(self) -> dict[str, object]:
        return {name: self.__dict__[name] for name in self.__dataclass_fields__}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)

    def __str__(self) -> str:
        lines = [f"graph of {sum(p.size for p in self.populations)} cells (seed {self.seed}, dt {self.dt:g} ms)"]
        width = max(len(p.name) for p in self.populations)
        for p in self.populations:
            marks = [mark for mark, there in (("taught", p.teacher), ("bias", p.bias)) if there]
            noted = f"  ({', '.join(marks)})" if marks else ""
            lines.append(f"  {p.name:{width}}  {p.size:6d} x {p.kind.label}{noted}")
        for c in self.connections:
            delay = "own delays" if c.delay is None else f"{c.delay:g} ms"
            synapses = self.n_pre(c) * self[c.post].size
            count = f"{synapses} synapses ({synapses * 8 / 1e6:.3g} MB)" if c.form == "dense" else c.form
            way, learned = f"{' + '.join(c.pre)} -> {c.post}, {c.role}", "learned" if c.learned else "not learned"
            lines.append(f"  {c.name}: {way}, {count}, {c.place}, {delay}, {learned}")
        return "\n".join(lines)
