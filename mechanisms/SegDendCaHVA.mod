TITLE High-voltage-activated calcium channel

COMMENT
Model
    i = gbar m^2 h (v - eca), with rates (1/ms, v in mV)

        m   alpha = 0.055 linoid(v + 27, 3.8)         beta = 0.94 exp(-(v + 75)/17)
        h   alpha = 0.000457 exp(-(v + 13)/50)        beta = 0.0065/(1 + exp(-(v + 15)/28))

Parameters
    gbar (S/cm2)        density at full activation

Reference
    Reuveni et al. (1993) J Neurosci 13:4609-4621.
    Hay et al. (2011) PLoS Comput Biol 7:e1002107.
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX SegDendCaHVA
    USEION ca READ eca WRITE ica
    RANGE gbar, m_inf, m_step, h_inf, h_step
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
    eca (mV)
    ica (mA/cm2)
    m_inf
    m_step
    h_inf
    h_step
}

STATE {
    m h
}

INCLUDE "segdend_channel.inc"

INITIAL {
    rates(v)
    m = m_inf
    h = h_inf
}

BREAKPOINT {
    SOLVE gates
    CONDUCTANCE g USEION ca
    g = gbar*m*m*h
    ica = g*(v - eca)
}

: looked up every 0.2 mV; `usetable_SegDendCaHVA = 0` computes
PROCEDURE rates(v (mV)) {
    LOCAL a, b, tau
    TABLE m_inf, m_step, h_inf, h_step DEPEND dt FROM -150 TO 100 WITH 1250
    a = 0.055 (/ms/mV)*linoid(v + 27 (mV), 3.8 (mV))
    b = 0.94 (/ms)*exp(-(v + 75 (mV))/17 (mV))
    m_inf = a/(a + b)
    tau = 1/(a + b)
    m_step = 1 - exp(-dt/tau)
    a = 0.000457 (/ms)*exp(-(v + 13 (mV))/50 (mV))
    b = 0.0065 (/ms)/(1 + exp(-(v + 15 (mV))/28 (mV)))
    h_inf = a/(a + b)
    tau = 1/(a + b)
    h_step = 1 - exp(-dt/tau)
}

: exactly, as if v stood still in a step; with the table, of all compartments at once
PROCEDURE gates() {
VERBATIM
    if (usetable) {
        if (IS_LAST) {
            RELAX(m);
            RELAX(h);
        }
        return 0;
    }
ENDVERBATIM
    rates(v)
    m = m + m_step*(m_inf - m)
    h = h + h_step*(h_inf - h)
}
