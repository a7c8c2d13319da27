"""Your own cells in plain NEURON, taught by the plugin as they are.

Hodgkin-Huxley cells, gids, NetCons with delays of their own and NetStims are made as in any parallel script. `attach`
finds the cells by their gids; a rule changes the weights of the NetCons that it is given, and of no others.

Run it with `python examples/own_cells.py`, or `mpiexec -n 2 python examples/own_cells.py`: the weights are the same.
"""

import hashlib

import numpy as np

import segdend_plugin

ranks = segdend_plugin.start()  # before anything imports neuron; loads SegDendInput
segdend_plugin.abort_on_error()  # an error on one rank ends all of them

from neuron import h  # noqa: E402

from segdend_plugin import Gids, Learner, NetCons, Teacher, attach, rules, tasks  # noqa: E402
from segdend_plugin.kinds import Own, Poisson  # noqa: E402

INPUTS, CELLS = range(30), range(100, 103)
pc = ranks.pc
h.dt, h.celsius = 0.05, 6.3

cells, synapses, noise, netcons, teachers = {}, {}, {}, [], {}
for gid in [*INPUTS, *CELLS][ranks.rank :: ranks.size]:
    pc.set_gid2node(gid, ranks.rank)
    if gid in INPUTS:
        cells[gid] = h.SegDendInput()  # spikes at rates that the task gives
        pc.cell(gid, h.NetCon(cells[gid], None))
        continue
    soma = cells[gid] = h.Section(name=f"cell{gid}")
    soma.L = soma.diam = 18.8
    soma.insert("hh")
    pc.cell(gid, h.NetCon(soma(0.5)._ref_v, None, sec=soma))
    synapses[gid] = h.ExpSyn(soma(0.5))
    synapses[gid].tau = 3
    noise[gid - CELLS[0]] = stim = h.NetStim()
    stim.interval, stim.number, stim.start, stim.noise = 20, 1e9, 0, 1
    background = h.NetCon(stim, synapses[gid])
    background.weight[0] = 0.002
    teachers[gid] = Teacher(h.IClamp(soma(0.5)), 0.4, -0.3)  # nA at levels 1 and 0
    netcons.append(background)

plastic = []
for gid in synapses:
    draw = np.random.default_rng(gid)  # by cell, so that ranks do not matter
    for source in INPUTS:
        if draw.random() < 0.8:
            netcon = pc.gid_connect(source, synapses[gid])
            netcon.weight[0], netcon.delay = 0.003 * draw.random(), draw.uniform(1, 4)
            plastic.append((source, gid, netcon))

network = attach(
    {"inputs": Gids(INPUTS, Poisson()), "cells": Gids(CELLS, Own("hh", drive_per_weight=2000.0), teachers)},
    [NetCons("inputs->cells", "inputs", "cells", plastic)],
    background=noise,
)

patterns = np.random.default_rng(1).permutation(np.repeat(np.eye(3), 10, axis=1), axis=1)
labels = np.arange(30) % 3
task = tasks.arrays(0.2 * patterns[labels], labels, input="inputs", output="cells", answer="rate")
rule = rules.UrbanczikSenn(rate_max=0.08, theta=0.5, beta=4)  # about how these cells fire (1/ms) when they are driven
learner = Learner(network, rule, learning_rates=3)
before = learner.score(task)
learner.fit(task)
after = learner.score(task)
weights = learner.weights("inputs->cells")  # every rank asks
if ranks.is_root:
    print(f"correct before {100 * before:.0f} %, after {100 * after:.0f} %")
    print(f"weights {hashlib.sha256(weights.tobytes()).hexdigest()[:12]}")
