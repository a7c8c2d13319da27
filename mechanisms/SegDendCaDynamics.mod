TITLE Calcium concentration in a shell under the membrane

COMMENT
Model
    The fraction gamma of the calcium current stays in a shell; from there calcium is
    removed with a time constant

        d cai/dt = -gamma ica/(2 F depth) - (cai - rest)/decay

Parameters
    gamma 0.05          fraction that is not buffered
    decay 80 ms         time constant of removal
    depth 0.1 um        of the shell
    rest 0.0001 mM      concentration without current

Reference
    Destexhe et al. (1994) J Neurophysiol 72:803-818.
    Hay et al. (2011) PLoS Comput Biol 7:e1002107.
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX SegDendCaDynamics
    USEION ca READ ica WRITE cai
    RANGE gamma, decay
    GLOBAL depth, rest
}

UNITS {
    (mA) = (milliamp)
    (um) = (micron)
    (mM) = (milli/liter)
    F = (faraday) (coulomb)
}

PARAMETER {
    gamma = 0.05
    decay = 80 (ms)
    depth = 0.1 (um)
    rest = 0.0001 (mM)
}

ASSIGNED {
    ica (mA/cm2)
}

STATE {
    cai (mM)
}

INITIAL {
    cai = rest
}

BREAKPOINT {
    SOLVE shell METHOD cnexp
}

DERIVATIVE shell {
    cai' = -(10000)*gamma*ica/(2*F*depth) - (cai - rest)/decay
}
