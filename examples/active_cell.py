"""An active cell on the bench: firing rates, back-propagation, BAC firing; a figure and its numbers.

python examples/active_cell.py                                    the schematic layer 5 cell of the published fit
python examples/active_cell.py mouse_v1_l5_rbp4 active_cell.png   a catalogue name or an SWC file, and the figure
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from segdend_plugin.cells import behaviour, schematic, templates
from segdend_plugin.cells.files import source
from segdend_plugin.engine import mechanisms, mpi
from segdend_plugin.errors import SegDendError
from segdend_plugin.views import figures

CURRENTS = [0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0]  # nA
APICAL = [0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0]  # nA


def prepare(name: str) -> behaviour.Preparation:
    mpi.start()
    mechanisms.load()
    with TemporaryDirectory() as folder:
        swc = schematic.write_layer_5(Path(folder) / "cell.swc") if name == "schematic" else source.load(name).swc
        return behaviour.Preparation(templates.pyramidal_active(swc, templates.Membrane(d_lambda=0.2)))


def main(name: str = "schematic", out: str = "active_cell.png") -> None:
    bench = prepare(name)
    pulse = behaviour.smallest_pulse(bench)

    print(f"rest: soma {bench.rest[str(bench.soma)]:.1f} mV, hot zone {bench.rest[str(bench.apical)]:.1f} mV")
    print(f"input resistance {behaviour.input_resistance(bench):.0f} MOhm")
    spike = behaviour.action_potential(bench, pulse)
    print(
        f"action potential: threshold {spike.threshold:.0f} mV, height {spike.height:.0f} mV, "
        f"width {spike.width:.2f} ms"
    )
    rates = behaviour.firing_rates(bench, CURRENTS)
    print("firing rates: " + ", ".join(f"{i:g} nA {f:.0f} Hz" for i, f in zip(CURRENTS, rates, strict=True)))
    distance, height = behaviour.back_propagation(bench, pulse)
    print(f"back-propagation: {height[0]:.0f} mV at the soma, {height[-1]:.0f} mV at {distance[-1]:.0f} um")

    single = behaviour.calcium_spike(bench, pulse, 0.0)
    print(f"pulse of {pulse:.2f} nA alone: {single.spikes} spikes, hot zone {single.plateau:.0f} ms above -40 mV")
    shown = None  # the first current that makes a burst together with the pulse, else the first that makes a plateau
    for current in APICAL:
        alone, both = (behaviour.calcium_spike(bench, somatic, current) for somatic in (0.0, pulse))
        print(
            f"apical current of {current:g} nA: alone {alone.spikes} spikes, {alone.plateau:.0f} ms; "
            f"with the pulse {both.spikes} spikes, {both.plateau:.0f} ms"
        )
        bursts, lasts = both.spikes > alone.spikes + single.spikes, both.plateau > single.plateau + 10
        if (bursts and (shown is None or not shown[0])) or (lasts and shown is None):
            shown = bursts, alone, both, current
    _, alone, both, current = shown or (False, alone, both, current)

    figure = Figure(figsize=(12, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    firing, back, *traces = figure.subplots(1, 5)
    firing.plot(CURRENTS, rates, "o-", color="#222222")
    firing.set(title="firing rate", xlabel="somatic current (nA)", ylabel="Hz")
    back.plot(distance, height, color="#222222")
    back.set(title="back-propagation", xlabel="distance from soma (um)", ylabel="amplitude (mV)", ylim=(0, None))
    titles = (f"apical {current:g} nA", f"somatic {pulse:.2f} nA", "both")
    for axes, answer, title in zip(traces, (alone, single, both), titles, strict=True):
        axes.plot(answer.times, answer.apical, color="#D55E00", label="hot zone")
        axes.plot(answer.times, answer.soma, color="#222222", label="soma")
        axes.set(title=title, xlabel="ms", ylim=(-95, max(60, np.max(both.apical) + 5)))
    traces[0].set_ylabel("mV")
    traces[0].legend(frameon=False)
    for axes in (firing, back, *traces):
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(name if name == "schematic" else Path(name).stem)
    figures.save(figure, out, "FIGURE")
    print(out)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:3])
    except SegDendError as error:
        print(f"segdend: {error}", file=sys.stderr)
        sys.exit(2)
