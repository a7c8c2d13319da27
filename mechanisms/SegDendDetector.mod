TITLE Detector of action potentials, for a soma that spikes by itself

COMMENT
Model
    Counts the upward crossings of a threshold by the somatic potential, one at the end
    of the step in which it happens, and offers what SegDendSoma does for a soma that
    spikes by an escape rate. In `potential`, action potentials are cut off at the
    threshold. A steady current may bring the cell near to firing.

Parameters
    level -20 mV        threshold
    tonic (nA)          steady current into the soma
    rest, unit (mV)     the potentials that the rule calls 0 and 1

Reference
    docs/science.md, Active cells.
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS SegDendDetector
    ELECTRODE_CURRENT i
    RANGE level, tonic, i, rest, unit, id, announced, spikes, potential, rate
}

UNITS {
    (mV) = (millivolt)
    (nA) = (nanoamp)
    (uS) = (microsiemens)
}

PARAMETER {
    level = -20 (mV)            : threshold
    tonic = 0 (nA)
    rest = -80 (mV)
    unit = 1 (mV)
    id = 0                      : number of the cell
    announced = 1               : whether NetCons learn of the spikes
}

ASSIGNED {
    v (mV)
    dt (ms)
    i (nA)
    g (uS)                      : 0, and said so, for NEURON would evaluate the current twice to find out
    above                       : whether the potential was above the threshold
    spikes                      : 1 if one left in the last step
    potential                   : at the end of the step
    rate (/ms)                  : spikes in the last step over its length
}

INITIAL {
    above = v > level
    spikes = 0
    potential = (v - rest)/unit
    rate = 0
}

BREAKPOINT {
    CONDUCTANCE g
    SOLVE advance METHOD after_cvode
    i = tonic
}

PROCEDURE advance() {
    potential = (v - rest)/unit
    spikes = 0
    if (v > level) {
        if (!above) {
            spikes = 1
            if (announced) {
                spike()
            }
        }
        above = 1
        potential = (level - rest)/unit
    } else {
        above = 0
    }
    rate = spikes/dt
}

: net_event is only known to NET_RECEIVE, yet exact at the end of a step
PROCEDURE spike() {
VERBATIM
    net_event(_ppvar[1].get<Point_process*>(), t);
ENDVERBATIM
}
