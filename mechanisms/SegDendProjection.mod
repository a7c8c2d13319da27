TITLE Dense plastic projection: every presynaptic cell onto all postsynaptic cells of this rank

COMMENT
Model
    One object for all synapses from one layer to the cells of another layer that live
    on this rank. It learns of the spikes of presynaptic cells

        on any rank      by reading their counters of spikes in every step: listen()
                         (of other ranks those that SegDendExchange has gathered; where
                         it cannot, one NetCon each, whose weight[0] is the cell's index)
        of the image     by drawing the trains of all inputs itself, from the streams
                         of these (SegDendInput), so that none has to travel: draw()

    all with the same conduction delay and in the same step, however they come. In each
    step the weight columns of the cells whose spikes arrived are added, in ascending
    order whatever the order of arrival, and filtered:

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
    the two windows is kept in closed form: a spike adds the mean of kappa over those
    steps of the window that it reaches. learn() adds the outer product of these
    forward averages with a postsynaptic vector to the weights; scale_learning() takes a
    factor for every place of every postsynaptic cell, by which these changes differ.

Memory is the caller's: bind() takes Vectors of fixed size, and whether to split
    weights (n_pre*n_post, postsynaptic cell fastest), bias (n_post), slot (n_pre),
    out (n_slots*n_post, split 2*n_slots*n_post), forward_trace (n_pre), target_trace (n_pre), in 1/ms.

Parameters
    tau_slow 10 ms, tau_fast 3 ms     tau_L and tau_s
    kernel   0                        see above
    memory   0 ms                     0 for the whole kernel; 10 ms in the released code
    key, example, until               streams and end of the trial, as of SegDendInput

Reference
    Guerguiev, Lillicrap & Richards (2017) eLife 6:e22901, eqs 11-13 and Methods.
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS SegDendProjection
    POINTER state
    RANGE tau_slow, tau_fast, kernel, memory
    GLOBAL forward_on, forward_off, target_on, target_off, key, example, until
}

PARAMETER {
    tau_slow = 10 (ms)
    tau_fast = 3 (ms)
    kernel = 0
    memory = 0 (ms)
    forward_on = 1e9 (ms)
    forward_off = 1e9 (ms)
    target_on = 1e9 (ms)
    target_off = 1e9 (ms)
    key = 0
    example = 0
    until = 0 (ms)
}

ASSIGNED {
    dt (ms)
    state
}

VERBATIM
#include "segdend_drive.h"
#include "segdend_kernel.h"
#include "segdend_rates.h"
#include "segdend_spikes.h"

namespace {

struct Projection {
    Spikes spikes;
    Rates rates;
    Kernel filter;
    Drive drive;
    double *forward_trace{}, *target_trace{};
    double* place_gain{};  // factors of learning, per slot and postsynaptic cell, or none

    void step_spikes(long now, const Window& forward, const Window& target) {
        spikes.fetch(now);
        if (!spikes.fired.empty()) {
            const double in_forward = filter.mean(now, forward), in_target = filter.mean(now, target);
            for (int pre: spikes.fired) {
                forward_trace[pre] += spikes.count[pre] * in_forward;
                target_trace[pre] += spikes.count[pre] * in_target;
            }
            drive.add(spikes);
            spikes.clear();
        }
        drive.filter(filter);
    }

    void step_rates(long now, const Window& forward, const Window& target) {
        rates.fetch();
        for (int pre = 0; pre < drive.n_pre; ++pre) {
            forward_trace[pre] += forward.holds(now) ? rates.come[pre] / forward.steps() : 0.;
            target_trace[pre] += target.holds(now) ? rates.come[pre] / target.steps() : 0.;
        }
        drive.weigh(rates.come);
    }

    // weights[pre, post] += forward_trace[pre] * post[post]
    void learn(const double* __restrict post) {
        const int n = drive.n_post;
        for (int pre = 0; pre < drive.n_pre; ++pre) {
            const double trace = forward_trace[pre];
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
    p.spikes.start(dt, key, example, until);
    p.rates.start(dt);
    p.drive.start(p.filter);
    std::fill_n(p.forward_trace, p.drive.n_pre, 0.);
    std::fill_n(p.target_trace, p.drive.n_pre, 0.);
ENDVERBATIM
}

BREAKPOINT {
}

: after delivery of events, before any current is evaluated
BEFORE BREAKPOINT {
VERBATIM
    Projection& p = *PROJECTION;
    if (t == 0. || !p.spikes.started()) {
        return;  // initialisation evaluates currents once before the first step, and so may others before that
    }
    const long now = long(std::floor(t / dt));
    const Window forward(forward_on, forward_off, dt), target(target_on, target_off, dt);
    if (p.rates.bound()) {
        p.step_rates(now, forward, target);
    } else {
        p.step_spikes(now, forward, target);
    }
ENDVERBATIM
}

NET_RECEIVE (pre) {
VERBATIM
    PROJECTION->spikes.fire(int(_args[0]));
ENDVERBATIM
}

: bind(weights, bias, slot, out, forward_trace, target_trace, split)
PROCEDURE bind() {
VERBATIM
    Projection& p = *PROJECTION;
    p.drive.weights = vector_vec(vector_arg(1));
    p.drive.bias = vector_vec(vector_arg(2));
    p.drive.slot = vector_vec(vector_arg(3));
    p.drive.out = vector_vec(vector_arg(4));
    p.forward_trace = vector_vec(vector_arg(5));
    p.target_trace = vector_vec(vector_arg(6));
    p.drive.n_post = vector_capacity(vector_arg(2));
    p.drive.n_pre = vector_capacity(vector_arg(3));
    p.drive.split = *getarg(7) != 0.;
    p.drive.bind(vector_capacity(vector_arg(4)));
    p.spikes.bind(p.drive.n_pre);
ENDVERBATIM
}

: listen(index, spikes, delay): take the spikes of a presynaptic cell on this rank from its counter (a reference)
PROCEDURE listen() {
VERBATIM
    Spikes& spikes = PROJECTION->spikes;
    spikes.local.push_back(int(*getarg(1)));
    spikes.counters.push_back(hoc_hgetarg<double>(2));
    spikes.cell_delay = *getarg(3);
ENDVERBATIM
}

: draw(levels, gids, rate_max, delay): draw the trains of inputs here, from their Vectors of brightness and gids
PROCEDURE draw() {
VERBATIM
    Spikes& spikes = PROJECTION->spikes;
    spikes.level = vector_vec(vector_arg(1));
    spikes.gid = vector_vec(vector_arg(2));
    spikes.input_rate = *getarg(3);
    spikes.input_delay = *getarg(4);
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

: learn(post): weights[pre, post] += forward_trace[pre] * post[post]
PROCEDURE learn() {
VERBATIM
    PROJECTION->learn(vector_vec(vector_arg(1)));
ENDVERBATIM
}
