TITLE Listener to spikes of any cells

COMMENT
Model
    Hears spikes through NetCons, whose weight[0] says whose they are, and keeps the time
    and the index of each from the start of the trial on. NetCon.record and
    ParallelContext.spike_record share one place per source, so that they would take a
    raster from whoever records already; a listener takes nothing.

    Times are those of delivery: of the spike and the delay of its NetCon.

Parameters
    none

Reference
    none: a means of recording.
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS SegDendListener
    POINTER state
}

ASSIGNED {
    state
}

VERBATIM
#include <algorithm>
#include <vector>

namespace {

struct Heard {
    std::vector<double> times, cells;

    void clear() {
        times.clear();
        cells.clear();
    }
};

}  // namespace

#undef HEARD
#define HEARD (*reinterpret_cast<Heard**>(&_p_state))
ENDVERBATIM

CONSTRUCTOR {
VERBATIM
    HEARD = new Heard;
ENDVERBATIM
}

DESTRUCTOR {
VERBATIM
    delete HEARD;
    HEARD = nullptr;
ENDVERBATIM
}

INITIAL {
    restart()
}

NET_RECEIVE (index) {
VERBATIM
    HEARD->times.push_back(t);
    HEARD->cells.push_back(_args[0]);
ENDVERBATIM
}

: for a trial that begins without initialisation
PROCEDURE restart() {
VERBATIM
    HEARD->clear();
ENDVERBATIM
}

: heard(times, cells): fills two Vectors with what was heard in the trial, in the order of delivery
PROCEDURE heard() {
VERBATIM
    const std::vector<double>* kept[] = {&HEARD->times, &HEARD->cells};
    for (int k = 0; k < 2; ++k) {
        IvocVect* const to = vector_arg(k + 1);
        vector_resize(to, int(kept[k]->size()));
        std::copy(kept[k]->begin(), kept[k]->end(), vector_vec(to));
    }
ENDVERBATIM
}
