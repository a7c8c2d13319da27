TITLE Windowed average of a local quantity: the plateau of an apical tuft

COMMENT
Model
    Sums a quantity over the steps that end in the forward window
    (forward_on, forward_off] and in the target window (target_on, target_off]:

        quantity 0: (v - rest)/unit; the plateau potential is alpha = sigma(average),
                    one number per phase (eqs 5/21), computed outside the time step
        quantity 1: B(v) = 1/(1 + [Mg]/3.57 exp(-0.062 v)), [Mg] = 1 mM, the fraction of
                    NMDA channels that magnesium does not block
        quantity 2: m_inf(v) = a/(a + b), the steady activation of high-voltage-activated
                    calcium channels, a = 0.055 (-27 - v)/(exp((-27 - v)/3.8) - 1),
                    b = 0.94 exp((-75 - v)/17), in 1/ms; the average is a plateau as it is

    with v in mV.

Parameters
    quantity 0          what is summed
    rest, unit (mV)     the potentials that the rule calls 0 and 1
    forward_lead, target_lead 0 ms  by which this cell's windows, and so its plateaus,
                        precede those of the network (Fig 6 - figure supplement 1)

Reference
    Guerguiev, Lillicrap & Richards (2017) eLife 6:e22901, eqs 5 and 21.
    Jahr & Stevens (1990) J Neurosci 10:3178-3182, eq 4a (quantity 1).
    Reuveni, Friedman, Amitai & Gutnick (1993) J Neurosci 13:4609-4621 (quantity 2).
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS SegDendProbe
    RANGE quantity, rest, unit, forward_apical, target_apical, forward_lead, target_lead
    GLOBAL forward_on, forward_off, target_on, target_off
}

UNITS {
    (mV) = (millivolt)
}

PARAMETER {
    quantity = 0
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
        forward_apical = forward_apical + seen()
    }
    if (t + target_lead > target_on + 0.5*dt && t + target_lead < target_off + 0.5*dt) {
        target_apical = target_apical + seen()
    }
}

FUNCTION seen() {
    if (quantity == 0) {
        seen = (v - rest)/unit
    } else if (quantity == 1) {
        seen = nmda(v)
    } else {
        seen = calcium(v)
    }
}

FUNCTION nmda(v (mV)) {
    nmda = 1/(1 + exp(-0.062 (/mV) * v)/3.57)
}

FUNCTION calcium(v (mV)) {
    LOCAL opening, closing
    opening = 0.055 (/mV) * 3.8 (mV) * linoid((-27 (mV) - v)/3.8 (mV))
    closing = 0.94 * exp((-75 (mV) - v)/17 (mV))
    calcium = opening/(opening + closing)
}

: x/(exp(x) - 1), also at 0
FUNCTION linoid(x) {
    if (fabs(x) < 1e-6) {
        linoid = 1 - x/2
    } else {
        linoid = x/(exp(x) - 1)
    }
}
