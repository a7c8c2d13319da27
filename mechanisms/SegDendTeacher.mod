TITLE Teaching current at an output neuron

COMMENT
Model
    From `onset` on, a conductance pulls the soma to `e_correct` where the neuron stands
    for the label that is shown (correct = 1), and to `e_wrong` elsewhere (eq 20, with
    the current entering as C dv/dt, as the released code has it):

        i = g (v - rest - unit*e)

Parameters (on the 100 pF soma of templates/three_compartment.hoc, 0.1 uS is 1 /ms)
    g         0.1 uS    g_E = g_I = 1
    e_correct 8         E_E, in units of the rule
    e_wrong  -8         E_I, in units of the rule
    onset     1e9 ms    start of the target phase

Reference
    Guerguiev, Lillicrap & Richards (2017) eLife 6:e22901, eqs 19-20.
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS SegDendTeacher
    NONSPECIFIC_CURRENT i
    RANGE g, e_correct, e_wrong, rest, unit, correct, i
    GLOBAL onset
}

UNITS {
    (mV) = (millivolt)
    (nA) = (nanoamp)
    (uS) = (microsiemens)
}

PARAMETER {
    g = 0.1 (uS)
    e_correct = 8
    e_wrong = -8
    rest = -70 (mV)
    unit = 1 (mV)
    correct = 0
    onset = 1e9 (ms)
}

ASSIGNED {
    v (mV)
    i (nA)
    g_open (uS)
}

BREAKPOINT {
    CONDUCTANCE g_open
    g_open = 0
    if (t > onset) {
        g_open = g
    }
    i = g_open*(v - rest - unit*(correct*e_correct + (1 - correct)*e_wrong))
}
