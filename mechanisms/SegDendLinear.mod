TITLE Passive cells as linear systems of few states, with escape-rate somas

COMMENT
Model
    A passive tree with current synapses is linear: implicit Euler makes of it a recursion
    with one potential per compartment, which few states follow to a tolerance
    (segdend_plugin/cells/linear.py),

        x[n+1] = A x[n] + sum over sets and slots of B drive,    v = rest + c x

    A has blocks of two states and is that of a kind of cell; B belongs to each cell, whose
    synapses are at places of their own. The drives are those that a SegDendProjection keeps
    for the step. What comes out is the potential of the soma, which sets the rate at which
    the cell spikes (segdend_escape.inc), and those of further places.

    One object for each cell, none of which has a compartment: all lie in one section, and
    the last one advances all cells of the rank. The first cell of a population has the
    system of all of its cells:

        bind(blocks, out)     begin anew, with the Vectors of A and of the potentials
        add(soma)             its next cell, by a reference to the cell's `soma`
        enter(gains, drives)  a set that drives them: B, and the drives
        read(weights)         c of the next output, of all cells or of each; the first is the soma's

Memory is the caller's: Vectors of fixed size
    blocks (n_states/2*4), out (outputs*n_cells, in mV, cell fastest),
    gains (n_states*n_slots*n_cells, mV), drives (n_slots*n_cells), weights (n_states or n_states*n_cells)

Parameters
    rate_max 0.2 /ms    largest rate
    rest, unit (mV)     the potentials that the rule calls 0 and 1

Reference
    docs/science.md, Linear cells.
    Guerguiev, Lillicrap & Richards (2017) eLife 6:e22901, eqs 3 and 17.
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS SegDendLinear
    POINTER state
    RANDOM stream
    RANGE rate_max, rest, unit, id, announced, spikes, potential, rate, soma
}

UNITS {
    (mV) = (millivolt)
}

ASSIGNED {
    state
    soma (mV)                   : potential of the soma
}

VERBATIM
#include "segdend_linear.h"

#undef SYSTEM
#define SYSTEM (*reinterpret_cast<System**>(&_p_state))

// what sets the rate is not the potential of the section in which the objects lie
#define SEGDEND_ESCAPES_AT soma
ENDVERBATIM

INCLUDE "segdend_escape.inc"

CONSTRUCTOR {
VERBATIM
    SYSTEM = nullptr;
ENDVERBATIM
}

DESTRUCTOR {
VERBATIM
    release(SYSTEM);
ENDVERBATIM
}

INITIAL {
    soma = rest
    start_escape()
VERBATIM
    if (SYSTEM) {
        SYSTEM->start();
    }
ENDVERBATIM
}

BREAKPOINT {
    SOLVE advance METHOD after_cvode
}

: without it NEURON would fail, and leave a NetCon onto a cell half made
NET_RECEIVE (weight) {
VERBATIM
    hoc_execerror("SegDendLinear: a NetCon of your own ends on a linear cell, which has no place for it: set "
                  "cable.solver to neuron.", nullptr);
ENDVERBATIM
}

PROCEDURE advance() {
VERBATIM
    if (_iml + 1 == _nt->_ml_list[_mechtype]->_nodecount) {
        for (System* one: systems) {
            one->step();
        }
    }
ENDVERBATIM
    escape()
}

: give the system up, before the Vectors that it knows go
PROCEDURE free() {
VERBATIM
    release(SYSTEM);
ENDVERBATIM
}

: bind(blocks, out)
PROCEDURE bind() {
VERBATIM
    if (!SYSTEM) {
        SYSTEM = new System;
        systems.push_back(SYSTEM);
    }
    SYSTEM->bind(vector_arg(1), vector_arg(2), rest);
ENDVERBATIM
}

: add(soma)
PROCEDURE add() {
VERBATIM
    SYSTEM->add(hoc_hgetarg<double>(1));
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
