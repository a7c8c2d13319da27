TITLE Dense plastic projection: every presynaptic cell onto all postsynaptic cells of this rank

COMMENT
Model
    One object for all synapses of a set of connections onto the cells that live on this
    rank. It learns of the spikes of presynaptic cells

        on any rank      by reading their counters of spikes in every step: listen()
                         (of other ranks those that SegDendExchange has gathered; where
                         it cannot, one NetCon each, whose weight[0] is the cell's index)
        of inputs        by drawing the trains of all of them itself, from the streams
                         of these (SegDendInput), so that none has to travel: draw()

    each presynaptic cell with one conduction delay. In each step the weight columns of
    the cells whose spikes arrived are added, in ascending order whatever the order of
    arrival, and filtered:

        kernel 0: kappa(t) = (exp(-t/tau_slow) - exp(-t/tau_fast))/(tau_slow - tau_fast)
                  the postsynaptic potential of the paper (eqs 11-12)
        kernel 1: exp(-t/tau_fast)/tau_fast, a synaptic current; on a membrane of time
                  constant tau_slow it gives kappa at the soma. Each step receives the
                  mean over the step, so that the charge is exact at any dt.

    send_rates() replaces spikes by the rates of the presynaptic cells, unfiltered (the
    non-spiking form of the released code). A rate takes as long as a spike: the Vector
    holds those of the step before, and they wait here for the rest of the delay.

    memory cuts kernel 0 off: ages beyond it count nothing, as in the authors' code.

        out[slot, post] = sum_pre weights[pre, post] s_pre + bias[post]/n_slots

    A postsynaptic cell has n_slots places; presynaptic cell `pre` lands on slot[pre].
    SegDendSite and SegDendLumped read `out` through pointers.

    Split, weights and biases above and below 0 are summed apart, for conductances: `out`
    is twice as long, first all drives of excitation, then the sizes of all drives of
    inhibition. A weight that learns through 0 changes sides.

    The average of every presynaptic cell's filtered train s (always with kappa) over
    every window of the trial (segdend_trial.h) is kept in closed form: a spike adds the
    mean of kappa over those steps of the window that it reaches. learn() adds the outer
    product of a window's averages with a postsynaptic vector to the weights, learn_with()
    that of any two vectors; scale_learning() takes a factor for every place of every
    postsynaptic cell, by which these changes differ. Where `keep` is set, arrivals() tells
    afterwards which spikes arrived in which step.

Memory is the caller's: bind() takes Vectors of fixed size, and whether to split
    weights (n_pre*n_post, postsynaptic cell fastest), bias (n_post), slot (n_pre),
    out (n_slots*n_post, split 2*n_slots*n_post), traces (windows*n_pre, in 1/ms; trace_into() takes another one).

Parameters
    tau_slow 10 ms, tau_fast 3 ms     tau_L and tau_s
    kernel   0                        see above
    memory   0 ms                     0 for the whole kernel; 10 ms in the released code
    keep     0                        whether to keep the spikes that arrive in a trial
    told     0                        whether NetCons tell of spikes

Reference
    Guerguiev, Lillicrap & Richards (2017) eLife 6:e22901, eqs 11-13 and Methods.
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS SegDendProjection
    POINTER state
    RANGE tau_slow, tau_fast, kernel, memory, keep, told
}

PARAMETER {
    tau_slow = 10 (ms)
    tau_fast = 3 (ms)
    kernel = 0
    memory = 0 (ms)
    keep = 0
    told = 0
}

ASSIGNED {
    dt (ms)
    state
}

VERBATIM
#include "segdend_ahead.h"
#include "segdend_drive.h"
#include "segdend_kernel.h"
#include "segdend_rates.h"
#include "segdend_spikes.h"
#include "segdend_trial.h"

namespace {

// Presynaptic spikes that arrived together.
struct Arrival {
    long step;
    int pre, count;
};

struct Projection {
    Spikes spikes;
    Rates rates;
    Kernel filter;
    Drive drive;
    Ahead ahead;
    double* traces{};               // averages of presynaptic cells, a row for each window
    size_t rows{};                  // how many of these there are
    double* place_gain{};           // factors of learning, per slot and postsynaptic cell, or none
    std::vector<Arrival> arrivals;  // of this trial, if they are kept

    // The inputs of one draw().
    Source& block(double index) {
        if (!(index >= 0. && index < double(spikes.drawn.size()))) {
            hoc_execerror("SegDendProjection: there is no block of this number: take what draw() returned.", nullptr);
        }
        return spikes.drawn[size_t(index)].source;
    }

    void trace_into(IvocVect* vector) {
        traces = vector_vec(vector);
        rows = drive.n_pre ? size_t(vector_capacity(vector)) / drive.n_pre : 0;
    }

    void start_traces() {
        std::fill_n(traces, rows * drive.n_pre, 0.);
        arrivals.clear();
    }

    // The averages in a window of the trial.
    double* trace(size_t window) {
        return traces + window * drive.n_pre;
    }

