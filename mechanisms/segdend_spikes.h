// The spikes of presynaptic cells that reach a SegDendProjection in a step, however they come.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "segdend_source.h"
#include "segdend_trial.h"

namespace {

// Steps from one that begins at time 0 to that in which an event at this time arrives: half a step is rounded down.
inline long arrival(double time, double step) {
    return long(std::ceil(time / step - 0.5));
}

// Cells whose counters can be read and whose spikes take equally long.
struct Lane {
    double delay;
    std::vector<int> cells;
    std::vector<neuron::container::data_handle<double>> counters;  // how many spikes left each in the last step

    explicit Lane(double wait)
        : delay(wait) {}

    void start(double step) {
        due.assign(size_t(arrival(delay, step)) + 1, {});
    }

    // NEURON may move them from trial to trial.
    void find_counters() {
        left.clear();
        std::vector<std::pair<const double*, int>> found;
        for (size_t k = 0; k < counters.size(); ++k) {
            const double* counter = static_cast<double*>(counters[k]);
            if (!counter) {
                hoc_execerror("SegDendProjection: a cell that it listens to has gone: build the network anew.",
                              nullptr);
            }
            found.emplace_back(counter, cells[k]);
        }
        std::sort(found.begin(), found.end());
        for (auto [counter, pre]: found) {
            if (left.empty() || counter != left.back().first + left.back().cells.size()) {
                left.push_back({counter, {}});
            }
            left.back().cells.push_back(pre);
        }
    }

    // Takes the spikes that left in the last step, and calls fire(cell) for each that arrives in this one.
    template <typename Fire>
    void fetch(size_t tick, Fire fire) {
        read_counters(due[(tick + due.size() - 1) % due.size()]);  // the row that was emptied in the last step
        auto& arriving = due[tick % due.size()];
        for (int pre: arriving) {
            fire(pre);
        }
        arriving.clear();
    }

  private:
    struct Run {  // counters side by side in memory
        const double* first;
        std::vector<int> cells;  // whose they are
    };
    std::vector<Run> left;              // where counters are in this trial
    std::vector<std::vector<int>> due;  // their spikes on the way, a row for each step of the delay

    void read_counters(std::vector<int>& later) const {
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
    }
};

// Inputs whose trains are drawn here: the presynaptic cells from `first` on.
struct Drawn {
    Source source;
    const double *constant, *numbers;  // their levels, where these are constant, and the numbers of the cells
    double most, delay;                // rate at level 1 (1/ms)
    int first;
};

struct Spikes {
    std::vector<int> count, fired;  // spikes of this step: per presynaptic cell, and which, in ascending order
    std::vector<Lane> lanes;        // one for each delay
    std::vector<Drawn> drawn;

    ~Spikes() {
        nrnran123_deletestream(stream);
    }

    void bind(int cells) {
        count.assign(cells, 0);
        marks.assign((cells + 63) / 64, 0);
        fired.reserve(cells);
    }

    Lane& lane(double delay) {
        for (Lane& one: lanes) {
            if (one.delay == delay) {
                return one;
            }
        }
        return lanes.emplace_back(delay);
    }

    bool started() const {
        return has_started;
    }

    void start(double step) {
        std::fill(count.begin(), count.end(), 0);
        std::fill(marks.begin(), marks.end(), 0);
        for (Lane& one: lanes) {
            one.start(step);
            one.find_counters();
        }
        tick = 0;
        has_started = has_found = true;
        for (auto& spikes: trains) {
            spikes.clear();
        }
        draw_trains(step);
    }

    // A trial begins in which spikes are on their way from the one before.
    void restart(double step) {
        has_found = false;  // until the next step: NEURON sorts its data before it
        const size_t gone = std::min(next_row, trains.size());
        for (size_t row = 0; row < gone; ++row) {
            trains[row].clear();
        }
        std::rotate(trains.begin(), trains.begin() + long(gone), trains.end());
        draw_trains(step);
    }

    // Whether all spikes are drawn, and so known from the beginning of the trial.
    bool are_known() const {
        return lanes.empty() && !drawn.empty();
    }

    // Takes note that a step has come whose spikes are known.
    void pass(long now) {
        next_row = size_t(now + 1);
    }

    // The inputs whose spikes arrive in a step of the trial, in their order, those with several as often.
    const std::vector<int>& train(long step) const {
        static const std::vector<int> none;
        return size_t(step) < trains.size() ? trains[size_t(step)] : none;
    }

    void fire(int pre) {
        ++count[pre];
        marks[pre / 64] |= uint64_t(1) << pre % 64;
    }

    // Takes the spikes that left cells of this rank in the last step, and lists those that arrive in this one.
    void fetch(long now) {
        const auto arrive = [this](int pre) { fire(pre); };
        for (Lane& one: lanes) {
            if (!has_found) {
                one.find_counters();
            }
            one.fetch(tick, arrive);
        }
        has_found = true;
        ++tick;
        if (now >= 0 && size_t(now) < trains.size()) {
            for (int pre: trains[size_t(now)]) {
                fire(pre);
            }
        }
        next_row = size_t(std::max(now + 1, 0L));
        fired.clear();
        for (size_t k = 0; k < marks.size(); ++k) {
            for (; marks[k]; marks[k] &= marks[k] - 1) {
                fired.push_back(int(64 * k) + __builtin_ctzll(marks[k]));
            }
        }
    }

    void clear() {
        for (int pre: fired) {
            count[pre] = 0;
        }
    }

  private:
    std::vector<std::vector<int>> trains;  // which inputs' spikes arrive in each step of the trial
    std::vector<uint64_t> marks;           // a bit for each presynaptic cell that fired
    size_t tick{};                         // steps since initialisation
    size_t next_row{};                     // of `trains`
    bool has_started{}, has_found{};
    nrnran123_State* stream{nrnran123_newstream()};

    // Adds the trains of all inputs to what is on its way.
    void draw_trains(double step) {
        const double end = segdend::trial.time(segdend::trial.end);  // whatever NEURON's dt is by now
        long last = 0;
        for (const Drawn& inputs: drawn) {
            last = std::max(last, arrival(end + inputs.delay, step));
        }
        trains.resize(drawn.empty() ? 0 : std::max(trains.size(), size_t(last + 1)));
        next_row = 0;
        for (const Drawn& inputs: drawn) {
            inputs.source.run(stream, inputs.constant, inputs.numbers, inputs.most, [&](size_t cell, double time) {
                trains[size_t(arrival(time + inputs.delay, step))].push_back(inputs.first + int(cell));
            });
        }
        for (auto& train: trains) {
            if (!std::is_sorted(train.begin(), train.end())) {  // given spikes may come in any order
                std::sort(train.begin(), train.end());
            }
        }
    }
};

}  // namespace
