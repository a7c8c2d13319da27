"""All operating points of a network: a table, a figure, and what is to be known of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from segdend_plugin.engine.kinds.own import OwnCells
from segdend_plugin.errors import ConfigError
from segdend_plugin.model.operating import OperatingPoint
from segdend_plugin.operating.bench import Bench
from segdend_plugin.operating.feedback import survey_feedback, survey_teacher
from segdend_plugin.operating.rates import survey_rates

if TYPE_CHECKING:
    from segdend_plugin.examiner import Examiner
    from segdend_plugin.tasks.base import Task

BEYOND = 3.0
"""How far a figure goes beyond the drive of the largest rate, relative to it."""


@dataclass(frozen=True)
class Survey:
    """Operating points of the populations of a network; `str` makes a table of them.

    Attributes
    ----------
    points
        By population.
    remarks
        What is to be known of them, a sentence each.
    """

    points: Mapping[str, OperatingPoint]
    remarks: Sequence[str] = ()

    def __str__(self) -> str:
        width = max(len(name) for name in (*self.points, "population"))
        titles = f"{'largest rate':>12}  {'without drive':>13}  {'taught':>7}  {'tuft, noise':>15}"
        rows = [f"{'population':{width}}  {titles}"]
        for name, p in self.points.items():
            without = f"{1000 * float(np.interp(0.0, p.drives, p.rates)):.0f} Hz"
            tuft = f"{p.unit:.2f}, {p.noise:.2f} mV" if p.unit else ""
            taught = f"{1000 * p.taught:.0f} Hz" if p.taught else ""
            rows.append(f"{name:{width}}  {1000 * p.peak:>9.0f} Hz  {without:>13}  {taught:>7}  {tuft:>15}")
        return "\n".join([*rows, *self.remarks])

    def plot(self, path: str | Path) -> None:
        """Draw the rate of every population against its drive.

        Parameters
        ----------
        path
            Target, by its ending PNG, PDF or SVG.
        """
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.4, 4.0), layout="constrained")
        axes = figure.add_subplot()
        for name, p in self.points.items():
            (line,) = axes.plot(p.drives, 1000 * p.rates, "o-", markersize=3, label=name)
            axes.axvline(p.middle, color=line.get_color(), linestyle=":")
        beyond = max(BEYOND * abs(float(p.drives[p.rates.argmax()])) for p in self.points.values())
        least = min(float(p.drives[0]) for p in self.points.values())
        axes.set_xlim(least, max(beyond, 1.0))
        axes.set(xlabel="drive (1: from 10 to 90 % of the rise)", ylabel="rate (Hz)", ylim=(0, None))
        axes.legend(title="dotted: where weights are placed", title_fontsize=8)
        figure.savefig(path)


def survey(examiner: Examiner, task: Task, *, tune: bool) -> Survey:
    """Measure where cells of somebody's own fire, as :meth:`segdend_plugin.Learner.survey` says."""
    bench = Bench(examiner, task)
    graph, depths = examiner.graph, examiner.graph.depths
    own = [p for p in graph.populations if isinstance(examiner.network.cells[p.name], OwnCells)]
    reached = sorted((p for p in own if bench.sets(p, "forward")), key=lambda p: depths.get(p.name, 0))
    if not reached:
        raise ConfigError("survey: no forward set reaches cells of somebody's own, and the plugin's need none.")
    if not bench.n_groups:
        raise ConfigError("survey: the task has examples without a target, but a teacher is measured: give targets.")
    for p in reached:
        survey_rates(bench, p, tune=tune)
    for p in reached:
        if p.teacher:
            survey_teacher(bench, p, tune=tune)
    for p in reached:
        if graph.onto(p.name, "feedback") and not p.teacher:
            survey_feedback(bench, p, tune=tune)
    examiner.network.hand_back()
    return Survey(bench.points, tuple(bench.remarks))
