TITLE A cell that is a linear system, as NEURON and others know it

COMMENT
Model
    A SegDendSystem advances it beside others of its population and tells it how many
    spikes left it in the last step, its somatic potential (v - rest)/unit and its rate.
    It has no compartment: it lies in a section that says nothing of it.

Parameters
    rate_max 0.2 /ms    largest rate
    rest, unit (mV)     the potentials that the rule calls 0 and 1
    id                  identity of the random stream: number of the cell
    announced 1         whether NetCons learn of its spikes

Reference
    docs/science.md, Linear cells.
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS SegDendLinear
    RANGE rate_max, rest, unit, id, announced, spikes, potential, rate
}

UNITS {
    (mV) = (millivolt)
}

PARAMETER {
    rate_max = 0.2 (/ms)
    rest = -70 (mV)
    unit = 1 (mV)
    id = 0
    announced = 1
}

ASSIGNED {
    spikes
    potential
    rate (/ms)
}

INITIAL {
    spikes = 0
    potential = 0
    rate = 0
}

: without it NEURON would fail, and leave a NetCon onto a cell half made
NET_RECEIVE (weight) {
VERBATIM
    hoc_execerror("SegDendLinear: a NetCon of your own ends on a linear cell, which has no place for it: set "
                  "cable.solver to neuron.", nullptr);
ENDVERBATIM
}