    size_t windows() const {
        return std::min(rows, segdend::trial.windows.size());
    }

    // Whether all spikes are known before they come.
    bool foretold(bool events) const {
        return spikes.are_known() && !events && !drive.split;
    }

    void step_foretold(long now, bool kept) {
        spikes.pass(now);
        ahead.reach(now, spikes, drive.weights, drive.slot, drive.n_slots, drive.n_post);
        for (size_t window = 0; window < windows(); ++window) {
            const double part = filter.mean(now, segdend::trial.windows[window]);
            double* const sum = trace(window);
            ahead.each(now, [&](size_t pre, double count) { sum[pre] += count * part; });
        }
        if (kept) {
            const size_t before = arrivals.size();
            ahead.each(now, [&](size_t pre, double count) { arrivals.push_back({now, int(pre), int(count)}); });
            std::sort(arrivals.begin() + long(before), arrivals.end(),
                      [](const Arrival& a, const Arrival& b) { return a.pre < b.pre; });
        }
        drive.filter(filter, ahead.sums(now));
    }

    void step_spikes(long now, bool kept) {
        spikes.fetch(now);
        if (!spikes.fired.empty()) {
            for (size_t window = 0; window < windows(); ++window) {
                const double part = filter.mean(now, segdend::trial.windows[window]);
                double* const sum = trace(window);
                for (int pre: spikes.fired) {
                    sum[pre] += spikes.count[pre] * part;
                }
            }
            for (size_t k = 0; kept && k < spikes.fired.size(); ++k) {
                arrivals.push_back({now, spikes.fired[k], spikes.count[spikes.fired[k]]});
            }
            drive.add(spikes);
            spikes.clear();
        }
        drive.filter(filter);
    }

    void step_rates(long now) {
        rates.fetch();
        for (size_t window = 0; window < windows(); ++window) {
            const segdend::Window& its = segdend::trial.windows[window];
            double* const sum = trace(window);
            for (int pre = 0; its.holds(now) && pre < drive.n_pre; ++pre) {
                sum[pre] += rates.come[pre] / its.steps();
            }
        }
        drive.weigh(rates.come);
    }

    // weights[pre, post] += factor[pre] * post[post]
    void learn(const double* factor, const double* __restrict post) {
        const int n = drive.n_post;
        for (int pre = 0; pre < drive.n_pre; ++pre) {
            const double trace = factor[pre];
            if (trace != 0.) {
                double* __restrict weight = drive.weights + size_t(pre) * n;
                if (place_gain) {
                    const double* __restrict gain = place_gain + size_t(drive.slot[pre]) * n;
                    for (int i = 0; i < n; ++i) {
                        weight[i] += trace * (post[i] * gain[i]);
                    }
                    continue;
                }
                for (int i = 0; i < n; ++i) {
                    weight[i] += trace * post[i];
                }
            }
        }
    }
};

}  // namespace

#define PROJECTION (*reinterpret_cast<Projection**>(&_p_state))
ENDVERBATIM

CONSTRUCTOR {
VERBATIM
    PROJECTION = new Projection;
ENDVERBATIM
}

DESTRUCTOR {
VERBATIM
    delete PROJECTION;
    PROJECTION = nullptr;
ENDVERBATIM
}

INITIAL {
VERBATIM
    Projection& p = *PROJECTION;
    p.filter.start(kernel, tau_slow, tau_fast, memory, dt);
    p.spikes.start(dt);
    p.rates.start(dt);
    p.drive.start(p.filter);
    p.ahead.start();
    p.start_traces();
ENDVERBATIM
}

BREAKPOINT {
}

: after delivery of events, before any current is evaluated
BEFORE BREAKPOINT {
VERBATIM
    Projection& p = *PROJECTION;
    const double passed = (t - segdend::trial.begin) / dt;
    const long now = long(std::floor(passed));
    if (!p.spikes.started() || std::fabs(passed - double(now) - 0.5) > 0.25) {
        return;  // a step has its currents in its middle; initialisation and others evaluate them at other times
    }
    if (p.rates.bound()) {
        p.step_rates(now);
    } else if (now >= 0 && p.foretold(told != 0.)) {
        p.step_foretold(now, keep != 0.);
    } else {
        p.step_spikes(now, keep != 0.);
    }
ENDVERBATIM
}

NET_RECEIVE (pre) {
VERBATIM
    PROJECTION->spikes.fire(int(_args[0]));
ENDVERBATIM
}

: for a trial that begins without initialisation: averages, kept arrivals and the trains of inputs begin anew; drives
: and spikes on their way go on
PROCEDURE restart() {
VERBATIM
    Projection& p = *PROJECTION;
    if (p.spikes.started()) {  // before any initialisation there is neither a state nor a thread that has dt
        p.spikes.restart(dt);
        p.ahead.start();
        p.start_traces();
    }
ENDVERBATIM
}

