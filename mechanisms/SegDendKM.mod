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
    celsius (degC)
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

: looked up every 0.2 mV; `usetable_SegDendKM = 0` computes
PROCEDURE rates(v (mV)) {
    LOCAL a, b
    TABLE m_inf, m_tau DEPEND celsius FROM -150 TO 100 WITH 1250
    a = 0.0033 (/ms)*exp(0.1 (/mV)*(v + 35 (mV)))
    b = 0.0033 (/ms)*exp(-0.1 (/mV)*(v + 35 (mV)))
    m_inf = a/(a + b)
    m_tau = 1/(a + b)/speed(celsius)
}
