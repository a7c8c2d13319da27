// What inputs show in a trial, and the spikes that they send: the same ones in SegDendInput and in SegDendProjection.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "segdend_course.h"
#include "segdend_trial.h"

namespace {

struct Source {
    explicit Source(size_t cells) {
        course.cells = cells;
    }

    size_t size() const {
        return course.cells;
    }

    void show_constant() {
        course.clear();
        times.clear();
        given = false;
    }

    // Levels of these cells, who are `first` and the next of all, that change in the course of the trial.
    void show_course(IvocVect* borders, IvocVect* levels, size_t first, size_t all) {
        show_constant();
        course.take(borders, levels, first, all);
    }

    // Spikes of these cells, who are `first` and the next of those that send some of these spikes.
    void show_spikes(IvocVect* when, IvocVect* whose, size_t first) {
        show_constant();
        given = true;
        senders.clear();
        const size_t n = std::min(vector_capacity(when), vector_capacity(whose));
        for (size_t k = 0; k < n; ++k) {
            const double sender = vector_vec(whose)[k] - double(first);
            if (sender >= 0. && sender < double(course.cells)) {
                times.push_back(vector_vec(when)[k]);
                senders.push_back(size_t(sender));
            }
        }
    }

    // Whether the cell sends spikes, if its level is this one where levels are constant.
    bool sends(double constant) const {
        return given || !course.empty() || constant > 0.;
    }

    // Sends the spikes of the trial: send(cell, time), ms from its start, ascending for each cell.
    template <typename Send>
    void run(nrnran123_State* random, const double* constant, const double* numbers, double most, Send send) const {
        const double end = segdend::trial.time(segdend::trial.end);
        if (given) {
            for (size_t k = 0; k < times.size(); ++k) {
                if (times[k] >= 0. && times[k] < end) {
                    send(senders[k], times[k]);
                }
            }
            return;
        }
        for (size_t cell = 0; cell < course.cells; ++cell) {
            if (!sends(constant[cell])) {
                continue;
            }
            nrnran123_setids(random, uint32_t(numbers[cell]), uint32_t(segdend::trial.key),
                             uint32_t(segdend::trial.example));
            nrnran123_setseq(random, 0.);
            if (course.empty()) {
                run_constant(random, constant[cell] * most, end, [&](double time) { send(cell, time); });
            } else {
                run_course(random, cell, most, end, [&](double time) { send(cell, time); });
            }
        }
    }

  private:
    Course course;                // levels, if they change
    std::vector<double> times;    // given spikes (ms)
    std::vector<size_t> senders;  // and whose they are
    bool given{};

    template <typename Send>
    static void run_constant(nrnran123_State* random, double rate, double end, Send send) {
        double time = nrnran123_negexp(random) / rate;
        for (; time < end; time += nrnran123_negexp(random) / rate) {
            send(time);
        }
    }

    // A spike leaves whenever the integral of the rate has grown by another unit-mean exponential.
    template <typename Send>
    void run_course(nrnran123_State* random, size_t cell, double most, double end, Send send) const {
        double lacking = nrnran123_negexp(random);  // of the integral until the next spike
        for (size_t piece = 0; piece + 1 < course.borders.size(); ++piece) {
            const double rate = course.values[piece * course.cells + cell] * most;
            double time = std::max(course.borders[piece], 0.);
            const double until = std::min(course.borders[piece + 1], end);
            if (!(rate > 0. && time < until)) {
                continue;
            }
            for (double next = time + lacking / rate; next < until; next += lacking / rate) {
                send(next);
                time = next;
                lacking = nrnran123_negexp(random);
            }
            lacking -= rate * (until - time);
        }
    }
};

}  // namespace
