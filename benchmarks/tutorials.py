"""NetPyNE's own tutorials, taught by the plugin: Hodgkin-Huxley cells learn XOR through NetPyNE's NetCons.

What the tutorials declare is here in our words (NetPyNE, doc/source/code/tut2.py and tut3.py, examples/HHTut); the
lines that make them trainable are marked as added. Two bits are shown by 32 NetStims: 8 that fire where the first bit
is 1, 8 where it is 0, and so on. No linear readout of them tells whether the bits differ.

    python -m benchmarks.tutorials tut2 --seed 0
    python -m benchmarks.tutorials tut2 --seed 0 --frozen     # the control: hidden weights stay as they were placed
"""

import argparse

import segdend_plugin

ranks = segdend_plugin.start()  # before anything imports neuron or netpyne
segdend_plugin.abort_on_error()  # an error on one rank ends all of them

import numpy as np  # noqa: E402
from netpyne import specs  # noqa: E402

from segdend_plugin import Learner, rules, schedules, tasks  # noqa: E402

HH = {"gnabar": 0.12, "gkbar": 0.036, "gl": 0.003, "el": -70}
PLASTIC = {"mech": "SegDend"}
FEEDBACK = {"mech": "SegDend", "params": {"role": "feedback"}}


def between(pre, post, **more):
    return {"preConds": {"pop": pre}, "postConds": {"pop": post}, **more}


def inputs(net):
    net.popParams["in"] = {"cellModel": "NetStim", "numCells": 32, "rate": 60, "noise": 1}  # added
    net.synMechParams["inh"] = {"mod": "Exp2Syn", "tau1": 0.1, "tau2": 5.0, "e": -80}  # added


def tut2(net):
    """Two populations of 20 one-compartment cells with noise, and divergent connections between them."""
    soma = {"geom": {"diam": "19 + uniform(-0.5, 0.5)", "L": 18.8, "Ra": 123.0}, "mechs": {"hh": dict(HH)}}
    soma["mechs"]["hh"]["gnabar"] = "0.12 + 0.001*ynorm"
    net.cellParams["PYR"] = {"secs": {"soma": soma}}
    net.popParams["S"] = {"cellType": "PYR", "numCells": 20}
    net.popParams["M"] = {"cellType": "PYR", "numCells": 20}
    net.synMechParams["exc"] = {"mod": "Exp2Syn", "tau1": 0.1, "tau2": 5.0, "e": 0}
    net.stimSourceParams["bkg"] = {"type": "NetStim", "rate": 10, "noise": 0.5}
    bkg = {"source": "bkg", "conds": {"cellType": "PYR"}, "weight": 0.01, "delay": 5, "synMech": "exc"}
    net.stimTargetParams["bkg->PYR"] = bkg
    net.connParams["S->M"] = between("S", "M", divergence=12, weight=0.01, delay=5, synMech="exc")
    inputs(net)  # 2 lines
    signed = {"synMech": ["exc", "inh"], "weight": [0.01, 0.0]}  # added
    net.connParams["in->S"] = between("in", "S", probability=0.5, **signed, plast=PLASTIC)  # added
    net.connParams["S->M"].update(signed, plast=PLASTIC)  # added
    net.connParams["M->S"] = between("M", "S", **signed, plast=FEEDBACK)  # added
    return "S", "M"


def tut3(net):
    """The same with a dendrite on each cell, where connections land, with a probability."""
    soma = {"geom": {"diam": 18.8, "L": 18.8, "Ra": 123.0}, "mechs": {"hh": HH}}
    dend = {"geom": {"diam": 5.0, "L": 150.0, "Ra": 150.0, "cm": 1}, "mechs": {"pas": {"g": 0.0000357, "e": -70}}}
    dend["topol"] = {"parentSec": "soma", "parentX": 1.0, "childX": 0}
    net.cellParams["PYR"] = {"secs": {"soma": soma, "dend": dend}}
    net.popParams["S"] = {"cellType": "PYR", "numCells": 20}
    net.popParams["M"] = {"cellType": "PYR", "numCells": 20}
    net.synMechParams["exc"] = {"mod": "Exp2Syn", "tau1": 1.0, "tau2": 5.0, "e": 0}
    net.stimSourceParams["bkg"] = {"type": "NetStim", "rate": 10, "noise": 0.5}
    bkg = {"source": "bkg", "conds": {"cellType": "PYR"}, "weight": 0.01, "delay": 5, "synMech": "exc"}
    net.stimTargetParams["bkg->PYR"] = bkg
    tip = {"sec": "dend", "loc": 1.0}
    net.connParams["S->M"] = between("S", "M", probability=0.5, weight=0.01, delay=5, synMech="exc", **tip)
    inputs(net)  # 2 lines
    signed = {"synMech": ["exc", "inh"], "weight": [0.01, 0.0]}  # added
    net.connParams["in->S"] = between("in", "S", probability=0.5, **signed, plast=PLASTIC)  # added
    net.connParams["S->M"].update(signed, plast=PLASTIC)  # added
    net.connParams["M->S"] = between("M", "S", **signed, **tip, plast=FEEDBACK)  # added
    return "S", "M"


