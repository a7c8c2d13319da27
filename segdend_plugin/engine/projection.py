"""Dense plastic projections: one NMODL object per rank instead of one NetCon per synapse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum

import numpy as np

from segdend_plugin.types import Array, HocObject, Integers


class Kernel(IntEnum):
    """How a projection filters spikes (the `kernel` of SegDendProjection)."""

    POTENTIAL = 0  # kappa, for lumped dendrites without a membrane of their own
    CURRENT = 1  # an exponential current, which a membrane of 10 ms turns into kappa


RATE_SOURCE = 2_000_000_000
"""Offset of the identities under which cells offer their rates, beyond those that NetPyNE gives gap junctions."""


class Projection:
    """All synapses from one layer onto the cells of another layer that live on this rank.

    Parameters
    ----------
    weights
        Initial weights, shape (n_pre, n_post) with n_post the cells of this rank (dimensionless potential
        per filtered spike rate in 1/ms).
    biases
        Shape (n_post,).
    slots
        Which of the `n_slots` places of a postsynaptic cell each presynaptic cell lands on, shape (n_pre,).
    n_slots
        Places per postsynaptic cell.
    kernel
        Filter of the drive.
    memory
        Age (ms) at which the kernel of a lumped dendrite is cut off, 0 for never.
    split
        Whether weights (and biases) above and below 0 are summed apart, for conductances.
    """

    def __init__(
        self,
        weights: Array,
        biases: Array,
        slots: Integers,
        n_slots: int,
        kernel: Kernel,
        memory: float = 0.0,
        split: bool = False,
    ) -> None:
        from neuron import h

        self.n_pre, self.n_post = weights.shape
        self.slots = np.asarray(slots)
        self._section = h.Section(name="segdend_projection")
        self._mechanism: HocObject = h.SegDendProjection(self._section(0.5))
        self._mechanism.kernel = int(kernel)
        self._mechanism.memory = memory
        self._weights = h.Vector(weights.size)
        self._biases = h.Vector(self.n_post)
        self._slots = h.Vector(np.asarray(slots, dtype=float))
        self._n_drives = n_slots * self.n_post
        self.split = split
        self._out = h.Vector(2 * self._n_drives if split else self._n_drives)
        self._forward_trace = h.Vector(self.n_pre)
        self._target_trace = h.Vector(self.n_pre)
        self._change = h.Vector(self.n_post)
        self._mechanism.bind(
            self._weights, self._biases, self._slots, self._out, self._forward_trace, self._target_trace, int(split)
        )
        # Views stay valid because no Vector is ever resized.
        self.weights: Array = self._weights.as_numpy().reshape(weights.shape)
        self.biases: Array = self._biases.as_numpy()
        self.forward_trace: Array = self._forward_trace.as_numpy()
        self.target_trace: Array = self._target_trace.as_numpy()
        self._change_view: Array = self._change.as_numpy()
        self.weights[:] = weights
        self.biases[:] = biases
        self._netcons: list[HocObject] = []

    def connect(
        self, pc: HocObject, gids: Sequence[int], delay: float, counter: Callable[[int], HocObject | None]
    ) -> None:
        """Take the spikes of the cells `gids` (in presynaptic order) after `delay` ms.

        Parameters
        ----------
        pc
            ``h.ParallelContext()``.
        gids
            The presynaptic cells.
        delay
            Conduction delay (ms).
        counter
            gid -> reference to how many spikes left this cell in the last step, or None if a NetCon must tell.
        """
        for index, gid in enumerate(gids):
            if (spikes := counter(gid)) is not None:
                self._mechanism.listen(index, spikes, delay)
                continue
            netcon = pc.gid_connect(gid, self._mechanism)
            netcon.weight[0] = index
            netcon.delay = delay
            self._netcons.append(netcon)

    def draw_inputs(self, gids: Sequence[int], rate_max: float, delay: float) -> Array:
        """Draw the spikes of inputs here, the same that their SegDendInput would send.

        Parameters
        ----------
        gids
            The input cells, in presynaptic order.
        rate_max
            Rate at full brightness (1/ms).
        delay
            Conduction delay (ms).

        Returns
        -------
        Array
            View to write the brightness of every input to, shape (n_pre,), 0 to 1.
        """
        from neuron import h

        self._levels = h.Vector(self.n_pre)
        self._gids = h.Vector(np.asarray(gids, dtype=float))
        self._mechanism.draw(self._levels, self._gids, rate_max, delay)
        levels: Array = self._levels.as_numpy()
        return levels

    def send_rates(self, delay: float = 0.0) -> Array:
        """Be driven by rates instead of spikes, and return the view to write those of constant sources to.

        Parameters
        ----------
        delay
            After which the rates of cells arrive (ms), nothing before; 0 for sources that are not cells.

        Returns
        -------
        Array
            Rates of the presynaptic cells (1/ms), shape (n_pre,).
        """
        from neuron import h

        self._rates = h.Vector(self.n_pre)
        self._mechanism.send_rates(self._rates, delay)
        rates: Array = self._rates.as_numpy()
        return rates

    def connect_rates(self, pc: HocObject, gids: Sequence[int], delay: float) -> None:
        """Take the rates that the cells `gids` (in presynaptic order) offer, after `delay` ms."""
        self.send_rates(delay)
        for index, gid in enumerate(gids):
            pc.target_var(self._rates._ref_x[index], RATE_SOURCE + gid, sec=self._section)

    def drive(self, post: int, slot: int = 0) -> HocObject:
        """Return a reference to the drive of one place of one local postsynaptic cell (split, that of excitation)."""
        return self._out._ref_x[slot * self.n_post + post]

    def inhibition(self, post: int, slot: int = 0) -> HocObject:
        """Return a reference to the size of the inhibitory drive of a place, if weights are split."""
        assert self.split
        return self._out._ref_x[self._n_drives + slot * self.n_post + post]

    def mix(self, mixture: HocObject, post: int, gains: HocObject) -> None:
        """Let a SegDendMixture read the drives of all places of one local postsynaptic cell.

        Parameters
        ----------
        mixture
            The mechanism.
        post
            Index of the cell.
        gains
            Vector of the current (nA) for unit drive of each place, which the caller keeps.
        """
        mixture.bind(gains, self._out, post)

    def scale_learning(self, gains: Array) -> None:
        """Let a synapse learn in proportion to the gain of the place that it lands on.

        Parameters
        ----------
        gains
            Shape (n_slots, n_post).
        """
        from neuron import h

        self._gains = h.Vector(np.ascontiguousarray(gains).ravel())
        self._mechanism.scale_learning(self._gains)

    def learn(self, change: Array, *, biases: bool = True) -> None:
        """Add ``outer(forward_trace, change)`` to the weights and `change` to the biases, in place.

        Where learning is scaled, each weight's change is multiplied by the gain of its place.
        """
        self._change_view[:] = change
        self._mechanism.learn(self._change)
        if biases:
            self.biases += change
