"""A model in plain NEURON as somebody else might have made it: Hodgkin-Huxley cells with gids, NetCons, NetStims."""

import numpy as np
from neuron import h

INPUTS, NOISY, HIDDEN, OUTPUT = (range(first, first + n) for first, n in ((300, 10), (40, 4), (100, 8), (7, 4)))
DT = 0.05
DELAYS = (1.0, 1.5, 2.0, 2.35)


class Model:
    """Inputs that the task drives (or silent NetStims), cells that NetStims drive, two layers, and recurrence."""

    def __init__(self, pc, *, driven=True):
        self.pc = pc
        rank, size = int(pc.id()), int(pc.nhost())
        h.dt, h.celsius = DT, 6.3
        everyone = [*INPUTS, *NOISY, *HIDDEN, *OUTPUT]
        self.somas, self.synapses, self.points, self.noise, self.netcons = {}, {}, {}, {}, []
        for gid in everyone[rank::size]:
            pc.set_gid2node(gid, rank)
            if gid in INPUTS:
                cell = self.points[gid] = h.SegDendInput() if driven else h.NetStim()
                if not driven:
                    cell.interval, cell.number, cell.noise, cell.start = 10, 1e9, 1, 0
                pc.cell(gid, h.NetCon(cell, None))
                continue
            soma = self.somas[gid] = h.Section(name=f"soma{gid}")
            soma.L = soma.diam = 18.8
            soma.insert("hh")
            detector = h.NetCon(soma(0.5)._ref_v, None, sec=soma)
            detector.threshold = -10
            pc.cell(gid, detector)
            self.synapses[gid] = h.ExpSyn(soma(0.5))
            self.synapses[gid].tau = 3
        for number, gid in enumerate((*NOISY, *HIDDEN)):
            if gid in self.somas:
                stim = self.noise[number] = h.NetStim()
                stim.interval, stim.number, stim.noise, stim.start = 15 if gid in NOISY else 30, 1e9, 1, 0
                netcon = h.NetCon(stim, self.synapses[gid])
                netcon.delay, netcon.weight[0] = 1, 0.012 if gid in NOISY else 0.004
                self.netcons.append(netcon)
        self.forward = self.connect(INPUTS, HIDDEN, 0.6, 0.006)
        self.skip = self.connect(NOISY, HIDDEN, 0.6, 0.006)
        self.readout = self.connect(HIDDEN, OUTPUT, 0.7, 0.008)
        self.back = self.connect(OUTPUT, HIDDEN, 0.5, 0.002)
        self.recurrent = self.connect(HIDDEN, HIDDEN, 0.4, 0.001)
        self.clamps = {}  # of the teachers
        for gid in OUTPUT:
            if gid in self.somas:
                self.clamps[gid] = h.IClamp(self.somas[gid](0.5))

    def connect(self, pre, post, probability, weight):
        """Return NetCons onto local cells; each cell draws its own, with other delays and weights."""
        made = []
        for target in post:
            if target not in self.somas:
                continue
            draw = np.random.default_rng((target, pre[0]))
            for source in pre:
                if source != target and draw.random() < probability:
                    netcon = self.pc.gid_connect(source, self.synapses[target])
                    netcon.delay, netcon.weight[0] = draw.choice(DELAYS), weight * draw.uniform(0.5, 1.5)
                    made.append((source, target, netcon))
        return made

    def attach(self, *, driven=True, feedback=True, **options):
        from segdend_plugin.cells.units import Scale
        from segdend_plugin.engine.kinds.own import Own
        from segdend_plugin.engine.kinds.poisson import Poisson
        from segdend_plugin.hosts.neuron import Gids, NetCons, Teacher, attach

        hh = Own("hh", Scale(-65.0, 10.0), drive_per_weight=1000.0)
        sets = [
            NetCons("in->hidden", ("inputs", "noisy"), "hidden", self.forward + self.skip),
            NetCons("hidden->out", "hidden", "out", self.readout, bounds=(0.001, 0.02)),
            NetCons("out->hidden", "out", "hidden", self.back, role="feedback"),
        ]
        if not feedback:
            sets = [sets[1]]
        return attach(
            {
                "inputs": Gids(INPUTS, Poisson() if driven else hh),
                "noisy": Gids(NOISY, hh),
                "hidden": Gids(HIDDEN, hh),
                "out": Gids(OUTPUT, hh, {gid: Teacher(clamp, 0.3, -0.1) for gid, clamp in self.clamps.items()}),
            },
            sets,
            background=self.noise,
            **options,
        )
