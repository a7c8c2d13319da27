"""A learning rule of your own: feedback weights that learn to mirror the forward weights.

Kolen & Pollack (1994, Proc IEEE ICNN 1375): if the weights W onto the output and the feedback weights Y change by the
same amounts, dY = dW^T, and both decay, they become transposes of each other, though no synapse knows any other's
weight. Here Y changes by the output's error times the rate of the cell that it lands on; all else is the paper's rule.
With one hidden layer errors hardly fall, because forward weights align with fixed feedback, too; see the correlations.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from segdend_plugin import Graph, Learner, layered, rules, tasks


@dataclass(frozen=True)
class Mirrored(rules.Guerguiev):
    """The paper's rule with feedback that learns, from the output to the layer below it."""

    decay: float = 1e-4

    def wants(self, graph: Graph) -> Sequence[rules.Want]:
        """Want the rates of hidden cells, and, on every rank, all that the errors of output cells are made of."""
        taught = [want(p.name, whole=True) for p in graph.taught for want in (rules.soma, rules.taught_rate)]
        return [*super().wants(graph), *taught, *(rules.Average(p.name, "rate") for p in graph.hidden)]

    def change(self, seen: Sequence[rules.Seen]) -> rules.Changes:
        """Return what the paper's rule changes, and the change of learned feedback."""
        (s,) = seen
        done = super().change(seen)
        more: list[rules.Change] = []
        for back in (c for c in s.graph.connections if c.role == "feedback" and c.learned):
            forward = next(c for c in s.graph.onto(back.pre[0], "forward") if back.post in c.pre)
            delta = rules.error_of_taught(s, forward.post, whole=True)
            error = rules.postsynaptic_change(delta, s.rates[forward.name], rules.output_scale())
            more.append(rules.Outer(back.name, s[rules.Average(back.post, "rate")], pre=error))
            more += [rules.Decay(name, 1 - self.decay) for name in (back.name, forward.name)]
        return replace(done, changes=(*done.changes, *more))


digits = tasks.load("digits")
fixed = layered([64, 20, 10], "three_compartment")
learned = replace(fixed, connections=tuple(replace(c, learned=True) for c in fixed.connections))
rules.check(Mirrored(), learned)
for name, graph in (("fixed", fixed), ("learned", learned)):
    learner = Learner(graph, Mirrored())
    learner.fit(digits.train, epochs=2)
    error = 1 - learner.score(digits.held_out)
    back, forward = learner.weights("output->hidden"), learner.weights("hidden->output").T
    alike = np.corrcoef(back.ravel(), forward.ravel())[0, 1]
    print(f"{name} feedback: error {error:.3f}, correlation with the forward weights {alike:.2f}")
