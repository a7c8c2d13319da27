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
    ena (mV)
    celsius (degC)
    ina (mA/cm2)
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
    ina = gbar*m*m*m*h*(v - ena)
}

DERIVATIVE gates {
    rates(v)
    m' = (m_inf - m)/m_tau
    h' = (h_inf - h)/h_tau
}

: looked up every 0.2 mV; `usetable_SegDendNaP = 0` computes
PROCEDURE rates(v (mV)) {
    LOCAL a, b
    TABLE m_inf, m_tau, h_inf, h_tau DEPEND celsius FROM -150 TO 100 WITH 1250
    m_inf = 1/(1 + exp(-(v + 52.6 (mV))/4.6 (mV)))
    a = 0.182 (/ms/mV)*linoid(v + 38 (mV), 6 (mV))
    b = 0.124 (/ms/mV)*linoid(-v - 38 (mV), 6 (mV))
    m_tau = 6/(a + b)/speed(celsius)
    h_inf = 1/(1 + exp((v + 48.8 (mV))/10 (mV)))
    a = 2.88e-6 (/ms/mV)*linoid(-v - 17 (mV), 4.63 (mV))
    b = 6.94e-6 (/ms/mV)*linoid(v + 64.4 (mV), 2.63 (mV))
    h_tau = 1/(a + b)/speed(celsius)
}
