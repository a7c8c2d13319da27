TITLE Dense plastic projection: every presynaptic cell onto all postsynaptic cells of this rank

COMMENT
Model
    One object for all synapses from one layer to the cells of another layer that live
    on this rank. One NetCon per presynaptic cell delivers its spikes; its weight[0]
    carries the index of that cell. In each step the weight columns of the cells whose
    spikes arrived are added, in ascending order whatever the order of arrival, and
    filtered:

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

    The average of every presynaptic cell's filtered train s (always with kappa) over
    the two windows is kept in closed form: a spike adds the mean of kappa over those
    steps of the window that it reaches. learn() adds the outer product of these
    forward averages with a postsynaptic vector to the weights.

Memory is the caller's: bind() takes Vectors of fixed size
    weights (n_pre*n_post, postsynaptic cell fastest), bias (n_post), slot (n_pre),
    out (n_slots*n_post), forward_trace (n_pre), target_trace (n_pre), in 1/ms.

Parameters
    tau_slow 10 ms, tau_fast 3 ms     tau_L and tau_s
    kernel   0                        see above
    memory   0 ms                     0 for the whole kernel; 10 ms in the released code

Reference
    Guerguiev, Lillicrap & Richards (2017) eLife 6:e22901, eqs 11-13 and Methods.
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS SegDendProjection
    POINTER state
    RANGE tau_slow, tau_fast, kernel, memory
    GLOBAL forward_on, forward_off, target_on, target_off
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
}

ASSIGNED {
    dt (ms)
    state
}

VERBATIM
#include <algorithm>
#include <cmath>
#include <vector>

namespace {

struct Projection {
    int n_pre{}, n_post{}, n_slots{};
    double *weights{}, *bias{}, *slot{}, *out{}, *forward_trace{}, *target_trace{};
    double* rates{};                          // of the presynaptic cells, where these are sent instead of spikes
    double delay{};                           // of these rates, 0 for those of inputs, which are constant
    std::vector<double> come, sent;           // the rates that have arrived, and those that `out` was made of
    std::vector<double> way;                  // rates on their way: a row for each step of delay beyond the first
    long late{}, next{};                      // number of these rows, and the one that arrives next
    std::vector<double> slow, fast, arrived;  // per slot and postsynaptic cell
    std::vector<double> past;                 // `arrived` of the last `kept` steps, where the kernel is cut
    std::vector<int> count, fired;            // spikes of this step: per presynaptic cell, and which
    double decay_slow{}, decay_fast{}, gain_slow{}, gain_fast{};
    long kept{}, oldest{};                      // steps that count, 0 for all; the row of `past` to forget next

    // Takes out what grows older than the memory in this step, and remembers what arrived in it.
    void forget() {
        const double slow_left = std::pow(decay_slow, double(kept));
        const double fast_left = std::pow(decay_fast, double(kept));
        double* __restrict row = past.data() + size_t(oldest) * arrived.size();
        for (size_t i = 0; i < arrived.size(); ++i) {
            slow[i] -= slow_left * row[i];
            fast[i] -= fast_left * row[i];
            row[i] = arrived[i];
        }
        oldest = (oldest + 1) % kept;
    }

    // Rates of cells are nothing until the first ones arrive, whatever the previous trial has left.
    void start_rates(double step) {
        if (delay > 0.) {
            std::fill_n(rates, n_pre, 0.);
            late = std::max(long(std::floor(delay / step + 0.5)) - 1, 0L);
            next = 0;
            way.assign(size_t(late) * n_pre, 0.);
        }
    }

    void fetch_rates() {
        std::copy_n(rates, n_pre, come.begin());
        if (late) {
            std::swap_ranges(come.begin(), come.end(), way.begin() + size_t(next) * n_pre);
            next = (next + 1) % late;
        }
    }
};

// Mean of kappa over those steps of the window [first, last) that end after a spike that arrived in step `now`.
double window_mean(const Projection& p, double tau_difference, long now, long first, long last) {
    const long youngest = std::max(first - now, 0L) + 1;  // ages, in steps
    const long oldest = p.kept ? std::min(last - now, p.kept) : last - now;
    if (oldest < youngest) {
        return 0.;
    }
    auto ages = [&](double decay) {
        return (std::pow(decay, double(youngest)) - std::pow(decay, double(oldest + 1))) / (1. - decay);
    };
    return (ages(p.decay_slow) - ages(p.decay_fast)) / tau_difference / double(last - first);
}

// The drive as the weighted sum of rates; their averages over the windows are summed step by step.
void weigh_rates(Projection& p, long now, long first, long last, long target_first, long target_last) {
    const bool forward = now >= first && now < last, target = now >= target_first && now < target_last;
    p.fetch_rates();
    for (int pre = 0; pre < p.n_pre; ++pre) {
        p.forward_trace[pre] += forward ? p.come[pre] / double(last - first) : 0.;
        p.target_trace[pre] += target ? p.come[pre] / double(target_last - target_first) : 0.;
    }
    if (now > 0 && p.sent == p.come) {
        return;
    }
    p.sent = p.come;
    const int n = p.n_post;
    for (size_t i = 0; i < p.slow.size(); ++i) {
        p.out[i] = p.bias[i % n] / p.n_slots;
    }
    for (int pre = 0; pre < p.n_pre; ++pre) {
        if (const double rate = p.come[pre]) {
            const double* __restrict weight = p.weights + size_t(pre) * n;
            double* __restrict out = p.out + size_t(p.slot[pre]) * n;
            for (int i = 0; i < n; ++i) {
                out[i] += rate * weight[i];
            }
        }
    }
}

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
    std::fill(p.slow.begin(), p.slow.end(), 0.);
    std::fill(p.fast.begin(), p.fast.end(), 0.);
    std::fill(p.count.begin(), p.count.end(), 0);
    p.fired.clear();
    p.start_rates(dt);
    std::fill_n(p.forward_trace, p.n_pre, 0.);
    std::fill_n(p.target_trace, p.n_pre, 0.);
    p.kept = long(std::floor(memory / dt + 0.5));
    p.oldest = 0;
    p.past.assign(size_t(p.kept) * p.arrived.size(), 0.);
    p.decay_slow = exp(-dt / tau_slow);
    p.decay_fast = exp(-dt / tau_fast);
    if (kernel == 0.) {
        p.gain_slow = 1. / (tau_slow - tau_fast);
        p.gain_fast = -p.gain_slow;
    } else {
        p.gain_slow = 0.;
        p.gain_fast = (1. - p.decay_fast) / (dt * p.decay_fast);
    }
ENDVERBATIM
}

