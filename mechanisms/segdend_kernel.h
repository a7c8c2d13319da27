// How a SegDendProjection filters spike trains, and their averages over a window.
#pragma once

#include <algorithm>
#include <cmath>

#include "segdend_trial.h"

namespace {

struct Kernel {
    double decay_slow{}, decay_fast{}, gain_slow{}, gain_fast{};
    double difference{};  // of the time constants (ms)
    long kept{};          // steps that count, 0 for all

    void start(double which, double slow, double fast, double cut_off, double step) {
        difference = slow - fast;
        decay_slow = exp(-step / slow);
        decay_fast = exp(-step / fast);
        kept = long(std::floor(cut_off / step + 0.5));
        if (which == 0.) {
            gain_slow = 1. / (slow - fast);
            gain_fast = -gain_slow;
        } else {
            gain_slow = 0.;
            gain_fast = (1. - decay_fast) / (step * decay_fast);
        }
    }

    // Mean of kappa over those steps of a window that end after a spike that arrived in step `now`.
    double mean(long now, const segdend::Window& window) const {
        const long youngest = std::max(window.first - now, 0L) + 1;  // ages, in steps
        const long oldest = kept ? std::min(window.last - now, kept) : window.last - now;
        if (oldest < youngest) {
            return 0.;
        }
        auto ages = [&](double decay) {
            return (std::pow(decay, double(youngest)) - std::pow(decay, double(oldest + 1))) / (1. - decay);
        };
        return (ages(decay_slow) - ages(decay_fast)) / difference / window.steps();
    }
};

}  // namespace
