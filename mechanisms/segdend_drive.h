// What the synapses of a SegDendProjection make of spikes or rates: the drives of all places of its postsynaptic cells.
//
// Loops over postsynaptic cells take their pointers and factors by local names, so that the compiler vectorises them.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "segdend_kernel.h"
#include "segdend_spikes.h"

namespace {

struct Drive {
    int n_pre{}, n_post{}, n_slots{};
    bool split{};  // whether excitation and inhibition are summed apart
    double *weights{}, *bias{}, *slot{}, *out{};

    void bind(int n_out) {
        n_slots = n_out / n_post / (split ? 2 : 1);
        slow.assign(n_out, 0.);
        fast.assign(n_out, 0.);
        arrived.assign(n_out, 0.);
    }

    void start(const Kernel& by) {
        std::fill(slow.begin(), slow.end(), 0.);
        std::fill(fast.begin(), fast.end(), 0.);
        past.assign(size_t(by.kept) * arrived.size(), 0.);
        oldest = 0;
        sent.clear();
        sides.resize(split ? 2 * size_t(n_post) : 0);
        for (int i = 0; split && i < n_post; ++i) {
            sides[i] = std::max(bias[i], 0.);
            sides[n_post + i] = std::max(-bias[i], 0.);
        }
    }

    // Adds the weights of the cells that fired to what arrives.
    void add(const Spikes& spikes) {
        const auto& fired = spikes.fired;
        for (size_t k = 0; split && k < fired.size(); ++k) {
            add_split(fired[k], spikes.count[fired[k]]);
        }
        for (size_t k = 0, rows; !split && k < fired.size(); k += rows) {
            const int* pre = &fired[k];
            for (rows = 1; rows < 4 && k + rows < fired.size() && slot[pre[rows]] == slot[pre[0]]; ++rows) {
            }
            add_rows(pre, rows, spikes.count);
        }
    }

    // Filters what has arrived, and writes the drives.
    void filter(const Kernel& by) {
        filter(by, arrived.data());
        std::fill(arrived.begin(), arrived.end(), 0.);
    }

    // The same of what arrives from elsewhere: (place, postsynaptic cell).
    void filter(const Kernel& by, const double* in) {
        if (by.kept) {
            forget(by, in);
        }
        for (int place = 0; place < places(); ++place) {
            filter(place, by, 1. / n_slots, in + size_t(place) * n_post);
        }
    }

    // Writes the drives as the weighted sum of rates.
    void weigh(const std::vector<double>& rates) {
        if (sent == rates) {
            return;
        }
        sent = rates;
        const int n = n_post;
        for (int place = 0; place < places(); ++place) {
            const double* constant = biases(place);
            for (int i = 0; i < n; ++i) {
                out[size_t(place) * n + i] = constant[i] / n_slots;
            }
        }
        for (int pre = 0; pre < n_pre; ++pre) {
            if (const double rate = rates[pre]) {
                const double* __restrict weight = weights + size_t(pre) * n;
                double* __restrict excitation = out + size_t(slot[pre]) * n;
                if (split) {
                    double* __restrict inhibition = excitation + size_t(n_slots) * n;
                    for (int i = 0; i < n; ++i) {
                        excitation[i] += rate * std::max(weight[i], 0.);
                        inhibition[i] += rate * std::max(-weight[i], 0.);
                    }
                    continue;
                }
                for (int i = 0; i < n; ++i) {
                    excitation[i] += rate * weight[i];
                }
            }
        }
    }

  private:
    std::vector<double> slow, fast, arrived;  // per place (split: of both sides) and postsynaptic cell
    std::vector<double> past;                 // `arrived` of the steps that count, where the kernel is cut
    long oldest{};                            // the row of `past` to forget next
    std::vector<double> sides;                // split biases
    std::vector<double> sent;                 // the rates that `out` was made of

    int places() const {
        return split ? 2 * n_slots : n_slots;
    }

    // The biases of a place: of inhibition behind those of excitation.
    const double* biases(int place) const {
        return split ? sides.data() + (place < n_slots ? 0 : n_post) : bias;
    }

    // Adds up to four rows of weights to what arrives at one place: together they are read faster than one by one.
    void add_rows(const int* pre, int rows, const std::vector<int>& count) {
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
    void add_split(int pre, double c) {
        const size_t n = n_post, place = size_t(slot[pre]);
        const double* __restrict weight = weights + size_t(pre) * n;
        double* __restrict excitation = arrived.data() + place * n;
        double* __restrict inhibition = arrived.data() + (place + n_slots) * n;
        for (size_t i = 0; i < n; ++i) {
            excitation[i] += c * std::max(weight[i], 0.);
            inhibition[i] += c * std::max(-weight[i], 0.);
        }
    }

    // Takes out what grows older than the kernel is long in this step, and remembers what arrived in it.
    void forget(const Kernel& by, const double* in) {
        const double slow_left = std::pow(by.decay_slow, double(by.kept));
        const double fast_left = std::pow(by.decay_fast, double(by.kept));
        double* __restrict row = past.data() + size_t(oldest) * arrived.size();
        for (size_t i = 0; i < arrived.size(); ++i) {
            slow[i] -= slow_left * row[i];
            fast[i] -= fast_left * row[i];
            row[i] = in[i];
        }
        oldest = (oldest + 1) % by.kept;
    }

    // Lets what arrived at one place decay, and writes the drive of its cells. A current has no slow part.
    void filter(int place, const Kernel& by, double share, const double* __restrict in) {
        const double slow_left = by.decay_slow, fast_left = by.decay_fast;
        const double of_slow = by.gain_slow, of_fast = by.gain_fast;
        const double* __restrict constant = biases(place);
        double* __restrict s = slow.data() + size_t(place) * n_post;
        double* __restrict f = fast.data() + size_t(place) * n_post;
        double* __restrict result = out + size_t(place) * n_post;
        const int n = n_post;
        for (int i = 0; of_slow == 0. && i < n; ++i) {
            f[i] = (f[i] + in[i]) * fast_left;
            result[i] = of_fast * f[i] + share * constant[i];
        }
        for (int i = 0; of_slow != 0. && i < n; ++i) {
            s[i] = (s[i] + in[i]) * slow_left;
            f[i] = (f[i] + in[i]) * fast_left;
            result[i] = of_slow * s[i] + of_fast * f[i] + share * constant[i];
        }
    }
};

}  // namespace
