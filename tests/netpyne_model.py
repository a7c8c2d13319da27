"""A NetPyNE model as somebody else might have made it: Hodgkin-Huxley cells, random connections, noise, an IClamp."""

from netpyne import specs

PLASTIC = {"mech": "SegDend"}
FEEDBACK = {"mech": "SegDend", "params": {"role": "feedback"}}
NOISE = {"source": "noise", "weight": 0.001, "delay": 2, "synMech": "exc"}
RULES = ("in->mid", "mid->out", "out->mid")


def rule(pre, post, **more):
    return {"preConds": {"pop": pre}, "postConds": {"pop": post}, **more}


def parameters(*, marked=True, signed=True, dt=0.1):
    """Return netParams and simConfig: 12 inputs, 6 cells with a dendrite, 4 output cells, and 2 that nobody teaches."""
    net, config = specs.NetParams(), specs.SimConfig()
    soma = {"geom": {"diam": 18.8, "L": 18.8, "Ra": 123.0}}
    soma["mechs"] = {"hh": {"gnabar": 0.12, "gkbar": 0.036, "gl": 0.0003, "el": -70}}
    dendrite = {"geom": {"diam": 5.0, "L": 150.0, "Ra": 150.0, "cm": 1}, "mechs": {"pas": {"g": 3.57e-5, "e": -70}}}
    dendrite["topol"] = {"parentSec": "soma", "parentX": 1.0, "childX": 0}
    net.cellParams["PYR"] = {"secs": {"soma": soma, "dend": dendrite}}
    net.popParams["in"] = {"cellModel": "NetStim", "numCells": 12, "rate": 80, "noise": 1, "start": 0}
    net.popParams["mid"] = {"cellType": "PYR", "numCells": 6}
    net.popParams["out"] = {"cellType": "PYR", "numCells": 4}
    net.popParams["aside"] = {"cellType": "PYR", "numCells": 2}
    net.synMechParams["exc"] = {"mod": "Exp2Syn", "tau1": 0.1, "tau2": 5.0, "e": 0}
    net.synMechParams["inh"] = {"mod": "Exp2Syn", "tau1": 0.1, "tau2": 5.0, "e": -80}
    net.stimSourceParams["noise"] = {"type": "NetStim", "rate": 20, "noise": 1}
    net.stimTargetParams["noise->mid"] = {**NOISE, "conds": {"pop": "mid"}}
    synapses = ["exc", "inh"] if signed else "exc"
    soma_of = {"sec": "soma", "loc": 0.5, "synMech": synapses, "delay": "1 + dist_3D/500"}
    weight = [0.001, 0.0] if signed else 0.001
    net.connParams["in->mid"] = rule("in", "mid", probability=0.6, weight=weight, **soma_of)
    net.connParams["mid->out"] = rule("mid", "out", convergence=4, weight=weight, **soma_of)
    net.connParams["out->mid"] = rule("out", "mid", sec="dend", loc=1.0, synMech=synapses, weight=weight, delay=1.5)
    net.connParams["mid->aside"] = rule("mid", "aside", probability=0.5, weight=0.004, synMech="exc", delay=1.0)
    if marked:
        net.connParams["in->mid"]["plast"] = dict(PLASTIC)
        net.connParams["mid->out"]["plast"] = dict(PLASTIC)
        net.connParams["out->mid"]["plast"] = dict(FEEDBACK)
    config.dt, config.duration, config.verbose = dt, 100, False
    config.hParams = {"celsius": 6.3, "v_init": -70}
    return net, config


def task(n, seed=0):
    """Return examples: which half of the inputs fires more says which half of the output cells is to fire."""
    import numpy as np

    from segdend_plugin import tasks

    labels = np.random.default_rng(seed).integers(2, size=n)
    levels = np.array([[1.0] * 6 + [0.1] * 6, [0.1] * 6 + [1.0] * 6])[labels]
    goal = tasks.Classes(labels, classes=2, output="out", cells_per_class=2, answer="rate")
    return tasks.Examples([tasks.Stimulus({"in": shown}) for shown in levels], goal)
