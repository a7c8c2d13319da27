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
    RANGE gamma, decay, part, part_of
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
    dt (ms)
    ica (mA/cm2)
    part                        : of the way to the steady concentration that a step goes
    part_of (ms)                : the step that this is of
}

STATE {
    cai (mM)
}

INITIAL {
    cai = rest
    part_of = 0
}

BREAKPOINT {
    SOLVE shell
}

: exactly, as if the current stood still in a step
PROCEDURE shell() {
    if (part_of != dt) {
        part = 1 - exp(-dt/decay)
        part_of = dt
    }
    cai = cai + part*(rest - (10000)*decay*gamma*ica/(2*F*depth) - cai)
}
