TITLE Transient (fast inactivating) potassium channel

COMMENT
Model
    i = gbar m^4 h (v - ek), at 21 degrees C (v in mV, times in ms) with a q10 of 2.3 and
    a junction potential of 10 mV, w = v + 10

        m_inf = 1/(1 + exp(-w/19))           m_tau = 0.34 + 0.92 exp(-((w + 71)/59)^2)
        h_inf = 1/(1 + exp((w + 66)/10))     h_tau = 8 + 49 exp(-((w + 73)/23)^2)

Parameters
    gbar (S/cm2)        density at full activation

Reference
    Korngreen & Sakmann (2000) J Physiol 525:621-639.
    Hay et al. (2011) PLoS Comput Biol 7:e1002107.
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX SegDendKT
    USEION k READ ek WRITE ik
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
    ek (mV)
    celsius (degC)
    ik (mA/cm2)
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
    CONDUCTANCE g USEION k
    g = gbar*m*m*m*m*h
    ik = g*(v - ek)
}

: looked up every 0.2 mV; `usetable_SegDendKT = 0` computes
PROCEDURE rates(v (mV)) {
    LOCAL w, tau
    TABLE m_inf, m_step, h_inf, h_step DEPEND celsius, dt FROM -150 TO 100 WITH 1250
    w = v + 10 (mV)
    m_inf = 1/(1 + exp(-w/19 (mV)))
    tau = (0.34 (ms) + 0.92 (ms)*exp(-((w + 71 (mV))/59 (mV))^2))/speed(celsius)
    m_step = 1 - exp(-dt/tau)
    h_inf = 1/(1 + exp((w + 66 (mV))/10 (mV)))
    tau = (8 (ms) + 49 (ms)*exp(-((w + 73 (mV))/23 (mV))^2))/speed(celsius)
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