: bind(weights, bias, slot, out, traces, split)
PROCEDURE bind() {
VERBATIM
    Projection& p = *PROJECTION;
    p.drive.weights = vector_vec(vector_arg(1));
    p.drive.bias = vector_vec(vector_arg(2));
    p.drive.slot = vector_vec(vector_arg(3));
    p.drive.out = vector_vec(vector_arg(4));
    p.drive.n_post = vector_capacity(vector_arg(2));
    p.drive.n_pre = vector_capacity(vector_arg(3));
    p.drive.split = *getarg(6) != 0.;
    p.drive.bind(vector_capacity(vector_arg(4)));
    p.trace_into(vector_arg(5));
    p.spikes.bind(p.drive.n_pre);
ENDVERBATIM
}

: trace_into(traces): keep the averages of as many windows as this Vector has room for in it
PROCEDURE trace_into() {
VERBATIM
    PROJECTION->trace_into(vector_arg(1));
ENDVERBATIM
}

: listen(index, spikes, delay): take the spikes of a presynaptic cell on this rank from its counter (a reference)
PROCEDURE listen() {
VERBATIM
    Lane& lane = PROJECTION->spikes.lane(*getarg(3));
    lane.cells.push_back(int(*getarg(1)));
    lane.counters.push_back(hoc_hgetarg<double>(2));
ENDVERBATIM
}

: draw(levels, numbers, rate_max, delay, first): draw the trains of inputs here, which are the presynaptic cells from
: `first` on, from Vectors of their constant levels and of the numbers of the cells; returns which block of inputs it is
FUNCTION draw() {
VERBATIM
    Projection& p = *PROJECTION;
    const int cells = vector_capacity(vector_arg(1)), first = ifarg(5) ? int(*getarg(5)) : 0;
    if (first < 0 || first + cells > p.drive.n_pre || vector_capacity(vector_arg(2)) != cells) {
        hoc_execerror("SegDendProjection.draw: there are fewer presynaptic cells or numbers: correct `first`.",
                      nullptr);
    }
    p.spikes.drawn.push_back({Source(size_t(cells)), vector_vec(vector_arg(1)), vector_vec(vector_arg(2)), *getarg(3),
                              *getarg(4), first});
    return double(p.spikes.drawn.size() - 1);
ENDVERBATIM
}

: draw_course(block, times, levels): from now on, levels (piece*n + cell) that change at times (ms from the start)
PROCEDURE draw_course() {
VERBATIM
    Source& source = PROJECTION->block(*getarg(1));
    source.show_course(vector_arg(2), vector_arg(3), 0, source.size());
ENDVERBATIM
}

: draw_given(block, times, cells): from now on, these spikes (ms from the start, and which cell of the block)
PROCEDURE draw_given() {
VERBATIM
    PROJECTION->block(*getarg(1)).show_spikes(vector_arg(2), vector_arg(3), 0);
ENDVERBATIM
}

: draw_constant(block): from now on, the constant levels
PROCEDURE draw_constant() {
VERBATIM
    PROJECTION->block(*getarg(1)).show_constant();
ENDVERBATIM
}

: send_rates(rates, delay): let the rates (1/ms) in this Vector drive the dendrites instead of spikes: those of cells
: after a delay (ms), or the constant ones of inputs, delay 0
PROCEDURE send_rates() {
VERBATIM
    Projection& p = *PROJECTION;
    p.rates.bind(vector_vec(vector_arg(1)), p.drive.n_pre, *getarg(2));
ENDVERBATIM
}

: scale_learning(gain): from now on, changes are multiplied by gain[slot, post], a Vector of n_slots*n_post
PROCEDURE scale_learning() {
VERBATIM
    PROJECTION->place_gain = vector_vec(vector_arg(1));
ENDVERBATIM
}

: learn(post, window): weights[pre, post] += average[pre] * post[post], with the averages in a window of the trial
PROCEDURE learn() {
VERBATIM
    Projection& p = *PROJECTION;
    const double window = *getarg(2);
    if (!(window >= 0. && window < double(p.rows))) {
        hoc_execerror("SegDendProjection.learn: the trial had no such window: take the number of one it had.", nullptr);
    }
    p.learn(p.trace(size_t(window)), vector_vec(vector_arg(1)));
ENDVERBATIM
}

: learn_with(pre, post): weights[pre, post] += pre[pre] * post[post]
PROCEDURE learn_with() {
VERBATIM
    PROJECTION->learn(vector_vec(vector_arg(1)), vector_vec(vector_arg(2)));
ENDVERBATIM
}

: arrivals(steps, cells, counts): fills three Vectors with the spikes that arrived in the trial, if they are kept: the
: step (from 0) in which, at which presynaptic cell, and how many, in the order of steps and cells
PROCEDURE arrivals() {
VERBATIM
    const auto& kept = PROJECTION->arrivals;
    double* to[3];
    for (int k = 0; k < 3; ++k) {
        vector_resize(vector_arg(k + 1), int(kept.size()));
        to[k] = vector_vec(vector_arg(k + 1));
    }
    for (const Arrival& one: kept) {
        *to[0]++ = double(one.step);
        *to[1]++ = one.pre;
        *to[2]++ = one.count;
    }
ENDVERBATIM
}
