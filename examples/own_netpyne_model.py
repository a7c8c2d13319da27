"""Your own NetPyNE model, taught by the plugin.

Populations, cells and connections are declared as always. A connection rule whose `plast` names SegDend becomes a dense
set that learns; every other rule (here onto inhibitory cells) is NetPyNE's.

Run it with `python examples/own_netpyne_model.py`, or `mpiexec -n 2 python examples/own_netpyne_model.py`.
"""

import segdend_plugin

ranks = segdend_plugin.start()  # before anything imports neuron or netpyne
segdend_plugin.abort_on_error()  # an error on one rank ends all of them

from netpyne import sim, specs  # noqa: E402

from segdend_plugin import Learner, rules, tasks  # noqa: E402


def cell(size, **contents):
    return {"secs": {"soma": {"geom": {"L": size, "diam": size, "cm": 1.0}, **contents}}}


def connected(pre, post, **what):
    return {"preConds": {"pop": pre}, "postConds": {"pop": post}, **what}


def learned(role):
    return {"mech": "SegDend", "params": {"role": role}}


net = specs.NetParams()
net.cellParams["pyramidal"] = cell(56.4189583548, pointps={"neuron": {"mod": "SegDendLumped", "loc": 0.5}})  # 100 pF
net.cellParams["basket"] = cell(15.0, mechs={"hh": {"gnabar": 0.12, "gkbar": 0.036, "gl": 3e-4, "el": -60.0}})
net.popParams["retina"] = {"cellModel": "SegDendInput", "numCells": 64}
net.popParams["cortex"] = {"cellType": "pyramidal", "numCells": 50}
net.popParams["choice"] = {"cellType": "pyramidal", "numCells": 10}
net.popParams["baskets"] = {"cellType": "basket", "numCells": 5}
net.synMechParams["exc"] = {"mod": "ExpSyn", "tau": 2.0, "e": 0.0}
net.connParams["retina->cortex"] = connected("retina", "cortex", plast=learned("forward"))
net.connParams["cortex->choice"] = connected("cortex", "choice", plast=learned("forward"))
net.connParams["choice->cortex"] = connected("choice", "cortex", plast=learned("feedback"))
net.connParams["cortex->baskets"] = connected(
    "cortex", "baskets", probability=0.2, weight=0.002, delay=2.0, synMech="exc"
)
config = specs.SimConfig()
config.dt = 0.25
config.hParams = {"v_init": -70.0}

network = segdend_plugin.create(net, config, seed=0)
learner = Learner(network, rules.Guerguiev(), learning_rates={"cortex": 1.0, "choice": 0.3})
learner.fit(tasks.load("digits", train=20, input="retina", output="choice").train)
shapes = {name: learner.weights(name).shape for name in ("retina->cortex", "cortex->choice")}  # every rank asks
if ranks.is_root:
    print(shapes)
    print(f"NetPyNE still holds its own {sum(len(cell.conns) for cell in sim.net.cells)} connections on this rank")
