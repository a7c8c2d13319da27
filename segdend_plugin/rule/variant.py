"""Everything in which a network may differ from the published default, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from segdend_plugin.rule.plateau import Kind

Initial = Literal["paper", "released_code"]
Signal = Literal["spikes", "rates"]
Route = Literal["broadcast", "layerwise"]
Location = Literal["blind", "gain"]


@dataclass(frozen=True)
class Feedback:
    """The weights onto the tufts, and what they carry.

    Attributes
    ----------
    weights
        ``"random"`` and fixed (eLife 22901); ``"symmetric"``, the transpose of the feed-forward weights after every
        example (Fig 8D); ``"sign_concordant"``, random magnitudes with the signs of the transpose (Liao, Leibo &
        Poggio 2016).
    route
        ``"broadcast"`` from the output to every hidden layer (all published figures), or ``"layerwise"`` from the
        layer above (a switch of the released code).
    fraction, scale
        Fraction of the weights that is kept, and a factor for those: 0.2 and 5 in Fig 8B, 0.2 and 1 in its supplement.
    noise
        Standard deviation of normal noise on every weight (0.05 in Fig 8D), drawn anew for every example if
        `noise_redrawn`, as in the released code, else once.
    learning_rate
        Of the feedback weights, 0 for fixed ones (released code only).
    signal
        Spikes, or the rates of the cells themselves (the second curve of Fig 7A).
    """

    weights: Literal["random", "symmetric", "sign_concordant"] = "random"
    route: Route = "broadcast"
    fraction: float = 1.0
    scale: float = 1.0
    noise: float = 0.0
    noise_redrawn: bool = True
    learning_rate: float = 0.0
    signal: Signal = "spikes"

    @property
    def follows_weights(self) -> bool:
        """Whether it depends on the feed-forward weights."""
        return self.weights != "random"

    @property
    def is_renewed(self) -> bool:
        """Whether it changes from example to example, other than by learning."""
        return self.follows_weights or (self.noise > 0.0 and self.noise_redrawn)


@dataclass(frozen=True)
class Variant:
    """The form of the algorithm.

    Attributes
    ----------
    initial
        Initial weights: the paper's, or those of the released code, twice as wide.
    memory
        Age (ms) at which the postsynaptic potential of three-compartment cells is cut off, 0 for never; the released
        code keeps 10 ms.
    feedforward
        What the cells send upwards: spikes, or their rates.
    feedback
        The way back.
    plateau
        What an apical dendrite reports of a phase (:mod:`~segdend_plugin.rule.plateau`): the sigmoid of its
        ``"average"`` potential (eqs 5, 21), ``"bursts"`` with that mean, the ``"axial"`` current that leaves it, the
        ``"local"`` part of its potential, the opening of its ``"nmda"`` channels, or the ``"calcium"`` plateau where
        the trunk ends.
    plateau_gain
        Factor of the argument of the sigmoid.
    plateau_jitter
        Standard deviation (ms) of the times by which each cell's plateaus precede the end of the phase (folded normal,
        at most 5 ms; 3 in Fig 6 - figure supplement 1), 0 for synchronous plateaus.
    hidden_error
        What hidden cells learn from: the difference of their plateaus, or exact ``"backprop"`` as a reference.
    cells_per_class
        Output cells that stand for one class.
    location
        Whether a synapse learns ``"blind"`` to its place on the cell, or in proportion to the transfer ``"gain"`` of
        that place relative to the mean of its cell.
    """

    initial: Initial = "paper"
    memory: float = 0.0
    feedforward: Signal = "spikes"
    feedback: Feedback = Feedback()
    plateau: Kind = "average"
    plateau_gain: float = 1.0
    plateau_jitter: float = 0.0
    hidden_error: Literal["plateau", "backprop"] = "plateau"
    cells_per_class: int = 1
    location: Location = "blind"
