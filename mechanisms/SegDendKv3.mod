TITLE Fast, non-inactivating potassium channel Kv3.1

COMMENT
Model
    i = gbar m (v - ek), v in mV and times in ms

        m_inf = 1/(1 + exp(-(v - 18.7)/9.7))     m_tau = 4/(1 + exp(-(v + 46.56)/44.14))

Parameters
    gbar (S/cm2)        density at full activation

Reference
    Rettig et al. (1992) EMBO J 11:2473-2486.
    Hay et al. (2011) PLoS Comput Biol 7:e1002107.
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX SegDendKv3
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

: looked up every 0.2 mV; `usetable_SegDendKv3 = 0` computes
PROCEDURE rates(v (mV)) {
    LOCAL tau
    TABLE m_inf, m_step DEPEND dt FROM -150 TO 100 WITH 1250
    m_inf = 1/(1 + exp(-(v - 18.7 (mV))/9.7 (mV)))
    tau = 4 (ms)/(1 + exp(-(v + 46.56 (mV))/44.14 (mV)))
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
