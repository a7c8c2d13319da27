TITLE Low-voltage-activated calcium channel

COMMENT
Model
    i = gbar m^2 h (v - eca), at 21 degrees C (v in mV, times in ms) with a q10 of 2.3 and
    a junction potential of 10 mV, w = v + 10

        m_inf = 1/(1 + exp(-(w + 30)/6))      m_tau = 5 + 20/(1 + exp((w + 25)/5))
        h_inf = 1/(1 + exp((w + 80)/6.4))     h_tau = 20 + 50/(1 + exp((w + 40)/7))

Parameters
    gbar (S/cm2)        density at full activation

Reference
    Avery & Johnston (1996) J Neurosci 16:5567-5582 (steady states).
    Randall & Tsien (1997) Neuropharmacology 36:879-893 (time constants).
    Hay et al. (2011) PLoS Comput Biol 7:e1002107.
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX SegDendCaLVA
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
    celsius (degC)
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

: looked up every 0.2 mV; `usetable_SegDendCaLVA = 0` computes
PROCEDURE rates(v (mV)) {
    LOCAL w, tau
    TABLE m_inf, m_step, h_inf, h_step DEPEND celsius, dt FROM -150 TO 100 WITH 1250
    w = v + 10 (mV)
    m_inf = 1/(1 + exp(-(w + 30 (mV))/6 (mV)))
    tau = (5 (ms) + 20 (ms)/(1 + exp((w + 25 (mV))/5 (mV))))/speed(celsius)
    m_step = 1 - exp(-dt/tau)
    h_inf = 1/(1 + exp((w + 80 (mV))/6.4 (mV)))
    tau = (20 (ms) + 50 (ms)/(1 + exp((w + 40 (mV))/7 (mV))))/speed(celsius)
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
