TITLE Averages and traces of any quantity, of any cells

COMMENT
Model
    One object per rank reads groups of references at the end of every step. A group has
    one quantity x of each of its references y:

        quantity 0: x = y
        quantity 1: x = (y - rest)/unit, a potential in units of the rule
        quantity 2: x = B(y), the fraction of NMDA channels that magnesium does not block at
                    1 mM (segdend_nmda.inc), y in mV
        quantity 3: x = a/(a + b), the steady activation of high-voltage-activated calcium
                    channels, a = 0.055 linoid(y + 27, 3.8) (segdend_channel.inc),
                    b = 0.94 exp(-(y + 75)/17), in 1/ms, y in mV

    It sums x over the steps that end in each window (first, last] of the trial
    (segdend_trial.h), and keeps x of every step, as the group wants. A reference may have
    a lead (ms) in a window: its window is then as much earlier (plateaus that are not
    synchronous, Fig 6 - figure supplement 1). Steps are counted from the initialisation, or
    from restart() on.

Memory is the caller's: into() takes Vectors of fixed size
    sums (windows*n), trace (steps*n), or empty ones for what is not wanted.

Parameters
    none

Reference
    Guerguiev, Lillicrap & Richards (2017) eLife 6:e22901, eqs 5 and 21.
    Reuveni, Friedman, Amitai & Gutnick (1993) J Neurosci 13:4609-4621 (quantity 3).
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS SegDendReadings
    POINTER state
}

UNITS {
    (mV) = (millivolt)
    (mM) = (milli/liter)
}

ASSIGNED {
    v (mV)
    dt (ms)
    state
}

INCLUDE "segdend_channel.inc"
INCLUDE "segdend_nmda.inc"

FUNCTION calcium(v (mV)) {
    LOCAL a, b
    a = 0.055 (/ms/mV)*linoid(v + 27 (mV), 3.8 (mV))
    b = 0.94 (/ms)*exp(-(v + 75 (mV))/17 (mV))
    calcium = a/(a + b)
}

VERBATIM
#include "segdend_readings.h"

#undef READINGS
#define READINGS (*reinterpret_cast<Readings**>(&_p_state))
ENDVERBATIM

CONSTRUCTOR {
VERBATIM
    READINGS = new Readings;
ENDVERBATIM
}

DESTRUCTOR {
VERBATIM
    delete READINGS;
    READINGS = nullptr;
ENDVERBATIM
}

INITIAL {
VERBATIM
    READINGS->start();
    READINGS->find();
ENDVERBATIM
}

BREAKPOINT {
}

: after all cells have advanced
AFTER SOLVE {
VERBATIM
    READINGS->step(t - segdend::trial.begin, dt, [&](int quantity, double* x, size_t n) {
        for (size_t k = 0; k < n; ++k) {
            x[k] = quantity == 2 ? unblocked(_threadargscomma_ x[k], 1.) : calcium(_threadargscomma_ x[k]);
        }
    });
ENDVERBATIM
}

: for a trial that begins without initialisation
PROCEDURE restart() {
VERBATIM
    READINGS->start();
ENDVERBATIM
}

: group(quantity, rest, unit): a new group with as many references as these Vectors have elements; returns its number
FUNCTION group() {
VERBATIM
    return READINGS->add(int(*getarg(1)), vector_arg(2), vector_arg(3));
ENDVERBATIM
}

: read(group, y): its next reference
PROCEDURE read() {
VERBATIM
    READINGS->group(*getarg(1)).add(hoc_hgetarg<double>(2));
ENDVERBATIM
}

: into(group, sums, trace): where to keep what is wanted of a group
PROCEDURE into() {
VERBATIM
    READINGS->group(*getarg(1)).into(vector_arg(2), vector_arg(3));
ENDVERBATIM
}

: lead(group, window, leads): by how many ms the window of each reference is earlier; none without a Vector
PROCEDURE lead() {
VERBATIM
    READINGS->group(*getarg(1)).lead(size_t(*getarg(2)), ifarg(3) ? vector_arg(3) : nullptr);
ENDVERBATIM
}
