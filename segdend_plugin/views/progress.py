"""A progress bar on rank 0, silence elsewhere."""

from __future__ import annotations

import sys

from tqdm import tqdm

from segdend_plugin.experiment.reports import Metric


class Bar:
    """Shows images/s, running error and time left (an observer of a run).

    Parameters
    ----------
    shown
        Whether this process shows anything.
    """

    def __init__(self, shown: bool) -> None:
        self._shown = shown
        self._bars: list[tqdm] = []

    def start(self, total: int, what: str) -> None:
        """Open a bar over `total` images."""
        if self._shown:
            self._bars.append(tqdm(total=total, desc=what, unit="image", leave=False, mininterval=0.5))

    def advance(self, count: int = 1) -> None:
        """Move the bar by so many images."""
        if self._bars:
            self._bars[-1].update(count)

    def finish(self) -> None:
        """Close the bar."""
        if self._bars:
            self._bars.pop().close()

    def report(self, metric: Metric) -> None:
        """Show the running training error in the bar, and an evaluation on a line of its own."""
        if not self._shown:
            return
        if metric.kind == "train":
            if self._bars:
                self._bars[-1].set_postfix_str(f"error {100 * metric.error:.1f} %", refresh=False)
            return
        tqdm.write(
            f"after {metric.example} examples: {metric.kind} error {100 * metric.error:.1f} % "
            f"of {metric.images} images",
            file=sys.stderr,
        )
