"""A layered network on this rank: shows examples, reads the windows, applies the rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from segdend_plugin.engine import mpi, state
from segdend_plugin.engine.exchange import Exchange
from segdend_plugin.engine.inputs import Inputs
from segdend_plugin.engine.layer import Layer
from segdend_plugin.engine.population import Averages, Population
from segdend_plugin.engine.windows import announce
from segdend_plugin.errors import DataError
from segdend_plugin.model.streams import Purpose
from segdend_plugin.rule import backprop
from segdend_plugin.rule.feedback import FeedbackWeights, feedback_change
from segdend_plugin.rule.phases import Schedule
from segdend_plugin.rule.plateau import burst_difference, plateau, plateau_difference, plateau_leads
from segdend_plugin.rule.targets import (
    hidden_delta,
    hidden_scale,
    output_delta,
    output_scale,
    postsynaptic_change,
)
from segdend_plugin.rule.variant import Variant
from segdend_plugin.types import Array


@dataclass(frozen=True)
class Observation:
    """What whole layers did in one training example, the same on every rank; hidden layers from the input on.

    Attributes
    ----------
    output_delta, hidden_deltas, backprop_deltas
        Errors of the output cells, the errors that hidden cells learn from, and exact ones.
    averages
        Window averages of every hidden layer and the output layer.
    differences
        Plateau differences alpha_t - alpha_f (or of bursts) of every hidden layer.
    forward
        Weights out of every hidden layer, shape (n_hidden, n_next), as they were in the example.
    feedback
        Weights onto the tufts of every hidden layer, shape (n_source, n_hidden), as they were in the example.
    interneuron_rates
        Mean rate (1/ms) of every population of interneurons in the two windows, shape (n_populations, 2).
    """

    output_delta: Array
    hidden_deltas: list[Array]
    backprop_deltas: list[Array]
    averages: list[Averages]
    differences: list[Array]
    forward: list[Array]
    feedback: list[Array]
    interneuron_rates: Array


class Network:
    """Inputs, hidden layers and output layer of this rank.

    Parameters
    ----------
    ranks
        The MPI job.
    inputs, hidden, output
        The layers, built and connected.
    seed
        Seed of the experiment.
    variant
        Form of the algorithm.
    """

    def __init__(
        self,
        ranks: mpi.Ranks,
        inputs: Inputs,
        hidden: Sequence[Layer],
        output: Population,
        seed: int,
        variant: Variant = Variant(),  # noqa: B008  frozen
    ) -> None:
        self.ranks, self.inputs, self.hidden, self.output = ranks, inputs, tuple(hidden), output
        self.seed, self.variant = seed, variant
        self.interneurons: tuple[Population, ...] = ()
        self._output_layer = Layer((output,))
        self.exchanges: list[Exchange] = []  # alive as long as the projections that read them
        self._feedback = FeedbackWeights(
            seed, [layer.gids for layer in hidden], len(output.gids), variant.feedback, variant.initial
        )

    @property
    def needs_events(self) -> bool:
        """Whether spikes of cells reach other ranks as events, because these cannot gather counters."""
        return self.ranks.size > 1 and mpi.allgather_in_c() is None

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Hidden layers and the output layer, from the input on."""
        return (*self.hidden, self._output_layer)

    @property
    def sizes(self) -> list[int]:
        """Number of cells in every layer, input first."""
        return [len(self.inputs.gids), *(len(layer.gids) for layer in self.layers)]

    def feedback_sources(self, depth: int) -> list[int]:
        """Return the cells that send feedback to hidden layer `depth`."""
        above = depth + 1 if self.variant.feedback.route == "layerwise" else len(self.hidden)
        return self.layers[above].gids

    def announce_spikes(self, wanted: bool = True) -> None:
        """Choose whether spikes reach NetCons and ``pc.spike_record``, beside the plastic projections.

        Projections count the spikes of cells and draw those of the inputs without events; results are the same with and
        without. Where ranks cannot gather counters, spikes of cells are announced in any case.
        """
        self.inputs.announce(wanted)
        for population in (*(own for layer in self.layers for own in layer.populations), *self.interneurons):
            population.announce(wanted or self.needs_events)

    def show(self, image: Array, schedule: Schedule, purpose: Purpose, example: int, label: int | None = None) -> None:
        """Run one trial from rest; it depends on weights, seed and example alone.

        Parameters
        ----------
        image
            Brightness of every input, shape (n_input,), 0 to 1.
        schedule
            Times of the phases.
        purpose, example
            Key of the random streams.
        label
            Position of the output cell that the teacher excites in the target phase.
        """
        from neuron import h

        self.inputs.show(image)
        if label is not None:
            self.output.teach(label, self.variant.cells_per_class)
            self._spread_plateaus(example)
        announce(schedule, self.seed, purpose, example, teach=label is not None)
        h.dt = schedule.dt
        h.finitialize(self.output.scale.rest)
        self.ranks.pc.psolve(schedule.time(schedule.end))

    def learn(
        self, schedule: Schedule, rates: Sequence[float], example: int, *, train_hidden: bool, observe: bool = False
    ) -> tuple[Averages, Observation | None]:
        """Change the weights by what the last trial left in the windows (eqs 10 and 26).

        Parameters
        ----------
        schedule
            Times of the trial.
        rates
            Learning rate of each hidden layer and of the output layer.
        example
            Number of the trial's example.
        train_hidden
            Whether hidden weights change, too; False freezes them, the usual control.
        observe
            Whether to collect what all layers did.

        Returns
        -------
        Averages
            Those of the local output cells.
        Observation or None
            What whole layers did.
        """
        averages = {
            population.name: population.averages(schedule) for layer in self.layers for population in layer.populations
        }
        mine = averages[self.output.name]
        deltas = {self.output.name: output_delta(mine.target_rate, mine.forward_potential, self.output.somatic_gain)}
        differences = {}
        for population in self._hidden_populations():
            seen = averages[population.name]
            differences[population.name] = self._difference(population, seen, example)
            deltas[population.name] = hidden_delta(
                differences[population.name], seen.forward_potential, population.somatic_gain
            )
        observation = None
        if observe or self.variant.hidden_error == "backprop":
            exact, forward = self._backprop(averages, deltas[self.output.name])
            if self.variant.hidden_error == "backprop":
                deltas.update(self._local(exact))
            if observe:
                observation = self._observe(schedule, averages, deltas, differences, exact, forward)
        scales = [*[hidden_scale()] * len(self.hidden), output_scale()]
        for depth, (layer, rate, scale) in enumerate(zip(self.layers, rates, scales, strict=True)):
            if depth < len(self.hidden) and not train_hidden:
                continue
            for population in layer.populations:
                if population.inbound is not None:
                    population.inbound.learn(postsynaptic_change(deltas[population.name], rate, scale))
        self._learn_feedback(averages)
        if self.variant.feedback.is_renewed:
            self.renew_feedback(example + 1)
        return mine, observation

    def renew_feedback(self, example: int) -> None:
        """Set the feedback weights that the training example `example` meets; learned ones start anew."""
        follows = self.variant.feedback.follows_weights
        feedback = self._feedback.at(example, self._whole_forward() if follows else [])
        for layer, matrix in zip(self.hidden, feedback, strict=True):
            for population in layer.populations:
                if population.feedback is not None:
                    population.feedback.weights[:] = matrix[:, layer.columns(population)]

    def _hidden_populations(self) -> list[Population]:
        return [population for layer in self.hidden for population in layer.populations]

    def _spread_plateaus(self, example: int) -> None:
        sd = self.variant.plateau_jitter
        if sd == 0.0:
            return
        for depth, layer in enumerate(self.hidden):
            leads = plateau_leads(self.seed, depth, example, len(layer.gids), sd)
            for population in layer.populations:
                population.set_leads(leads[:, layer.columns(population)])

    def _plateau(self, apical: Array) -> Array:
        return plateau(apical, self.variant.plateau, self.variant.plateau_gain)

    def _difference(self, population: Population, seen: Averages, example: int) -> Array:
        forward, target = self._plateau(seen.forward_apical), self._plateau(seen.target_apical)
        if self.variant.plateau == "bursts":
            return burst_difference(forward, target, self.seed, example, population.local_gids)
        return plateau_difference(forward, target)

    def _learn_feedback(self, averages: dict[str, Averages]) -> None:
        rate = self.variant.feedback.learning_rate
        for population in self._hidden_populations() if rate else []:
            if population.feedback is not None:
                seen = averages[population.name]
                change = feedback_change(seen.forward_potential, self._plateau(seen.forward_apical), rate)
                population.feedback.learn(change, biases=False)

    def _backprop(self, averages: dict[str, Averages], output: Array) -> tuple[list[Array], list[Array]]:
        """Return the exact errors of whole hidden layers, and the weights out of these."""
        forward = self._whole_forward()
        somas = [
            layer.whole(self.ranks, {name: seen.forward_potential for name, seen in averages.items()})
            for layer in self.hidden
        ]
        gains = [
            np.concatenate([np.full(len(p.gids), p.somatic_gain) for p in layer.populations]) for layer in self.hidden
        ]
        whole_output = self._output_layer.whole(self.ranks, {self.output.name: output})
        return backprop.hidden_deltas(forward, whole_output, somas, gains), forward

    def _local(self, whole: Sequence[Array]) -> dict[str, Array]:
        """Return the part of whole hidden layers that belongs to the local cells of each population."""
        result = {}
        for layer, values in zip(self.hidden, whole, strict=True):
            for population in layer.populations:
                result[population.name] = values[layer.columns(population)]
        return result

    def _whole_forward(self) -> list[Array]:
        """Return the weights out of every hidden layer as somas feel them, shape (n_hidden, n_next)."""
        result = []
        for layer in self.layers[1:]:
            result.append(layer.whole(self.ranks, {p.name: p.effective_weights() for p in layer.populations}))
        return result

    def _observe(
        self,
        schedule: Schedule,
        averages: dict[str, Averages],
        deltas: dict[str, Array],
        differences: dict[str, Array],
        exact: list[Array],
        forward: list[Array],
    ) -> Observation:
        whole = []
        for layer in self.layers:
            names = [population.name for population in layer.populations]
            columns = [
                layer.whole(self.ranks, {name: getattr(averages[name], field.name) for name in names})
                for field in fields(Averages)
            ]
            whole.append(Averages(*columns))
        feedback = [
            layer.whole(
                self.ranks,
                {p.name: p.feedback.weights if p.feedback is not None else np.empty(0) for p in layer.populations},
            )
            for layer in self.hidden
        ]
        return Observation(
            self._output_layer.whole(self.ranks, deltas),
            [layer.whole(self.ranks, deltas) for layer in self.hidden],
            exact,
            whole,
            [layer.whole(self.ranks, differences) for layer in self.hidden],
            forward,
            feedback,
            np.array([self._mean_rates(population, schedule) for population in self.interneurons]).reshape(-1, 2),
        )

    def _mean_rates(self, population: Population, schedule: Schedule) -> Array:
        seen = population.averages(schedule)
        rates = {population.name: np.array([seen.forward_rate, seen.target_rate])}
        mean: Array = Layer((population,)).whole(self.ranks, rates).mean(axis=1)
        return mean

    def gather_weights(self) -> dict[str, tuple[Array, Array]] | None:
        """Collect all weights and biases on rank 0, in the order of gids.

        Returns
        -------
        dict or None
            Population name -> weights (n_pre, n_post), biases (n_post,); None on other ranks.
        """
        populations = [population for layer in self.layers for population in layer.populations]
        return state.gather(self.ranks, populations, lambda population: population.inbound)

    def gather_feedback(self) -> dict[str, Array] | None:
        """Collect the feedback weights that learn on rank 0; all others follow from weights, seed and example.

        Returns
        -------
        dict or None
            Population name -> weights (n_source, n_post), empty without learning; None on other ranks.
        """
        populations = self._hidden_populations() if self.variant.feedback.learning_rate else []
        collected = state.gather(self.ranks, populations, lambda population: population.feedback)
        return None if collected is None else {name: matrix for name, (matrix, _) in collected.items()}

    def set_weights(self, weights: dict[str, tuple[Array, Array]]) -> None:
        """Take weights and biases as :meth:`gather_weights` gives them; every rank keeps its own cells'."""
        for layer in self.layers:
            for population in layer.populations:
                if population.name not in weights:
                    raise DataError(f"The weights have no population {population.name!r}: take those of this network.")
                if population.inbound is not None:
                    matrix, biases = weights[population.name]
                    columns = state.local_columns(population, population.inbound, matrix)
                    population.inbound.weights[:] = matrix[:, columns]
                    population.inbound.biases[:] = biases[columns]

    def set_feedback(self, feedback: dict[str, Array]) -> None:
        """Take learned feedback weights as :meth:`gather_feedback` gives them."""
        for population in self._hidden_populations():
            if population.name in feedback and population.feedback is not None:
                matrix = feedback[population.name]
                population.feedback.weights[:] = matrix[:, state.local_columns(population, population.feedback, matrix)]
