TITLE Persistent (slowly inactivating) potassium channel

COMMENT
Model
    i = gbar m^2 h (v - ek), at 21 degrees C (v in mV, times in ms) with a q10 of 2.3 and
    a junction potential of 10 mV, w = v + 10

        m_inf = 1/(1 + exp(-(w + 1)/12))
        m_tau = 1.25 + 175.03 exp(0.026 w) below w = -50, else 1.25 + 13 exp(-0.026 w)
        h_inf = 1/(1 + exp((w + 54)/11))
        h_tau = 360 + (1010 + 24 (w + 55)) exp(-((w + 75)/48)^2)

Parameters
    gbar (S/cm2)        density at full activation

Reference
    Korngreen & Sakmann (2000) J Physiol 525:621-639.
    Hay et al. (2011) PLoS Comput Biol 7:e1002107.
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX SegDendKP
    USEION k READ ek WRITE ik
    RANGE gbar, m_inf, m_tau, h_inf, h_tau
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
    h_inf
    h_tau (ms)
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
    SOLVE gates METHOD cnexp
    ik = gbar*m*m*h*(v - ek)
}

DERIVATIVE gates {
    rates(v)
    m' = (m_inf - m)/m_tau
    h' = (h_inf - h)/h_tau
}

: looked up every 0.2 mV; `usetable_SegDendKP = 0` computes
PROCEDURE rates(v (mV)) {
    LOCAL w
    TABLE m_inf, m_tau, h_inf, h_tau DEPEND celsius FROM -150 TO 100 WITH 1250
    w = v + 10 (mV)
    m_inf = 1/(1 + exp(-(w + 1 (mV))/12 (mV)))
    if (w < -50 (mV)) {
        m_tau = (1.25 (ms) + 175.03 (ms)*exp(0.026 (/mV)*w))/speed(celsius)
    } else {
        m_tau = (1.25 (ms) + 13 (ms)*exp(-0.026 (/mV)*w))/speed(celsius)
    }
    h_inf = 1/(1 + exp((w + 54 (mV))/11 (mV)))
    h_tau = (360 (ms) + (1010 (ms) + 24 (ms/mV)*(w + 55 (mV)))*exp(-((w + 75 (mV))/48 (mV))^2))/speed(celsius)
}
