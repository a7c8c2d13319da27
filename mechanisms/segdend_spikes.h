// The spikes of presynaptic cells that reach a SegDendProjection in a step, however they come.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace {

struct Spikes {
    std::vector<int> count, fired;  // spikes of this step: per presynaptic cell, and which, in ascending order

    // cells whose counters can be read
    std::vector<int> local;
    std::vector<neuron::container::data_handle<double>> counters;  // how many spikes left each in the last step
    double cell_delay{};

    // inputs whose trains are drawn here
    const double *level{}, *gid{};
    double input_rate{}, input_delay{};

    ~Spikes() {
        nrnran123_deletestream(stream);
    }

    void bind(int cells) {
        count.assign(cells, 0);
        marks.assign((cells + 63) / 64, 0);
        fired.reserve(cells);
    }

    bool started() const {
        return !due.empty();
    }

    void start(double step, double run, double trial, double end) {
        std::fill(count.begin(), count.end(), 0);
        std::fill(marks.begin(), marks.end(), 0);
        due.assign(size_t(arrival(cell_delay, step)) + 1, {});
        find_counters();
        draw_trains(step, run, trial, end);
    }

    void fire(int pre) {
        ++count[pre];
        marks[pre / 64] |= uint64_t(1) << pre % 64;
    }

    // Takes the spikes that left cells of this rank in the last step, and lists those that arrive in this one.
    void fetch(long now) {
        read_counters(due[size_t(now + due.size() - 1) % due.size()]);  // the row that was emptied in the last step
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
    struct Run {  // counters side by side in memory
        const double* first;
        std::vector<int> cells;  // whose they are
    };
    std::vector<Run> left;               // where counters are in this trial
    std::vector<std::vector<int>> due;   // their spikes on the way, a row for each step of the delay
    std::vector<std::vector<int>> trains;  // which inputs' spikes arrive in each step
    std::vector<uint64_t> marks;         // a bit for each presynaptic cell that fired
    nrnran123_State* stream{nrnran123_newstream()};

    // Steps from one that begins at time 0 to that in which an event at this time arrives: half a step is rounded down.
    static long arrival(double time, double step) {
        return long(std::ceil(time / step - 0.5));
    }

    // Once per trial: NEURON may have moved them.
    void find_counters() {
        left.clear();
        std::vector<std::pair<const double*, int>> found;
        for (size_t k = 0; k < counters.size(); ++k) {
            found.emplace_back(&*counters[k], local[k]);
        }
        std::sort(found.begin(), found.end());
        for (auto [counter, pre]: found) {
            if (left.empty() || counter != left.back().first + left.back().cells.size()) {
                left.push_back({counter, {}});
            }
            left.back().cells.push_back(pre);
        }
    }

    void draw_trains(double step, double run, double trial, double end) {
        for (auto& spikes: trains) {
            spikes.clear();
        }
        trains.resize(level ? size_t(std::ceil(end / step)) + 1 : 0);
        for (int pre = 0; level && pre < int(count.size()); ++pre) {
            if (const double rate = level[pre] * input_rate) {
                nrnran123_setids(stream, uint32_t(gid[pre]), uint32_t(run), uint32_t(trial));
                nrnran123_setseq(stream, 0.);
                double time = nrnran123_negexp(stream) / rate;
                for (; time < end; time += nrnran123_negexp(stream) / rate) {
                    const size_t now = size_t(arrival(time + input_delay, step));
                    if (now < trains.size()) {
                        trains[now].push_back(pre);
                    }
                }
            }
        }
    }

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

}  // namespace
