TITLE Gate of an interneuron: keeps it silent in a chosen part of every trial

COMMENT
Model
    A strong conductance that pulls the soma far below rest while the gate is shut, as
    disinhibiting interneurons do (VIP cells onto SST cells), so that the escape rate is
    nil:

        i = g (v - rest - unit*e)

    silent_in 0     never
              1     in the windows of the trial, whose averages the rule reads
              2     until the end of the first window: in the forward phase
              3     after the end of the first window: in the target phase

    from `lead` ms before until the end of that part.

Parameters (on the 100 pF soma of templates/three_compartment.hoc, 0.1 uS is 1 /ms)
    g         1 uS      shuts within 0.1 ms
    e       -40         in units of the rule: the rate is then below 1e-12 /ms
    silent_in 0         see above
    lead      0 ms

Reference
    Pfeffer et al. (2013) Nat Neurosci 16:1068-1076 (VIP cells inhibit SST cells).
    The gate is this project's (docs/science.md).
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS SegDendGate
    NONSPECIFIC_CURRENT i
    RANGE g, e, rest, unit, silent_in, lead, i, g_shut
}

UNITS {
    (mV) = (millivolt)
    (nA) = (nanoamp)
    (uS) = (microsiemens)
}

PARAMETER {
    g = 1 (uS)
    e = -40
    rest = -70 (mV)
    unit = 1 (mV)
    silent_in = 0
    lead = 0 (ms)
}

ASSIGNED {
    v (mV)
    i (nA)
    g_shut (uS)     : 0 while the gate is open
}

VERBATIM
#include "segdend_trial.h"
ENDVERBATIM

BREAKPOINT {
    CONDUCTANCE g_shut
    g_shut = g*shut()
    i = g_shut*(v - rest - unit*e)
}

: currents are evaluated in the middle of a step
FUNCTION shut() {
VERBATIM
    const segdend::Trial& trial = segdend::trial;
    const double now = t - trial.begin;
    if (silent_in == 0. || trial.windows.empty()) {
        return 0.;
    }
    const double first_ends = trial.time(trial.windows.front().last);
    if (silent_in != 1.) {
        return silent_in == 2. ? now < first_ends : now + lead > first_ends;
    }
    for (const auto& window: trial.windows) {
        if (now + lead > trial.time(window.first) && now < trial.time(window.last)) {
            return 1.;
        }
    }
    return 0.;
ENDVERBATIM
}
