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
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace {

struct Projection {
    int n_pre{}, n_post{}, n_slots{};
    bool split{};                             // whether excitation and inhibition are summed apart
    double *weights{}, *bias{}, *slot{}, *out{}, *forward_trace{}, *target_trace{};
    double* rates{};                          // of the presynaptic cells, where these are sent instead of spikes
    double* place_gain{};                     // factors of learning, per slot and postsynaptic cell, or none
    double delay{};                           // of these rates, 0 for those of inputs, which are constant
    std::vector<double> come, sent;           // the rates that have arrived, and those that `out` was made of
    std::vector<double> way;                  // rates on their way: a row for each step of delay beyond the first
    long late{}, next{};                      // number of these rows, and the one that arrives next
    std::vector<double> slow, fast, arrived;  // per slot (split: of both sides) and postsynaptic cell
    std::vector<double> sides;                // split biases
    std::vector<double> past;                 // `arrived` of the last `kept` steps, where the kernel is cut
    std::vector<int> count, fired;            // spikes of this step: per presynaptic cell, and which
    std::vector<uint64_t> marks;              // a bit for each presynaptic cell that fired
    double decay_slow{}, decay_fast{}, gain_slow{}, gain_fast{};
    long kept{}, oldest{};                    // steps that count, 0 for all; the row of `past` to forget next
    std::vector<int> local;                   // presynaptic cells on this rank
    std::vector<neuron::container::data_handle<double>> counters;  // how many spikes left each in the last step
    struct Run {                              // counters side by side in memory
        const double* first;
        std::vector<int> cells;               // whose they are
    };
    std::vector<Run> left;                    // where these are in this trial
    std::vector<std::vector<int>> due;        // spikes of these on their way, a row for each step of the delay
    double cell_delay{};
    const double *level{}, *gid{};            // of the inputs whose trains are drawn here
    double input_rate{}, input_delay{};
    nrnran123_State* stream{nrnran123_newstream()};
    std::vector<std::vector<int>> trains;     // which inputs' spikes arrive in each step

    ~Projection() {
        nrnran123_deletestream(stream);
    }

    // Steps from one that begins at time 0 to that in which an event at this time arrives: half a step is rounded down.
    static long arrival(double time, double step) {
        return long(std::ceil(time / step - 0.5));
    }

    void start_spikes(double step, double key, double example, double until) {
        due.assign(size_t(arrival(cell_delay, step)) + 1, {});
        left.clear();
        std::vector<std::pair<const double*, int>> found;
        for (size_t k = 0; k < counters.size(); ++k) {
            found.emplace_back(&*counters[k], local[k]);  // once per trial: NEURON may have moved it
        }
        std::sort(found.begin(), found.end());
        for (auto [counter, pre]: found) {
            if (left.empty() || counter != left.back().first + left.back().cells.size()) {
                left.push_back({counter, {}});
            }
            left.back().cells.push_back(pre);
        }
        for (auto& spikes: trains) {
            spikes.clear();
        }
        trains.resize(level ? size_t(std::ceil(until / step)) + 1 : 0);
        for (int pre = 0; level && pre < n_pre; ++pre) {
            if (const double rate = level[pre] * input_rate) {
                nrnran123_setids(stream, uint32_t(gid[pre]), uint32_t(key), uint32_t(example));
                nrnran123_setseq(stream, 0.);
                double time = nrnran123_negexp(stream) / rate;
                for (; time < until; time += nrnran123_negexp(stream) / rate) {
                    const size_t now = size_t(arrival(time + input_delay, step));
                    if (now < trains.size()) {
                        trains[now].push_back(pre);
                    }
                }
            }
        }
    }

    void fire(int pre) {
        ++count[pre];
        marks[pre / 64] |= uint64_t(1) << pre % 64;
    }

    // Lists the cells that fired, in ascending order.
    void list_fired() {
        fired.clear();
        for (size_t k = 0; k < marks.size(); ++k) {
            for (; marks[k]; marks[k] &= marks[k] - 1) {
                fired.push_back(int(64 * k) + __builtin_ctzll(marks[k]));
            }
        }
    }

    // Takes the spikes that left cells of this rank in the last step, and those that arrive in this one.
    void fetch_spikes(long now) {
        auto& later = due[size_t(now + due.size() - 1) % due.size()];  // the row that was emptied in the last step
        for (const Run& run: left) {
            constexpr int some = 64;
            int spiked[some];
            const int size = int(run.cells.size());
            for (int first = 0; first < size; first += some) {
                int found = 0;
                for (int k = first; k < std::min(first + some, size); ++k) {
                    spiked[found] = k;
                    found += run.first[k] > 0.;  // a branch would be foretold wrongly
                }
                for (int j = 0; j < found; ++j) {
                    for (double spikes = run.first[spiked[j]]; spikes > 0.; --spikes) {
                        later.push_back(run.cells[spiked[j]]);
                    }
                }
            }
        }
        auto& arriving = due[size_t(now) % due.size()];
        for (int pre: arriving) {
            fire(pre);
        }
        arriving.clear();
        if (size_t(now) < trains.size()) {
            for (int pre: trains[size_t(now)]) {
                fire(pre);
            }
        }
    }

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

    // Adds up to four rows of weights to what arrives at one place: together they are read faster than one by one.
    void add_rows(const int* pre, int rows) {
        double* __restrict in = arrived.data() + size_t(slot[pre[0]]) * n_post;
        const double* w[4];
        double c[4];
        const int n = n_post;
        for (int k = 0; k < rows; ++k) {
            w[k] = weights + size_t(pre[k]) * n_post;
            c[k] = count[pre[k]];
        }
        if (rows == 4) {
            const double *__restrict a = w[0], *__restrict b = w[1], *__restrict d = w[2], *__restrict e = w[3];
            for (int i = 0; i < n; ++i) {
                in[i] = (((in[i] + c[0] * a[i]) + c[1] * b[i]) + c[2] * d[i]) + c[3] * e[i];
            }
            return;
        }
        for (int k = 0; k < rows; ++k) {
            const double* __restrict a = w[k];
            for (int i = 0; i < n; ++i) {
                in[i] += c[k] * a[i];
            }
        }
    }

    // Adds a row of weights to what arrives at one place, those below 0 to its inhibition.
    void add_split(int pre) {
        const size_t n = n_post, place = size_t(slot[pre]);
        const double c = count[pre];
        const double* __restrict weight = weights + size_t(pre) * n;
        double* __restrict excitation = arrived.data() + place * n;
        double* __restrict inhibition = arrived.data() + (place + n_slots) * n;
        for (size_t i = 0; i < n; ++i) {
            excitation[i] += c * std::max(weight[i], 0.);
            inhibition[i] += c * std::max(-weight[i], 0.);
        }
    }

    // The biases of the places: of inhibition behind those of excitation.
    const double* biases(int place) const {
        return split ? sides.data() + (place < n_slots ? 0 : n_post) : bias;
    }

    void start_sides() {
        sides.resize(split ? 2 * size_t(n_post) : 0);
        for (int i = 0; split && i < n_post; ++i) {
            sides[i] = std::max(bias[i], 0.);
            sides[n_post + i] = std::max(-bias[i], 0.);
        }
    }

    int places() const {
        return split ? 2 * n_slots : n_slots;
    }

    // Lets what arrived at one place decay, and writes the drive of its cells. Local names let it be vectorised.
    void filter(int place, double share) {
        const double slow_left = decay_slow, fast_left = decay_fast, of_slow = gain_slow, of_fast = gain_fast;
        const double* __restrict constant = biases(place);
        double* __restrict in = arrived.data() + size_t(place) * n_post;
        double* __restrict s = slow.data() + size_t(place) * n_post;
        double* __restrict f = fast.data() + size_t(place) * n_post;
        double* __restrict result = out + size_t(place) * n_post;
        const int n = n_post;
        for (int i = 0; i < n; ++i) {
            s[i] = (s[i] + in[i]) * slow_left;
            f[i] = (f[i] + in[i]) * fast_left;
            in[i] = 0.;
            result[i] = of_slow * s[i] + of_fast * f[i] + share * constant[i];
        }
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
    for (int place = 0; place < p.places(); ++place) {
        const double* bias = p.biases(place);
        for (int i = 0; i < n; ++i) {
            p.out[size_t(place) * n + i] = bias[i] / p.n_slots;
        }
    }
    for (int pre = 0; pre < p.n_pre; ++pre) {
        if (const double rate = p.come[pre]) {
            const double* __restrict weight = p.weights + size_t(pre) * n;
            double* __restrict out = p.out + size_t(p.slot[pre]) * n;
            if (p.split) {
                double* __restrict inhibition = out + size_t(p.n_slots) * n;
                for (int i = 0; i < n; ++i) {
                    out[i] += rate * std::max(weight[i], 0.);
                    inhibition[i] += rate * std::max(-weight[i], 0.);
                }
                continue;
            }
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
    p.start_sides();
    std::fill(p.marks.begin(), p.marks.end(), 0);
    p.start_rates(dt);
    p.start_spikes(dt, key, example, until);
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
    Projection& p = *PROJECTION;
    if (t == 0. || p.due.empty()) {
        return;  // initialisation evaluates currents once before the first step, and so may others before that
    }
    const long now = long(std::floor(t / dt));
    auto step = [&](double time) { return long(std::floor(time / dt + 0.5)); };
    if (p.rates) {
        weigh_rates(p, now, step(forward_on), step(forward_off), step(target_on), step(target_off));
        return;
    }
    p.fetch_spikes(now);
    p.list_fired();
    if (!p.fired.empty()) {
        const double tau_difference = tau_slow - tau_fast;
        const double forward = window_mean(p, tau_difference, now, step(forward_on), step(forward_off));
        const double target = window_mean(p, tau_difference, now, step(target_on), step(target_off));
        for (size_t k = 0; p.split && k < p.fired.size(); ++k) {
            p.add_split(p.fired[k]);
        }
        for (size_t k = 0, rows; !p.split && k < p.fired.size(); k += rows) {
            const int* pre = &p.fired[k];
            for (rows = 1; rows < 4 && k + rows < p.fired.size() && p.slot[pre[rows]] == p.slot[pre[0]]; ++rows) {
            }
            p.add_rows(pre, rows);
        }
        for (int pre: p.fired) {
            p.forward_trace[pre] += p.count[pre] * forward;
            p.target_trace[pre] += p.count[pre] * target;
            p.count[pre] = 0;
        }
    }
    if (p.kept) {
        p.forget();
    }
    for (int k = 0; k < p.places(); ++k) {
        p.filter(k, 1. / p.n_slots);
    }
ENDVERBATIM
}

NET_RECEIVE (pre) {
VERBATIM
    PROJECTION->fire(int(_args[0]));
ENDVERBATIM
}

: bind(weights, bias, slot, out, forward_trace, target_trace, split)
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
    p.split = *getarg(7) != 0.;
    p.n_slots = n_out / p.n_post / (p.split ? 2 : 1);
    p.slow.assign(n_out, 0.);
    p.fast.assign(n_out, 0.);
    p.arrived.assign(n_out, 0.);
    p.count.assign(p.n_pre, 0);
    p.marks.assign((p.n_pre + 63) / 64, 0);
    p.fired.reserve(p.n_pre);
ENDVERBATIM
}

: listen(index, spikes, delay): take the spikes of a presynaptic cell on this rank from its counter (a reference)
PROCEDURE listen() {
VERBATIM
    Projection& p = *PROJECTION;
    p.local.push_back(int(*getarg(1)));
    p.counters.push_back(hoc_hgetarg<double>(2));
    p.cell_delay = *getarg(3);
ENDVERBATIM
}

: draw(levels, gids, rate_max, delay): draw the trains of inputs here, from their Vectors of brightness and gids
PROCEDURE draw() {
VERBATIM
    Projection& p = *PROJECTION;
    p.level = vector_vec(vector_arg(1));
    p.gid = vector_vec(vector_arg(2));
    p.input_rate = *getarg(3);
    p.input_delay = *getarg(4);
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

: scale_learning(gain): from now on, changes are multiplied by gain[slot, post], a Vector of n_slots*n_post
PROCEDURE scale_learning() {
VERBATIM
    PROJECTION->place_gain = vector_vec(vector_arg(1));
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
            if (p.place_gain) {
                const double* __restrict gain = p.place_gain + size_t(p.slot[pre]) * p.n_post;
                for (int i = 0; i < p.n_post; ++i) {
                    weight[i] += trace * (post[i] * gain[i]);
                }
                continue;
            }
            for (int i = 0; i < p.n_post; ++i) {
                weight[i] += trace * post[i];
            }
        }
    }
ENDVERBATIM
}
