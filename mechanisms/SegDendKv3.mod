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
    RANGE gbar, m_inf, m_tau
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
    ek (mV)
    ik (mA/cm2)
    m_inf
    m_tau (ms)
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
    SOLVE gates METHOD cnexp
    ik = gbar*m*(v - ek)
}

DERIVATIVE gates {
    rates(v)
    m' = (m_inf - m)/m_tau
}

: looked up every 0.2 mV; `usetable_SegDendKv3 = 0` computes
PROCEDURE rates(v (mV)) {
    TABLE m_inf, m_tau FROM -150 TO 100 WITH 1250
    m_inf = 1/(1 + exp(-(v - 18.7 (mV))/9.7 (mV)))
    m_tau = 4 (ms)/(1 + exp(-(v + 46.56 (mV))/44.14 (mV)))
}
