TITLE Transient sodium channel

COMMENT
Model
    i = gbar m^3 h (v - ena), with rates alpha, beta of each gate (1/ms, v in mV) at 21
    degrees C and a q10 of 2.3

        m   alpha = 0.182 linoid(v + 38, 6)      beta = 0.124 linoid(-v - 38, 6)
        h   alpha = 0.015 linoid(-v - 66, 6)     beta = 0.015 linoid(v + 66, 6)

Parameters
    gbar (S/cm2)        density at full activation

Reference
    Colbert & Pan (2002) Nat Neurosci 5:533-538.
    Hay et al. (2011) PLoS Comput Biol 7:e1002107 (where the set of channels is from).
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX SegDendNaT
    USEION na READ ena WRITE ina
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
    ena (mV)
    celsius (degC)
    ina (mA/cm2)
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
    CONDUCTANCE g USEION na
    g = gbar*m*m*m*h
    ina = g*(v - ena)
}

: looked up every 0.2 mV; `usetable_SegDendNaT = 0` computes
PROCEDURE rates(v (mV)) {
    LOCAL a, b, tau
    TABLE m_inf, m_step, h_inf, h_step DEPEND celsius, dt FROM -150 TO 100 WITH 1250
    a = 0.182 (/ms/mV)*linoid(v + 38 (mV), 6 (mV))
    b = 0.124 (/ms/mV)*linoid(-v - 38 (mV), 6 (mV))
    m_inf = a/(a + b)
    tau = 1/(a + b)/speed(celsius)
    m_step = 1 - exp(-dt/tau)
    a = 0.015 (/ms/mV)*linoid(-v - 66 (mV), 6 (mV))
    b = 0.015 (/ms/mV)*linoid(v + 66 (mV), 6 (mV))
    h_inf = a/(a + b)
    tau = 1/(a + b)/speed(celsius)
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
