TITLE Muscarinic potassium channel (M current)

COMMENT
Model
    i = gbar m (v - ek), with rates (1/ms, v in mV) at 21 degrees C and a q10 of 2.3

        alpha = 0.0033 exp(0.1 (v + 35))     beta = 0.0033 exp(-0.1 (v + 35))

Parameters
    gbar (S/cm2)        density at full activation

Reference
    Adams, Brown & Constanti (1982) J Physiol 330:537-572.
    Hay et al. (2011) PLoS Comput Biol 7:e1002107.
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX SegDendKM
    USEION k READ ek WRITE ik
    RANGE gbar, m_inf, m_step
}

UNITS {
    (S) = (siemens)
    (mV) = (millivolt)
    (mA) = (milliamp)
}

PARAMETER {
    gbar = 0 (S/cm2)
}

ASSIGNED {
    v (mV)
    dt (ms)
    g (S/cm2)
    ek (mV)
    celsius (degC)
    ik (mA/cm2)
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
    CONDUCTANCE g USEION k
    g = gbar*m
    ik = g*(v - ek)
}

: looked up every 0.2 mV; `usetable_SegDendKM = 0` computes
PROCEDURE rates(v (mV)) {
    LOCAL a, b, tau
    TABLE m_inf, m_step DEPEND celsius, dt FROM -150 TO 100 WITH 1250
    a = 0.0033 (/ms)*exp(0.1 (/mV)*(v + 35 (mV)))
    b = 0.0033 (/ms)*exp(-0.1 (/mV)*(v + 35 (mV)))
    m_inf = a/(a + b)
    tau = 1/(a + b)/speed(celsius)
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