BREAKPOINT {
}

: after delivery of events, before any current is evaluated
BEFORE BREAKPOINT {
VERBATIM
    if (t == 0.) {
        return;  // the initialisation evaluates currents once before the first step
    }
    Projection& p = *PROJECTION;
    const int n = p.n_post;
    const long now = long(std::floor(t / dt));
    auto step = [&](double time) { return long(std::floor(time / dt + 0.5)); };
    if (p.rates) {
        weigh_rates(p, now, step(forward_on), step(forward_off), step(target_on), step(target_off));
        return;
    }
    if (!p.fired.empty()) {
        const double tau_difference = tau_slow - tau_fast;
        const double forward = window_mean(p, tau_difference, now, step(forward_on), step(forward_off));
        const double target = window_mean(p, tau_difference, now, step(target_on), step(target_off));
        std::sort(p.fired.begin(), p.fired.end());
        for (int pre: p.fired) {
            const double count = p.count[pre];
            const double* __restrict weight = p.weights + size_t(pre) * n;
            double* __restrict arrived = p.arrived.data() + size_t(p.slot[pre]) * n;
            for (int i = 0; i < n; ++i) {
                arrived[i] += count * weight[i];
            }
            p.forward_trace[pre] += count * forward;
            p.target_trace[pre] += count * target;
            p.count[pre] = 0;
        }
        p.fired.clear();
    }
    if (p.kept) {
        p.forget();
    }
    const double share = 1. / p.n_slots;
    for (int k = 0; k < p.n_slots; ++k) {
        double* __restrict slow = p.slow.data() + size_t(k) * n;
        double* __restrict fast = p.fast.data() + size_t(k) * n;
        double* __restrict arrived = p.arrived.data() + size_t(k) * n;
        double* __restrict out = p.out + size_t(k) * n;
        for (int i = 0; i < n; ++i) {
            slow[i] = (slow[i] + arrived[i]) * p.decay_slow;
            fast[i] = (fast[i] + arrived[i]) * p.decay_fast;
            arrived[i] = 0.;
            out[i] = p.gain_slow * slow[i] + p.gain_fast * fast[i] + share * p.bias[i];
        }
    }
ENDVERBATIM
}

NET_RECEIVE (pre) {
VERBATIM
    Projection& p = *PROJECTION;
    const int cell = int(_args[0]);
    if (p.count[cell]++ == 0) {
        p.fired.push_back(cell);
    }
ENDVERBATIM
}

: bind(weights, bias, slot, out, forward_trace, target_trace)
PROCEDURE bind() {
VERBATIM
    Projection& p = *PROJECTION;
    p.weights = vector_vec(vector_arg(1));
    p.bias = vector_vec(vector_arg(2));
    p.slot = vector_vec(vector_arg(3));
    p.out = vector_vec(vector_arg(4));
    p.forward_trace = vector_vec(vector_arg(5));
    p.target_trace = vector_vec(vector_arg(6));
    p.n_post = vector_capacity(vector_arg(2));
    p.n_pre = vector_capacity(vector_arg(3));
    const int n_out = vector_capacity(vector_arg(4));
    p.n_slots = n_out / p.n_post;
    p.slow.assign(n_out, 0.);
    p.fast.assign(n_out, 0.);
    p.arrived.assign(n_out, 0.);
    p.count.assign(p.n_pre, 0);
    p.fired.reserve(p.n_pre);
ENDVERBATIM
}

: send_rates(rates, delay): let the rates (1/ms) in this Vector drive the dendrites instead of spikes: those of cells
: after a delay (ms), or the constant ones of inputs, delay 0
PROCEDURE send_rates() {
VERBATIM
    Projection& p = *PROJECTION;
    p.rates = vector_vec(vector_arg(1));
    p.delay = *getarg(2);
    p.come.assign(p.n_pre, 0.);
ENDVERBATIM
}

: learn(post): weights[pre, post] += forward_trace[pre] * post[post]
PROCEDURE learn() {
VERBATIM
    Projection& p = *PROJECTION;
    const double* __restrict post = vector_vec(vector_arg(1));
    for (int pre = 0; pre < p.n_pre; ++pre) {
        const double trace = p.forward_trace[pre];
        if (trace != 0.) {
            double* __restrict weight = p.weights + size_t(pre) * p.n_post;
            for (int i = 0; i < p.n_post; ++i) {
                weight[i] += trace * post[i];
            }
        }
    }
ENDVERBATIM
}
