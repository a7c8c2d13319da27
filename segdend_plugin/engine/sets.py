"""All sets of a network on this rank: their weights whole, what a rule changes of them, and what is saved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from segdend_plugin.engine.kinds.base import Cells
from segdend_plugin.engine.learned import Bound, Factors, Learned, first_not_finite, joined
from segdend_plugin.engine.mpi import Ranks
from segdend_plugin.errors import ConfigError, DataError
from segdend_plugin.model.changes import Bias, Changes
from segdend_plugin.model.graph import Graph, Population
from segdend_plugin.model.wants import Weights
from segdend_plugin.types import Array, Integers


class Sets(Mapping[str, Learned]):
    """The sets of one network.

    Parameters
    ----------
    ranks
        The MPI job.
    graph
        What was built.
    cells
        Of every population, those of this rank.
    sets
        By name, in the order of the graph.
    """

    def __init__(self, ranks: Ranks, graph: Graph, cells: Mapping[str, Cells], sets: Mapping[str, Learned]) -> None:
        self._ranks, self._graph, self._cells, self._sets = ranks, graph, cells, dict(sets)

    def __getitem__(self, name: str) -> Learned:
        return self._sets[self._graph.set(name).name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sets)

    def __len__(self) -> int:
        return len(self._sets)

    def set_weights(self, name: str, matrix: Array) -> None:
        """Let a set have other weights, whole, shape (n_pre, n_post); this rank keeps those of its own cells."""
        one = self[name]
        if one.connections.form == "sparse":
            raise ConfigError(f"set {name!r}: it is sparse, and no rule can set its weights: take random feedback.")
        if one.connections.learned:
            raise ConfigError(f"set {name!r}: it is learned, and no rule can set its weights: set learned=False.")
        wanted = self._graph.n_pre(one.connections), self._graph[one.post].size
        if matrix.shape != wanted:
            raise DataError(f"set {name!r}: the weights to set have shape {matrix.shape}: {wanted} is needed.")
        one.weights[:] = matrix[:, self._local(one.post)]

    def whole(self, want: Weights) -> Array:
        """Return the weights of a set, whole; every rank must call this."""
        one = self[want.connections]
        return one.matrix(self._joined(one, one.effective() if want.effective else one.weights))

    def synapses(self, name: str) -> tuple[Integers, Integers, Array]:
        """Return where both cells of every synapse of a set stand, and its weight; every rank must call this."""
        one = self[name]
        return one.synapses(self._joined(one, one.weights))

    def _joined(self, one: Learned, weights: Array) -> Array:
        return joined(self._ranks.allgather((self._columns(one), weights)))

    def factors(self, changes: Changes, windows: Mapping[str, int], *, keep: bool) -> list[Factors]:
        """Return what each change needs of the trial that has run.

        Parameters
        ----------
        changes
            What a rule makes of it.
        windows
            Index of each window of the trial.
        keep
            Whether other trials run before they are applied, or other replicas apply them, so that presynaptic factors
            are copied.

        Raises
        ------
        ConfigError
            If a set does not learn.
        """
        factors: list[Factors] = []
        for change in changes.changes:
            if isinstance(change, Bias):
                factors.append(None)
                continue
            one = self[change.connections]
            if not one.connections.learned:
                raise ConfigError(
                    f"rule: it changes the set {change.connections!r}, which is fixed: make the set learned, or leave "
                    "it out."
                )
            factors.append(one.factors(change, windows, keep=keep))
        return factors

    def bind(self, changes: Changes, factors: Sequence[Factors]) -> list[Bound]:
        """Return changes with what was taken of their trial, here or by another replica."""
        bound = []
        for change, its in zip(changes.changes, factors, strict=True):
            if isinstance(change, Bias):
                bound.append(self._bind_bias(change))
            else:
                one = self[change.connections]
                bound.append(one.bind(change, its, self._local(one.post)))
        return bound

    def _bind_bias(self, change: Bias) -> Bound:
        positions = self._local(change.population)
        mine = change.change if len(change.change) == len(positions) else change.change[positions]
        biases = self.biases(change.population)

        def add() -> None:
            biases[:] += mine

        return Bound(None, add)

    def apply(self, batch: Iterable[Sequence[Bound]]) -> None:
        """Add what the examples of a batch change, in their order; decay comes first, bounds act once."""
        examples = list(batch)
        decays: dict[str, float] = {}
        for bound in (one for example in examples for one in example if one.decay is not None):
            name, factor = bound.decay  # type: ignore[misc]
            if decays.setdefault(name, factor) != factor:
                raise ConfigError(f"rule: the set {name!r} decays differently within a batch: decay alike, or batch=1.")
        for name, factor in decays.items():
            self[name].weights[:] *= factor
        for example in examples:
            for bound in example:
                bound.add()
        for one in self._sets.values():
            one.bound()

    def biases(self, population: str) -> Array:
        """Return the biases of the cells of this rank, a view; they stand with the first forward set."""
        first = self._graph.onto(population, "forward")
        if not self._graph[population].bias or not first:
            raise ConfigError(f"population {population!r}: it has no biases: leave them alone.")
        return self[first[0].name].constant

    def not_finite(self) -> list[tuple[str, str, int]]:
        """Return the first weight of each set and the first bias that are not finite on this rank.

        Returns
        -------
        list
            What it is, the population, and where the cell stands in it.
        """
        found = []
        for one in self._sets.values():
            local = self._local(one.post)
            for what, cell in (("weight", one.not_finite()), ("bias", first_not_finite(one.constant))):
                if cell is not None:
                    found.append((f"{what} of {one.connections.name!r}", one.post, int(local[cell])))
        return found

    def _saved(self) -> tuple[list[Learned], list[Population]]:
        sets = [
            one
            for one in self._sets.values()
            if one.connections.role == "forward" or (one.connections.role == "feedback" and one.connections.learned)
        ]
        biased = [p for p in self._graph.populations if p.bias and self._graph.onto(p.name, "forward")]
        return sets, biased

    def gather(self) -> tuple[dict[str, Array], dict[str, Array]] | None:
        """Collect weights and biases on rank 0, None elsewhere; every rank must call this.

        Returns
        -------
        weights, biases : dict
            Of forward sets and learned feedback, shape (n_pre, n_post); of populations, shape (n,).
        """
        sets, biased = self._saved()
        mine = (
            {one.connections.name: (self._columns(one), one.weights) for one in sets},
            {p.name: (self._local(p.name), self.biases(p.name)) for p in biased},
        )
        everyone = self._ranks.gather(mine)
        if everyone is None:
            return None
        names = [one.connections.name for one in sets]
        weights = {name: joined([part[0][name] for part in everyone]) for name in names}
        biases = {p.name: joined([part[1][p.name] for part in everyone]) for p in biased}
        return weights, biases

    def scatter(self, weights: Mapping[str, Array], biases: Mapping[str, Array]) -> None:
        """Take weights and biases as :meth:`gather` gives them, the same on every rank, which keeps its own cells'."""
        sets, biased = self._saved()
        for one in sets:
            name = one.connections.name
            if name not in weights:
                raise DataError(f"The weights have no set {name!r}: take those of this network.")
            one.take(weights[name], self._columns(one), self._graph[one.post].size)
        for population in biased:
            if population.name not in biases or biases[population.name].shape != (population.size,):
                raise DataError(
                    f"The biases of {population.name!r} are missing or of another size: take this network's."
                )
            self.biases(population.name)[:] = biases[population.name][self._local(population.name)]

    def close(self) -> None:
        """Give up every NEURON object."""
        for one in self._sets.values():
            one.close()

    def _local(self, population: str) -> Integers:
        return self._cells[population].positions

    def _columns(self, one: Learned) -> Integers:
        return one.columns(self._local(one.post))
