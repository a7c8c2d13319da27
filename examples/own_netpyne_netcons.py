"""Hodgkin-Huxley cells of a NetPyNE model learn XOR through NetPyNE's own NetCons.

NetPyNE makes the connections, with its probabilities, delays and synapses. A rule that is marked with `plast` learns.
`survey(tune=True)` measures in the running model where the cells fire, and places their weights there.

Two bits are shown by 32 NetStims: 8 that fire where the first bit is 1, 8 where it is 0, and so on. No linear readout
of them tells whether the bits differ.

    python examples/own_netpyne_netcons.py
    python examples/own_netpyne_netcons.py --frozen     # the control: hidden weights stay as they were placed
"""

import argparse

import segdend_plugin

ranks = segdend_plugin.start()  # before anything imports neuron or netpyne
segdend_plugin.abort_on_error()  # an error on one rank ends all of them

import numpy as np  # noqa: E402
from netpyne import specs  # noqa: E402

from segdend_plugin import Learner, schedules, tasks  # noqa: E402

PLASTIC = {"mech": "SegDend"}
FEEDBACK = {"mech": "SegDend", "params": {"role": "feedback"}}


def model(seed):
    """Return an ordinary NetPyNE model: inputs, 20 hidden cells with a dendrite, 10 that answer."""
    net, config = specs.NetParams(), specs.SimConfig()
    hh = {"gnabar": 0.12, "gkbar": 0.036, "gl": 0.0003, "el": -70}
    soma = {"geom": {"diam": 18.8, "L": 18.8, "Ra": 123.0}, "mechs": {"hh": hh}}
    dend = {"geom": {"diam": 5.0, "L": 150.0, "Ra": 150.0, "cm": 1}, "mechs": {"pas": {"g": 0.0000357, "e": -70}}}
    dend["topol"] = {"parentSec": "soma", "parentX": 1.0, "childX": 0}
    net.cellParams["PYR"] = {"secs": {"soma": soma, "dend": dend}}
    net.popParams["in"] = {"cellModel": "NetStim", "numCells": 32, "rate": 60, "noise": 1}
    net.popParams["hidden"] = {"cellType": "PYR", "numCells": 20}
    net.popParams["out"] = {"cellType": "PYR", "numCells": 10}
    net.synMechParams["exc"] = {"mod": "Exp2Syn", "tau1": 0.1, "tau2": 5.0, "e": 0}
    net.synMechParams["inh"] = {"mod": "Exp2Syn", "tau1": 0.1, "tau2": 5.0, "e": -80}
    pair = {"synMech": ["exc", "inh"], "weight": [0.001, 0.0], "delay": 1.0}  # of both kinds: signed weights
    for pre, post, more in (
        ("in", "hidden", {"probability": 0.5, "plast": PLASTIC}),
        ("hidden", "out", {"probability": 0.5, "plast": PLASTIC}),
        ("out", "hidden", {"sec": "dend", "loc": 1.0, "plast": FEEDBACK}),
    ):
        rule = {"preConds": {"pop": pre}, "postConds": {"pop": post}, **pair, **more}
        net.connParams[f"{pre}->{post}"] = rule
    config.dt, config.hParams = 0.1, {"celsius": 6.3, "v_init": -70}
    config.seeds = {"conn": seed + 1, "stim": seed + 2, "loc": seed + 3}
    return net, config


def xor(n, seed):
    """Return examples: bits at 60 and 5 Hz; the first five output cells are to fire where the bits are equal."""
    bits = np.random.default_rng(seed).integers(2, size=(n, 2))
    coded = np.repeat(np.stack([bits[:, 0], 1 - bits[:, 0], bits[:, 1], 1 - bits[:, 1]], axis=1), 8, axis=1)
    goal = tasks.Classes(bits[:, 0] ^ bits[:, 1], classes=2, output="out", cells_per_class=5, answer="rate")
    return tasks.Examples([tasks.Stimulus({"in": levels}) for levels in np.where(coded, 1.0, 5 / 60)], goal)


def main():
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("--seed", type=int, default=0)
    told.add_argument("--trials", type=int, default=400)
    told.add_argument("--test", type=int, default=200, help="trials of the test")
    told.add_argument("--frozen", action="store_true", help="hidden weights do not learn")
    args = told.parse_args()
    train, test = xor(args.trials, args.seed), xor(args.test, args.seed + 1000)
    network = segdend_plugin.create(*model(args.seed), seed=args.seed)
    learner = Learner(
        network, learning_rates={"hidden": 0.0} if args.frozen else None, schedule=schedules.linear(to=0.1)
    )
    survey = learner.survey(train, tune=True)
    learner.fit(train)
    error = 1.0 - learner.score(test)
    if ranks.is_root:
        print(survey)
        print(
            f"seed {args.seed}{', frozen' if args.frozen else ''}: {100 * error:.1f} % of {args.test} trials are wrong"
        )


if __name__ == "__main__":
    main()
