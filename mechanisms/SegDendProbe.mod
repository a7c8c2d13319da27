TITLE Windowed average of a local quantity: the plateau of an apical tuft

COMMENT
Model
    Sums a quantity over the steps that end in the forward window
    (forward_on, forward_off] and in the target window (target_on, target_off]:

        quantity 0: (v - rest)/unit; the plateau potential is alpha = sigma(average),
                    one number per phase (eqs 5/21), computed outside the time step
        quantity 1: B(v), the fraction of NMDA channels that magnesium does not block at
                    1 mM (segdend_nmda.inc)
        quantity 2: m_inf(v) = a/(a + b), the steady activation of high-voltage-activated
                    calcium channels, a = 0.055 linoid(v + 27, 3.8) (segdend_channel.inc),
                    b = 0.94 exp(-(v + 75)/17), in 1/ms, v in mV

    The averages of quantities 1 and 2 are plateaus as they are.

Parameters
    quantity 0          what is summed
    rest, unit (mV)     the potentials that the rule calls 0 and 1
    forward_lead, target_lead 0 ms  by which this cell's windows, and so its plateaus,
                        precede those of the network (Fig 6 - figure supplement 1)

Reference
    Guerguiev, Lillicrap & Richards (2017) eLife 6:e22901, eqs 5 and 21.
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
    (mM) = (milli/liter)
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

INCLUDE "segdend_channel.inc"
INCLUDE "segdend_nmda.inc"

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
        seen = unblocked(v, 1 (mM))
    } else {
        seen = calcium(v)
    }
}

FUNCTION calcium(v (mV)) {
    LOCAL a, b
    a = 0.055 (/ms/mV)*linoid(v + 27 (mV), 3.8 (mV))
    b = 0.94 (/ms)*exp(-(v + 75 (mV))/17 (mV))
    calcium = a/(a + b)
}
