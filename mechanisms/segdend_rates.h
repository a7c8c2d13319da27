// The rates of presynaptic cells, where a SegDendProjection is sent these instead of spikes.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

namespace {

struct Rates {
    std::vector<double> come;  // those that have arrived

    void bind(double* sources, int cells, double wait) {
        rates = sources;
        delay = wait;
        come.assign(cells, 0.);
    }

    bool bound() const {
        return rates;
    }

    // Rates of cells are nothing until the first ones arrive, whatever the previous trial has left.
    void start(double step) {
        if (delay > 0.) {
            std::fill_n(rates, come.size(), 0.);
            late = std::max(long(std::floor(delay / step + 0.5)) - 1, 0L);
            next = 0;
            way.assign(size_t(late) * come.size(), 0.);
        }
    }

    void fetch() {
        std::copy_n(rates, come.size(), come.begin());
        if (late) {
            std::swap_ranges(come.begin(), come.end(), way.begin() + size_t(next) * come.size());
            next = (next + 1) % late;
        }
    }

  private:
    double* rates{};          // of the step before
    double delay{};           // 0 for those of inputs, which are constant
    std::vector<double> way;  // on their way: a row for each step of delay beyond the first
    long late{}, next{};      // number of these rows, and the one that arrives next
};

}  // namespace
