// The trial that runs, as all mechanisms know it: SegDendTrial() is told once per trial.
#pragma once

#include <vector>

namespace segdend {

// The steps [first, last) of a trial, counted from 0, and the step at which the phase begins that they belong to.
struct Window {
    long first{}, last{}, start{};
    bool taught{};

    bool holds(long now) const {
        return now >= first && now < last;
    }

    double steps() const {
        return double(last - first);
    }
};

struct Trial {
    double step{};            // ms
    double begin{};           // time of NEURON at which step 0 begins (ms)
    double key{}, example{};  // of random streams: the run (seed and purpose), and the example
    long end{};               // steps
    std::vector<Window> windows;

    // Time since the trial began (ms), after so many steps.
    double time(long steps) const {
        return double(steps) * step;
    }
};

inline Trial trial;  // one for all mechanisms: they are linked into one library

}  // namespace segdend