def hhtut(net):
    """200 one-compartment cells with recurrent connections; 10 more cells answer."""
    net.cellParams["PYR"] = {
        "secs": {"soma": {"geom": {"diam": 18.8, "L": 18.8, "Ra": 123.0}, "mechs": {"hh": HH}, "vinit": -71}}
    }
    net.popParams["PYR"] = {"cellType": "PYR", "numCells": 200}
    net.synMechParams["AMPA"] = {"mod": "Exp2Syn", "tau1": 0.1, "tau2": 1.0, "e": 0}
    net.stimSourceParams["bkg"] = {"type": "NetStim", "rate": 10, "noise": 0.5, "start": 1}
    net.stimTargetParams["bkg->PYR"] = {
        "source": "bkg",
        "conds": {"pop": "PYR"},
        "weight": 0.1,
        "delay": "uniform(1,5)",
    }
    recurrent = {"weight": 0.002, "delay": "0.2+normal(13.0,1.4)", "threshold": 10, "convergence": "uniform(1,15)"}
    net.connParams["PYR->PYR"] = between("PYR", "PYR", **recurrent)
    inputs(net)  # 2 lines
    net.popParams["out"] = {"cellType": "PYR", "numCells": 10}  # added
    signed = {"synMech": ["AMPA", "inh"], "weight": [0.01, 0.0]}  # added
    net.connParams["in->PYR"] = between("in", "PYR", probability=0.5, **signed, plast=PLASTIC)  # added
    net.connParams["PYR->out"] = between("PYR", "out", probability=0.5, **signed, plast=PLASTIC)  # added
    net.connParams["out->PYR"] = between("out", "PYR", **signed, plast=FEEDBACK)  # added
    return "PYR", "out"


MODELS = {"tut2": tut2, "tut3": tut3, "HHTut": hhtut}
PATTERNS = np.array([np.repeat([a, 1 - a, b, 1 - b], 8) for a in (0, 1) for b in (0, 1)])
LABELS = np.array([a ^ b for a in (0, 1) for b in (0, 1)])


def task(n, seed, output, cells):
    """Return examples of XOR: bits at 60 and 5 Hz, half of the output cells for each answer."""
    shown = np.random.default_rng(seed).integers(4, size=n)
    goal = tasks.Classes(LABELS[shown], output=output, cells_per_class=cells // 2, answer="rate")
    levels = np.where(PATTERNS, 1.0, 5 / 60)
    return tasks.Examples([tasks.Stimulus({"in": levels[k]}) for k in shown], goal)


def readout(learner, hidden, train, test):
    """Return the error of the best linear readout (least squares) of the rates of hidden cells."""
    want, rates = rules.Average(hidden, "rate", whole=True), []
    for part in (train, test):
        shown = zip(range(len(part)), part.stimuli(range(len(part))), strict=True)
        seen = [learner.present(one, record=[want], example=k).seen[want] for k, one in shown]
        rates.append(np.column_stack([np.ones(len(part)), np.array(seen)]))
    weights = np.linalg.lstsq(rates[0], 2.0 * train.goal.labels - 1.0, rcond=1e-6)[0]
    return float(np.mean((rates[1] @ weights > 0) != test.goal.labels))


def main():
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("model", choices=MODELS)
    told.add_argument("--seed", type=int, default=0)
    told.add_argument("--trials", type=int, default=400)
    told.add_argument("--dt", type=float, default=0.1, help="ms; the tutorials have 0.025")
    told.add_argument("--frozen", action="store_true", help="hidden weights do not learn")
    args = told.parse_args()
    net, config = specs.NetParams(), specs.SimConfig()
    hidden, output = MODELS[args.model](net)
    config.dt, config.hParams = args.dt, {"celsius": 6.3, "v_init": -70}
    config.seeds = {"conn": args.seed + 1, "stim": args.seed + 2, "loc": args.seed + 3}
    cells = net.popParams[output]["numCells"]
    train, test = task(args.trials, args.seed, output, cells), task(200, args.seed + 1000, output, cells)
    network = segdend_plugin.create(net, config, seed=args.seed)
    learned = {hidden: 0.0} if args.frozen else {}
    learner = Learner(network, learning_rates=learned, schedule=schedules.linear(to=0.1))
    survey = learner.survey(train, tune=True)
    learner.fit(train)
    error, linear = 1.0 - learner.score(test), readout(learner, hidden, task(200, 7, output, cells), test)
    if ranks.is_root:
        print(survey)
        print(f"{args.model}, seed {args.seed}{', frozen' if args.frozen else ''}: error {100 * error:.1f} % of 200")
        print(f"best linear readout of the hidden cells' rates: {100 * linear:.1f} %")


if __name__ == "__main__":
    main()
