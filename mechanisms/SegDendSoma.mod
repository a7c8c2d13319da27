TITLE Escape-rate (stochastic) soma

COMMENT
Model
    Put on the soma of any cell, it turns the somatic potential into spikes at a rate
    that is a sigmoid of it. It injects no current. See segdend_escape.inc for the
    equations.

Parameters
    rate_max 0.2 /ms    largest rate
    rest, unit (mV)     the potentials that the rule calls 0 and 1

Reference
    Guerguiev, Lillicrap & Richards (2017) eLife 6:e22901, eqs 3 and 17.
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS SegDendSoma
    RANDOM stream
    RANGE rate_max, rest, unit, id, announced, spikes, potential, rate
}

UNITS {
    (mV) = (millivolt)
}

INCLUDE "segdend_escape.inc"

INITIAL {
    start_escape()
}

BREAKPOINT {
    SOLVE advance METHOD after_cvode
}

PROCEDURE advance() {
    escape()
}
