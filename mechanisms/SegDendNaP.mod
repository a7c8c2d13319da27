TITLE Persistent sodium channel

COMMENT
Model
    i = gbar m^3 h (v - ena), at 21 degrees C (v in mV, times in ms) with a q10 of 2.3

        m_inf = 1/(1 + exp(-(v + 52.6)/4.6))
        m_tau = 6/(0.182 linoid(v + 38, 6) + 0.124 linoid(-v - 38, 6))
        h_inf = 1/(1 + exp((v + 48.8)/10))
        h_tau = 1/(2.88e-6 linoid(-v - 17, 4.63) + 6.94e-6 linoid(v + 64.4, 2.63))

Parameters
    gbar (S/cm2)        density at full activation

Reference
    Magistretti & Alonso (1999) J Gen Physiol 114:491-509.
    Hay et al. (2011) PLoS Comput Biol 7:e1002107.
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX SegDendNaP
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

: looked up every 0.2 mV; `usetable_SegDendNaP = 0` computes
PROCEDURE rates(v (mV)) {
    LOCAL a, b, tau
    TABLE m_inf, m_step, h_inf, h_step DEPEND celsius, dt FROM -150 TO 100 WITH 1250
    m_inf = 1/(1 + exp(-(v + 52.6 (mV))/4.6 (mV)))
    a = 0.182 (/ms/mV)*linoid(v + 38 (mV), 6 (mV))
    b = 0.124 (/ms/mV)*linoid(-v - 38 (mV), 6 (mV))
    tau = 6/(a + b)/speed(celsius)
    m_step = 1 - exp(-dt/tau)
    h_inf = 1/(1 + exp((v + 48.8 (mV))/10 (mV)))
    a = 2.88e-6 (/ms/mV)*linoid(-v - 17 (mV), 4.63 (mV))
    b = 6.94e-6 (/ms/mV)*linoid(v + 64.4 (mV), 2.63 (mV))
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
