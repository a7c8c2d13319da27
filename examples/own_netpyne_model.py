"""Your own NetPyNE model, taught by the plugin.

You declare populations, cells and ordinary connections as always. A connection rule whose `plast` names
SegDendProjection becomes a dense plastic projection; every other rule (here an inhibitory population) is NetPyNE's.

Run it with `python examples/own_netpyne_model.py`, or `mpiexec -n 2 python examples/own_netpyne_model.py`.
"""

import segdend_plugin

ranks = segdend_plugin.start_mpi()  # before anything imports neuron or netpyne
segdend_plugin.abort_on_error()  # an error on one rank ends all of them

from netpyne import specs  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402

from segdend_plugin.engine import mechanisms  # noqa: E402
from segdend_plugin.model.streams import Purpose  # noqa: E402
from segdend_plugin.rule import phases  # noqa: E402

mechanisms.load()
side = 56.4189583548  # um, 100 pF


def lumped():
    return {
        "secs": {
            "soma": {
                "geom": {"L": side, "diam": side, "cm": 1.0},
                "pointps": {"neuron": {"mod": "SegDendLumped", "loc": 0.5}},
            }
        }
    }


def ours(role):
    return {"mech": "SegDendProjection", "params": {"role": role}}


net = specs.NetParams()
net.cellParams["lumped"] = lumped()
net.cellParams["basket"] = {
    "secs": {
        "soma": {
            "geom": {"L": 15.0, "diam": 15.0, "cm": 1.0},
            "mechs": {"hh": {"gnabar": 0.12, "gkbar": 0.036, "gl": 3e-4, "el": -60.0}},
        }
    }
}
net.popParams["retina"] = {"cellModel": "SegDendInput", "numCells": 64}
net.popParams["cortex"] = {"cellType": "lumped", "numCells": 50}
net.popParams["choice"] = {"cellType": "lumped", "numCells": 10}
net.popParams["baskets"] = {"cellType": "basket", "numCells": 5}
net.synMechParams["exc"] = {"mod": "ExpSyn", "tau": 2.0, "e": 0.0}

net.connParams["retina->cortex"] = {
    "preConds": {"pop": "retina"},
    "postConds": {"pop": "cortex"},
    "plast": ours("feedforward"),
}
net.connParams["cortex->choice"] = {
    "preConds": {"pop": "cortex"},
    "postConds": {"pop": "choice"},
    "plast": ours("feedforward"),
}
net.connParams["choice->cortex"] = {
    "preConds": {"pop": "choice"},
    "postConds": {"pop": "cortex"},
    "plast": ours("feedback"),
}
net.connParams["cortex->baskets"] = {  # NetPyNE's own
    "preConds": {"pop": "cortex"},
    "postConds": {"pop": "baskets"},
    "probability": 0.2,
    "weight": 0.002,
    "delay": 2.0,
    "synMech": "exc",
}

config = specs.SimConfig()
config.dt = 0.25
config.hParams = {"v_init": -70.0}

network = segdend_plugin.create_netpyne(net, config, seed=0)
digits = load_digits()
for example in range(20):
    schedule = phases.training_schedule(0, example, dt=0.25, forward=50, target=50, settle=30, jitter=True)
    image, label = digits.data[example] / 16, int(digits.target[example])
    network.show(image, schedule, Purpose.TRAINING_SPIKES, example, label)
    network.learn(schedule, (1.0, 0.3), example, train_hidden=True)
weights = network.gather_weights()
if ranks.is_root:
    from netpyne import sim

    print({name: matrix.shape for name, (matrix, biases) in weights.items()})
    print(f"NetPyNE still holds its own {sum(len(cell.conns) for cell in sim.net.cells)} connections on this rank")
