"""The input cells: what they show, and how projections learn of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segdend_plugin.engine.probe import Probe
from segdend_plugin.engine.projection import Projection
from segdend_plugin.rule.targets import RATE_MAX
from segdend_plugin.types import Array, HocObject


class Inputs:
    """The SegDendInput cells of this rank.

    Parameters
    ----------
    gids
        All input cells, in the order of the pixels.
    cells
        gid and mechanism of those on this rank.
    """

    def __init__(self, gids: Sequence[int], cells: Sequence[tuple[int, HocObject]]) -> None:
        self.gids = list(gids)
        index = {gid: k for k, gid in enumerate(self.gids)}
        self._pixels = np.array([index[gid] for gid, _ in cells], dtype=int)
        self._cells = [cell for _, cell in cells]  # alive as long as the network
        self._levels, self._announced = Probe(self._cells, "level"), Probe(self._cells, "announced")
        self._sending = True
        for gid, cell in cells:
            cell.id = gid
        self._drawn: list[Array] = []
        self._rates: list[Array] = []

    def send_spikes(self, projection: Projection, delay: float) -> None:
        """Let a projection draw the spikes of all inputs by itself: every rank knows the image and the streams."""
        self._drawn.append(projection.draw_inputs(self.gids, RATE_MAX, delay))

    def send_rates(self, projection: Projection) -> None:
        """Let a projection be driven by the rates of all inputs, which every rank knows."""
        self._rates.append(projection.send_rates())

    def announce(self, wanted: bool) -> None:
        """Choose whether NetCons learn of the spikes of the local inputs, too."""
        self._announced.write(np.full(len(self._pixels), float(wanted)))
        self._sending = wanted

    def show(self, image: Array) -> None:
        """Set the level of every input; `image` has shape (n_input,), values between 0 and 1."""
        if self._sending:
            self._levels.write(image[self._pixels])
        for levels in self._drawn:
            levels[:] = image
        for rates in self._rates:
            rates[:] = RATE_MAX * image
