TITLE Poisson input cell whose level is constant or changes, or whose spikes are given

COMMENT
Model
    A Poisson process of rate level*rate_max, from the start until the end of the trial.
    level is, for instance, a pixel's brightness between 0 and 1. It is constant, or
    piecewise constant after course(); spikes leave where the integral of the rate crosses
    thresholds whose distances are unit-mean exponentials. After given() the cell sends the
    spikes that it is given. segdend_source.h has the equations; a SegDendProjection draws
    the same train by itself.

Parameters
    level    0          constant level
    rate_max 0.2 /ms    rate at level 1, 200 Hz
    id                  number of the cell: identity of its random stream
    announced 1         whether NetCons learn of its spikes

Reference
    Guerguiev, Lillicrap & Richards (2017) eLife 6:e22901, Methods.
ENDCOMMENT

NEURON {
    THREADSAFE
    ARTIFICIAL_CELL SegDendInput
    POINTER shown
    RANDOM stream
    RANGE level, rate_max, id, announced
}

PARAMETER {
    level = 0
    rate_max = 0.2 (/ms)
    id = 0
    announced = 1
}

ASSIGNED {
    shown
}

VERBATIM
#include "segdend_source.h"

#undef SOURCE
#define SOURCE (*reinterpret_cast<Source**>(&_p_shown))
ENDVERBATIM

CONSTRUCTOR {
VERBATIM
    SOURCE = new Source(1);
ENDVERBATIM
}

DESTRUCTOR {
VERBATIM
    delete SOURCE;
    SOURCE = nullptr;
ENDVERBATIM
}

INITIAL {
    if (sends()) {
        net_send(0, 1)
    }
}

NET_RECEIVE (weight) {
    if (flag == 1) {
        send()
    }
}

FUNCTION sends() {
VERBATIM
    return announced && SOURCE->sends(level);
ENDVERBATIM
}

: the spikes of the whole trial at once
PROCEDURE send() {
VERBATIM
    const double constant = level, number = id;
    Point_process* const self = _ppvar[1].get<Point_process*>();
    SOURCE->run(stream, &constant, &number, rate_max,
                [&](size_t, double time) { net_event(self, segdend::trial.begin + time); });
ENDVERBATIM
}

: for a trial that begins without initialisation
PROCEDURE restart() {
    if (sends()) {
        send()
    }
}

: course(times, levels, index, n): from now on, level `levels[piece*n + index]` from times[piece] to times[piece + 1]
: (ms from the start of the trial), and 0 outside
PROCEDURE course() {
VERBATIM
    SOURCE->show_course(vector_arg(1), vector_arg(2), size_t(*getarg(3)), size_t(*getarg(4)));
ENDVERBATIM
}

: given(times, cells, index): from now on, those of these spikes (ms from the start of the trial) whose cell is `index`
PROCEDURE given() {
VERBATIM
    SOURCE->show_spikes(vector_arg(1), vector_arg(2), size_t(*getarg(3)));
ENDVERBATIM
}

: from now on, the constant level
PROCEDURE constant() {
VERBATIM
    SOURCE->show_constant();
ENDVERBATIM
}
