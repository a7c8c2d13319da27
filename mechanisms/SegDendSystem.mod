TITLE Passive cells of one population as linear systems of few states, with escape-rate somas

COMMENT
Model
    A passive tree with current synapses is linear: implicit Euler makes of it a recursion
    with one potential per compartment, which few states follow to a tolerance
    (segdend_plugin/cells/linear.py),

        x[n+1] = A x[n] + sum over sets and slots of B drive,    v = rest + c x

    A has blocks of two states and is that of a kind of cell; B belongs to each cell, whose
    synapses are at places of their own. The drives are those that a SegDendProjection keeps
    for the step. What comes out is the potential of the soma, which sets the rate at which
    the cell spikes (segdend_escape.inc has the equations), and those of further places.

    One object per population and rank advances all of its cells, eight at a time:

        bind(blocks, out, rest, unit, rate_max)     begin anew, with the Vectors of A and of the potentials
        add(cell, id, spikes, potential, rate, announced)
                                    its next SegDendLinear, and references to these variables of it
        enter(gains, drives)        a set that drives them: B, and the drives
        read(weights)               c of the next output, of all cells or of each; the first is the soma's

Memory is the caller's: Vectors of fixed size
    blocks (n_states/2*4), out (outputs*n_cells, in mV, cell fastest),
    gains (n_states*n_slots*n_cells, mV), drives (n_slots*n_cells), weights (n_states or n_states*n_cells)

Parameters
    none

Reference
    docs/science.md, Linear cells.
    Guerguiev, Lillicrap & Richards (2017) eLife 6:e22901, eqs 3 and 17.
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS SegDendSystem
    POINTER state
}

ASSIGNED {
    dt (ms)
    state
}

VERBATIM
#include "segdend_linear.h"

#undef SYSTEM
#define SYSTEM (*reinterpret_cast<System**>(&_p_state))
ENDVERBATIM

CONSTRUCTOR {
VERBATIM
    SYSTEM = new System;
ENDVERBATIM
}

DESTRUCTOR {
VERBATIM
    delete SYSTEM;
    SYSTEM = nullptr;
ENDVERBATIM
}

INITIAL {
VERBATIM
    SYSTEM->start();
ENDVERBATIM
}

BREAKPOINT {
    SOLVE advance METHOD after_cvode
}

PROCEDURE advance() {
VERBATIM
    SYSTEM->step(t, dt);
ENDVERBATIM
}

: for a trial that begins without initialisation
PROCEDURE restart() {
VERBATIM
    SYSTEM->restart();
ENDVERBATIM
}

: bind(blocks, out, rest, unit, rate_max)
PROCEDURE bind() {
VERBATIM
    SYSTEM->bind(vector_arg(1), vector_arg(2), *getarg(3), *getarg(4), *getarg(5));
ENDVERBATIM
}

: add(cell, id, spikes, potential, rate, announced)
PROCEDURE add() {
VERBATIM
    SYSTEM->add(ob2pntproc(*hoc_objgetarg(1)), *getarg(2), hoc_hgetarg<double>(3), hoc_hgetarg<double>(4),
                hoc_hgetarg<double>(5), hoc_hgetarg<double>(6));
ENDVERBATIM
}

: enter(gains, drives)
PROCEDURE enter() {
VERBATIM
    SYSTEM->enter(vector_arg(1), vector_arg(2));
ENDVERBATIM
}

: read(weights)
PROCEDURE read() {
VERBATIM
    SYSTEM->read(vector_arg(1));
ENDVERBATIM
}
