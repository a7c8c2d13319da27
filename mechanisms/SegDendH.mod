TITLE Hyperpolarisation-activated cation channel (Ih)

COMMENT
Model
    i = gbar m (v - reversal), with rates (1/ms, v in mV)

        alpha = 0.00643 linoid(-v - 154.9, 11.9)     beta = 0.193 exp(v/33.1)

Parameters
    gbar (S/cm2)        density at full activation
    reversal -45 mV

Reference
    Kole, Hallermann & Stuart (2006) J Neurosci 26:1677-1687.
    Hay et al. (2011) PLoS Comput Biol 7:e1002107.
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX SegDendH
    NONSPECIFIC_CURRENT i
    RANGE gbar, m_inf, m_step, reversal, i
}

UNITS {
    (S) = (siemens)
    (mV) = (millivolt)
    (mA) = (milliamp)
}

PARAMETER {
    gbar = 0 (S/cm2)
    reversal = -45 (mV)
}

ASSIGNED {
    v (mV)
    dt (ms)
    g (S/cm2)
    i (mA/cm2)
    m_inf
    m_step
}

STATE {
    m
}

INCLUDE "segdend_channel.inc"

INITIAL {
    rates(v)
    m = m_inf
}

BREAKPOINT {
    SOLVE gates
    CONDUCTANCE g
    g = gbar*m
    i = g*(v - reversal)
}

: looked up every 0.2 mV; `usetable_SegDendH = 0` computes
PROCEDURE rates(v (mV)) {
    LOCAL a, b, tau
    TABLE m_inf, m_step DEPEND dt FROM -150 TO 100 WITH 1250
    a = 0.00643 (/ms/mV)*linoid(-v - 154.9 (mV), 11.9 (mV))
    b = 0.193 (/ms)*exp(v/33.1 (mV))
    m_inf = a/(a + b)
    tau = 1/(a + b)
    m_step = 1 - exp(-dt/tau)
}

: exactly, as if v stood still in a step; with the table, of all compartments at once
PROCEDURE gates() {
VERBATIM
    if (usetable) {
        if (IS_LAST) {
            RELAX(m);
        }
        return 0;
    }
ENDVERBATIM
    rates(v)
    m = m + m_step*(m_inf - m)
}
