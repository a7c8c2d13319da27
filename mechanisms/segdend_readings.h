// What SegDendReadings keeps: groups of references, their sums over the windows of the trial, and their traces.
#pragma once

#include <algorithm>
#include <vector>

#include "segdend_trial.h"

namespace {

class Group {
  public:
    Group(int which, IvocVect* zero, IvocVect* one)
        : quantity(which)
        , rest(vector_vec(zero), vector_vec(zero) + vector_capacity(zero))
        , unit(vector_vec(one), vector_vec(one) + vector_capacity(one))
        , values(rest.size()) {}

    void add(neuron::container::data_handle<double> cell) {
        cells.push_back(std::move(cell));
    }

    void into(IvocVect* of_windows, IvocVect* of_steps) {
        sums = vector_vec(of_windows);
        trace = vector_vec(of_steps);
        windows = size_t(vector_capacity(of_windows)) / size();
        steps = size_t(vector_capacity(of_steps)) / size();
    }

    void lead(size_t window, IvocVect* by) {
        if (leads.size() <= window) {
            leads.resize(window + 1);
        }
        leads[window].clear();
        if (by) {
            leads[window].assign(vector_vec(by), vector_vec(by) + vector_capacity(by));
            leads[window].resize(size());
        }
    }

    bool wanted() const {
        return windows || steps;
    }

    void start() {
        std::fill_n(sums, windows * size(), 0.);
        std::fill_n(trace, steps * size(), 0.);
    }

    // NEURON may move them from trial to trial.
    void find() {
        runs.clear();
        for (auto& cell: cells) {
            const double* now = static_cast<double*>(cell);
            if (!now) {
                hoc_execerror("SegDendReadings: a cell that is read has gone: build the network anew.", nullptr);
            }
            if (runs.empty() || now != runs.back().first + runs.back().size) {
                runs.push_back({now, 0});
            }
            ++runs.back().size;
        }
    }

    // Reads step `now`, which ends at this time of the trial.
    template <typename Convert>
    void read(long now, double time, double step, Convert convert) {
        const auto& phases = segdend::trial.windows;
        const size_t n = std::min(windows, phases.size());
        const bool traced = size_t(now) < steps;
        const double* x = nullptr;
        for (size_t window = 0; window < n; ++window) {
            const bool shifted = window < leads.size() && !leads[window].empty();
            if (shifted) {
                const double on = segdend::trial.time(phases[window].first) + 0.5 * step;
                const double off = segdend::trial.time(phases[window].last) + 0.5 * step;
                const double* __restrict by = leads[window].data();
                if (any_open(by, time, on, off)) {
                    x = x ? x : see(convert);
                    add_open(sums + window * size(), x, by, time, on, off);
                }
            } else if (phases[window].holds(now)) {
                x = x ? x : see(convert);
                add_all(sums + window * size(), x);
            }
        }
        if (traced) {
            std::copy_n(x ? x : see(convert), size(), trace + size_t(now) * size());
        }
    }

  private:
    struct Run {  // references side by side in memory
        const double* first;
        size_t size;
    };
    int quantity;
    std::vector<double> rest, unit;
    std::vector<neuron::container::data_handle<double>> cells;
    std::vector<Run> runs;                   // where they are in this trial
    std::vector<double> values;              // of this step
    std::vector<std::vector<double>> leads;  // per window, none for those of the trial
    double *sums{}, *trace{};
    size_t windows{}, steps{};

    size_t size() const {
        return rest.size();
    }

    // The values of this step, where they are or as copies.
    template <typename Convert>
    const double* see(Convert convert) {
        const bool together = runs.size() == 1;
        if (together && quantity == 0) {
            return runs[0].first;
        }
        double* to = values.data();
        for (const Run& run: runs) {
            to = std::copy_n(run.first, run.size, to);
        }
        if (quantity == 1) {
            double* __restrict x = values.data();
            const double *__restrict zero = rest.data(), *__restrict one = unit.data();
            const size_t n = size();
            for (size_t k = 0; k < n; ++k) {
                x[k] = (x[k] - zero[k]) / one[k];
            }
        } else if (quantity > 1) {
            convert(quantity, values.data(), size());
        }
        return values.data();
    }

    void add_all(double* __restrict sum, const double* __restrict x) const {
        const size_t n = size();
        for (size_t k = 0; k < n; ++k) {
            sum[k] += x[k];
        }
    }

    // `on` and `off` have half a step of slack, because the time is a sum of rounded steps.
    static bool is_open(double lead, double time, double on, double off) {
        return (time + lead > on) & (time + lead < off);
    }

    bool any_open(const double* __restrict by, double time, double on, double off) const {
        size_t any = 0;
        const size_t n = size();
        for (size_t k = 0; k < n; ++k) {
            any += is_open(by[k], time, on, off);
        }
        return any;
    }

    void add_open(double* __restrict sum, const double* __restrict x, const double* __restrict by, double time,
                  double on, double off) const {
        const size_t n = size();
        for (size_t k = 0; k < n; ++k) {
            if (is_open(by[k], time, on, off)) {
                sum[k] += x[k];
            }
        }
    }
};

class Readings {
  public:
    double add(int quantity, IvocVect* rest, IvocVect* unit) {
        groups.emplace_back(quantity, rest, unit);
        return double(groups.size() - 1);
    }

    Group& group(double index) {
        if (!(index >= 0. && index < double(groups.size()))) {
            hoc_execerror("SegDendReadings: there is no group of this number: take what group() returned.", nullptr);
        }
        return groups[size_t(index)];
    }

    void start() {
        now = 0;
        found = false;  // until the next step: NEURON sorts its data before it
        for (Group& one: groups) {
            one.start();
        }
    }

    void find() {
        for (Group& one: groups) {
            if (one.wanted()) {
                one.find();
            }
        }
        found = true;
    }

    template <typename Convert>
    void step(double time, double length, Convert convert) {
        if (!found) {
            find();
        }
        for (Group& one: groups) {
            if (one.wanted()) {
                one.read(now, time, length, convert);
            }
        }
        ++now;
    }

  private:
    std::vector<Group> groups;
    long now{};  // steps since the trial began
    bool found{};
};

}  // namespace
