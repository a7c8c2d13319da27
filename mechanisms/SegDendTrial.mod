TITLE What all mechanisms know of the trial that runs

COMMENT
Model
    SegDendTrial(vector) is called once before every trial, with

        [dt, begin, key, example, end, n_windows, (first, last, start, taught) * n_windows]

    and tells all other mechanisms (segdend_trial.h).

Parameters
    dt (ms)             time step
    begin (ms)          time of NEURON at which the trial's step 0 begins: 0, unless a caller
                        runs several trials without initialising
    key, example        of the random streams: the run (seed and purpose) and the example
    end                 length of the trial, in steps
    first, last, start  steps: a window holds those that end in (first, last]; its phase
                        begins at `start`
    taught              whether the teacher speaks from `start` to `last`

Reference
    Guerguiev, Lillicrap & Richards (2017) eLife 6:e22901, Methods (phases of a trial).
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX nothing
}

VERBATIM
#include "segdend_built_for.h"
#include "segdend_trial.h"
ENDVERBATIM

PROCEDURE SegDendTrial() {
VERBATIM
    const double* told = vector_vec(vector_arg(1));
    const size_t n = vector_capacity(vector_arg(1)), windows = n < 6 ? 0 : size_t(told[5]);
    if (n < 6 || n != 6 + 4 * windows) {
        hoc_execerror("SegDendTrial: the Vector needs 6 numbers and 4 more for every window.", nullptr);
    }
    segdend::Trial& trial = segdend::trial;
    trial.step = told[0];
    trial.begin = told[1];
    trial.key = told[2];
    trial.example = told[3];
    trial.end = long(told[4]);
    trial.windows.clear();
    for (const double* next = told + 6; next < told + n; next += 4) {
        trial.windows.push_back({long(next[0]), long(next[1]), long(next[2]), next[3] != 0.});
    }
ENDVERBATIM
}
