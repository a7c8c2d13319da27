TITLE Small-conductance calcium-activated potassium channel

COMMENT
Model
    i = gbar z (v - ek), z approaching z_inf = 1/(1 + (half/cai)^4.8) within tau

Parameters
    gbar (S/cm2)        density at full activation
    half 0.00043 mM     concentration of half activation
    tau 1 ms

Reference
    Kohler et al. (1996) Science 273:1709-1714.
    Hay et al. (2011) PLoS Comput Biol 7:e1002107.
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX SegDendSK
    USEION k READ ek WRITE ik
    USEION ca READ cai
    RANGE gbar, z_inf, z_step
    GLOBAL half, tau
}

UNITS {
    (S) = (siemens)
    (mV) = (millivolt)
    (mA) = (milliamp)
    (mM) = (milli/liter)
}

PARAMETER {
    gbar = 0 (S/cm2)
    half = 0.00043 (mM)
    tau = 1 (ms)
}

ASSIGNED {
    v (mV)
    dt (ms)
    g (S/cm2)
    ek (mV)
    cai (mM)
    ik (mA/cm2)
    z_inf
    z_step
}

STATE {
    z
}

INITIAL {
    rates(cai)
    z = z_inf
}

BREAKPOINT {
    SOLVE gates
    CONDUCTANCE g USEION k
    g = gbar*z
    ik = g*(v - ek)
}

: exactly, as if calcium stood still in a step
PROCEDURE gates() {
    rates(cai)
    z = z + z_step*(z_inf - z)
}

: looked up every 5 nM up to 10 uM, where all are open; `usetable_SegDendSK = 0` computes
PROCEDURE rates(cai (mM)) {
    LOCAL bound
    TABLE z_inf, z_step DEPEND half, tau, dt FROM 0 TO 0.01 WITH 2000
    bound = 0
    if (cai > 0) {
        bound = (cai/half)^4.8
    }
    z_inf = bound/(1 + bound)
    z_step = 1 - exp(-dt/tau)
}
