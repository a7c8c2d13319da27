TITLE Teaching current at an output neuron

COMMENT
Model
    While the teacher speaks, a conductance pulls the soma to a target potential (eq 20,
    with the current entering as C dv/dt, as the released code has it):

        i = g (v - rest - unit*e)

    It speaks in those windows of the trial that are taught, from the beginning of their
    phase to their end (segdend_trial.h). e is constant, or piecewise constant after
    course(), before and after which the teacher is silent.

Parameters (on the 100 pF soma of templates/three_compartment.hoc, 0.1 uS is 1 /ms)
    g         0.1 uS    g_E = g_I = 1
    e         0         target in units of the rule: 8 (E_E) where the neuron stands for
                        the label that is shown, -8 (E_I) elsewhere
    rest, unit (mV)     the potentials that the rule calls 0 and 1

Reference
    Guerguiev, Lillicrap & Richards (2017) eLife 6:e22901, eqs 19-20.
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS SegDendTeacher
    NONSPECIFIC_CURRENT i
    POINTER state
    RANGE g, e, rest, unit, i, g_open, aim
}

UNITS {
    (mV) = (millivolt)
    (nA) = (nanoamp)
    (uS) = (microsiemens)
}

PARAMETER {
    g = 0.1 (uS)
    e = 0
    rest = -70 (mV)
    unit = 1 (mV)
}

ASSIGNED {
    v (mV)
    i (nA)
    g_open (uS)                 : 0 while the teacher is silent
    aim                         : e of this moment
    state
}

VERBATIM
#include "segdend_course.h"
#include "segdend_trial.h"

#undef COURSE
#define COURSE (*reinterpret_cast<Course**>(&_p_state))
ENDVERBATIM

CONSTRUCTOR {
VERBATIM
    COURSE = new Course;
ENDVERBATIM
}

DESTRUCTOR {
VERBATIM
    delete COURSE;
    COURSE = nullptr;
ENDVERBATIM
}

BREAKPOINT {
    CONDUCTANCE g_open
    g_open = g*speaks()
    i = g_open*(v - rest - unit*aim)
}

: whether the teacher speaks, and what it says: currents are evaluated in the middle of a step
FUNCTION speaks() {
VERBATIM
    const segdend::Trial& trial = segdend::trial;
    const double now = t - trial.begin;
    aim = e;
    for (const auto& window: trial.windows) {
        if (window.taught && now > trial.time(window.start) && now < trial.time(window.last)) {
            const double* said = COURSE->empty() ? &e : COURSE->at(now);
            aim = said ? *said : 0.;
            return said != nullptr;
        }
    }
    return 0.;
ENDVERBATIM
}

: course(times, levels, index, n): from now on, e is levels[piece*n + index] from times[piece] to times[piece + 1]
: (ms from the start of the trial)
PROCEDURE course() {
VERBATIM
    COURSE->take(vector_arg(1), vector_arg(2), size_t(*getarg(3)), size_t(*getarg(4)));
ENDVERBATIM
}

: from now on, the constant e
PROCEDURE constant() {
VERBATIM
    COURSE->clear();
ENDVERBATIM
}
