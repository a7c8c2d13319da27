TITLE Gate of an interneuron: keeps it silent in a chosen part of every trial

COMMENT
Model
    A strong conductance that pulls the soma far below rest while the gate is shut, as
    disinhibiting interneurons do (VIP cells onto SST cells), so that the escape rate is
    nil:

        i = g (v - rest - unit*e)

    silent_in 0     never
              1     in the windows of both phases, whose averages the rule reads
              2     in the forward phase, from the start of the trial
              3     in the target phase

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
    RANGE g, e, rest, unit, silent_in, lead, i
    GLOBAL forward_on, forward_off, target_on, target_off
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
    forward_on = 1e9 (ms)
    forward_off = 1e9 (ms)
    target_on = 1e9 (ms)
    target_off = 1e9 (ms)
}

ASSIGNED {
    v (mV)
    i (nA)
    g_shut (uS)
}

BREAKPOINT {
    CONDUCTANCE g_shut
    g_shut = g*shut()
    i = g_shut*(v - rest - unit*e)
}

: currents are evaluated in the middle of a step
FUNCTION shut() {
    LOCAL from_now
    from_now = t + lead
    shut = 0
    if (silent_in == 1) {
        if ((from_now > forward_on && t < forward_off) || (from_now > target_on && t < target_off)) {
            shut = 1
        }
    }
    if (silent_in == 2 && t < forward_off) {
        shut = 1
    }
    if (silent_in == 3 && from_now > forward_off) {
        shut = 1
    }
}
