// How a SegDendProjection filters spike trains, and their averages over a window.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "segdend_trial.h"

namespace {

struct Kernel {
    double decay_slow{}, decay_fast{}, gain_slow{}, gain_fast{};
    double difference{};  // of the time constants (ms)
    long kept{};          // steps that count, 0 for all

    void start(double which, double tau_long, double tau_short, double cut_off, double step) {
        difference = tau_long - tau_short;
        decay_slow = exp(-step / tau_long);
        decay_fast = exp(-step / tau_short);

        kept = long(std::floor(cut_off / step + 0.5));
        if (which == 0.) {
            gain_slow = 1. / difference;
            gain_fast = -gain_slow;
        } else {
            gain_slow = 0.;
            gain_fast = (1. - decay_fast) / (step * decay_fast);
        }
    }

    // Mean of kappa over those steps of a window that end after a spike that arrived in step `now`.
    double mean(long now, const segdend::Window& window) {
        const long youngest = std::max(window.first - now, 0L) + 1;  // ages, in steps
        const long oldest = kept ? std::min(window.last - now, kept) : window.last - now;
        if (oldest < youngest) {
            return 0.;
        }
        raise(slow, decay_slow);
        raise(fast, decay_fast);
        const auto ages = [&](double decay, const std::vector<double>& powers) {
            return (powers[youngest] - powers[oldest + 1]) / (1. - decay);
        };
        return (ages(decay_slow, slow) - ages(decay_fast, fast)) / difference / window.steps();
    }

  private:
    std::vector<double> slow, fast;  // powers of the decays

    static void raise(std::vector<double>& powers, double decay) {
        const size_t wanted = size_t(segdend::trial.end) + 2;
        if (powers.size() > 1 && powers[1] != decay) {
            powers.clear();
        }
        while (powers.size() < wanted) {
            powers.push_back(std::pow(decay, double(powers.size())));
        }
    }
};

}  // namespace
