TITLE Windowed average of a local potential: the plateau of an apical tuft

COMMENT
Model
    Sums (v - rest)/unit over the steps that end in the forward window
    (forward_on, forward_off] and in the target window (target_on, target_off]. The
    plateau potential is alpha = sigma(average), one number per phase (eqs 5/21),
    computed outside the time step.

Parameters
    rest, unit (mV)     the potentials that the rule calls 0 and 1
    forward_lead, target_lead 0 ms  by which this cell's windows, and so its plateaus,
                        precede those of the network (Fig 6 - figure supplement 1)

Reference
    Guerguiev, Lillicrap & Richards (2017) eLife 6:e22901, eqs 5 and 21.
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS SegDendProbe
    RANGE rest, unit, forward_apical, target_apical, forward_lead, target_lead
    GLOBAL forward_on, forward_off, target_on, target_off
}

UNITS {
    (mV) = (millivolt)
}

PARAMETER {
    rest = -70 (mV)
    unit = 1 (mV)
    forward_lead = 0 (ms)
    target_lead = 0 (ms)
    forward_on = 1e9 (ms)
    forward_off = 1e9 (ms)
    target_on = 1e9 (ms)
    target_off = 1e9 (ms)
}

ASSIGNED {
    v (mV)
    dt (ms)
    forward_apical
    target_apical
}

INITIAL {
    forward_apical = 0
    target_apical = 0
}

BREAKPOINT {
    SOLVE advance METHOD after_cvode
}

: half a step of slack, because t is a sum of rounded steps
PROCEDURE advance() {
    if (t + forward_lead > forward_on + 0.5*dt && t + forward_lead < forward_off + 0.5*dt) {
        forward_apical = forward_apical + (v - rest)/unit
    }
    if (t + target_lead > target_on + 0.5*dt && t + target_lead < target_off + 0.5*dt) {
        target_apical = target_apical + (v - rest)/unit
    }
}
