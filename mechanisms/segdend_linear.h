// Cells that are linear systems of the same few states, side by side: what SegDendSystem advances.
//
// An Octet holds eight cells, each of which has the same bits wherever it stands. Names are none of the mechanism's variables, which are macros.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "segdend_escape.h"
#include "segdend_octet.h"
#include "segdend_trial.h"

namespace {

// What one set of connections does to the states of every cell.
struct Entry {
    const double* gains;   // (state, slot, cell), per unit drive
    const double* drives;  // (slot, cell)
    size_t slots;
};

// A potential that comes out of every cell: c x, with one row c for all, or one for each.
struct Row {
    const double* weights;  // (state), or (state, cell)
    bool own;
};

// A variable of every cell, which is told what System has found.
class Told {
  public:
    void add(neuron::container::data_handle<double> next) {
        handles.push_back(std::move(next));
    }

    // NEURON may move them from trial to trial.
    void find() {
        places.clear();
        for (auto& one: handles) {
            places.push_back(static_cast<double*>(one));
        }
        together = true;
        for (size_t k = 1; k < places.size(); ++k) {
            together = together && places[k] == places[0] + k;
        }
    }

    double at(size_t k) const {
        return *places[k];
    }

    void tell(const std::vector<double>& values) {
        if (together && !places.empty()) {
            std::copy(values.begin(), values.end(), places[0]);
            return;
        }
        for (size_t k = 0; k < places.size(); ++k) {
            *places[k] = values[k];
        }
    }

  private:
    std::vector<neuron::container::data_handle<double>> handles;
    std::vector<double*> places;  // where they are in this trial
    bool together{};
};

// One cell: its place in NEURON, and its random stream.
struct Cell {
    Point_process* point;
    uint32_t id;
    nrnran123_State* stream;
};

class System {
  public:
    ~System() {
        forget();
    }

    // blocks: (pair of states, 2, 2); into: (output, cell), potentials in mV
    void bind(IvocVect* of_blocks, IvocVect* into, double zero_at, double one_unit, double most) {
        blocks = vector_vec(of_blocks);
        pairs = size_t(vector_capacity(of_blocks)) / 4;
        out = vector_vec(into);
        zero = zero_at;
        unit = one_unit;
        rate_max = most;
        x.clear();
        forget();
        entries.clear();
        rows.clear();
        gains.clear();
    }

    void add(Point_process* point, double id, neuron::container::data_handle<double> spikes_of,
             neuron::container::data_handle<double> potential_of, neuron::container::data_handle<double> rate_of,
             neuron::container::data_handle<double> announced_of) {
        cells.push_back({point, uint32_t(id), nrnran123_newstream()});
        spikes.add(std::move(spikes_of));
        potentials.add(std::move(potential_of));
        rates.add(std::move(rate_of));
        announced.add(std::move(announced_of));
    }

    void enter(IvocVect* by, IvocVect* drives) {
        const size_t slots = size_t(vector_capacity(drives)) / cells.size();
        if (size_t(vector_capacity(by)) != 2 * pairs * slots * cells.size()) {
            hoc_execerror("SegDendSystem.enter: a gain is needed for each state, slot and cell.", nullptr);
        }
        entries.push_back({vector_vec(by), vector_vec(drives), slots});
    }

    void read(IvocVect* weights) {
        const size_t n = vector_capacity(weights);
        if (n != 2 * pairs && n != 2 * pairs * cells.size()) {
            hoc_execerror("SegDendSystem.read: a weight is needed for each state, or for each state and cell.",
                          nullptr);
        }
        rows.push_back({vector_vec(weights), n != 2 * pairs});
    }

    void start() {
        x.assign(octets() * 2 * pairs, Octet{});
        std::fill_n(out, rows.size() * cells.size(), zero);
        for (auto* column: {&potential, &rate, &fired, &hazard, &next}) {
            column->assign(cells.size(), 0.);
        }
        base.assign(cells.size(), zero);
        ones.assign(cells.size(), unit);
        most.assign(cells.size(), rate_max);
        restart();
        found = false;  // until the next step: NEURON sorts its data before it
    }

    // The random streams of a trial, which may begin without initialisation.
    void restart() {
        hazard.assign(cells.size(), 0.);
        next.resize(cells.size());
        for (size_t k = 0; k < cells.size(); ++k) {
            nrnran123_State* const stream = cells[k].stream;
            nrnran123_setids(stream, cells[k].id, uint32_t(segdend::trial.key), uint32_t(segdend::trial.example));
            nrnran123_setseq(stream, 0.);
            next[k] = nrnran123_negexp(stream);
        }
    }

    void step(double time, double length) {
        if (x.empty()) {
            start();  // NEURON was not initialised
        }
        if (!found) {
            find();
        }
        if (gains.empty()) {
            pack();
        }
        const Octet* gain = gains.data();
        for (size_t octet = 0; octet < octets(); ++octet) {
            for (size_t slot = 0; slot < drives.size(); ++slot) {
                drives[slot] = load(at[slot] + octet * WIDTH, in(octet));
            }
            gain = advance(&x[octet * 2 * pairs], gain);
            for (size_t k = 0; k < rows.size(); ++k) {
                store(sum(rows[k], octet), out + k * cells.size() + octet * WIDTH, in(octet));
            }
        }
        escape(time, length);
        potentials.tell(potential);
        rates.tell(rate);
        spikes.tell(fired);
    }

  private:
    size_t pairs{};  // of states
    double zero{}, unit{}, rate_max{};  // mV, mV and 1/ms
    const double* blocks{};
    double* out{};
    std::vector<Entry> entries;
    std::vector<Row> rows;
    std::vector<Cell> cells;
    Told spikes, potentials, rates, announced;
    bool found{};                                            // whether it is known where these are in this trial
    std::vector<double> potential, rate, fired;              // of each cell, at the end of the step
    std::vector<double> hazard, next;                        // integral of its rate, and where its next spike leaves
    std::vector<double> base, ones, most;                    // rest, unit and largest rate, as many times
    std::vector<Octet> x;                                    // (octet, state)
    std::vector<Octet> gains;                                // (octet, pair, slot, 2), as they are read
    std::vector<Octet> drives;                               // of one octet
    std::vector<const double*> at;                           // where the drives of each slot are

    size_t octets() const {
        return (cells.size() + WIDTH - 1) / WIDTH;
    }

    size_t in(size_t octet) const {
        return std::min(WIDTH, cells.size() - octet * WIDTH);
    }

    void find() {
        for (Told* one: {&spikes, &potentials, &rates, &announced}) {
            one->find();
        }
        found = true;
    }

    void forget() {
        for (const Cell& cell: cells) {
            nrnran123_deletestream(cell.stream);
        }
        cells.clear();
        spikes = potentials = rates = announced = Told{};
    }

    // Lets those cells spike whose integrated rate has passed a threshold.
    void escape(double time, double length) {
        const size_t n = cells.size();
        escape_rates(n, length, out, base.data(), ones.data(), most.data(), potential.data(), rate.data(),
                     hazard.data(), fired.data());
        constexpr size_t some = 64;
        size_t firing[some];
        for (size_t first = 0; first < n; first += some) {
            size_t over = 0;
            for (size_t k = first; k < std::min(first + some, n); ++k) {
                firing[over] = k;
                over += hazard[k] >= next[k];  // a branch would be foretold wrongly
            }
            for (size_t j = 0; j < over; ++j) {
                const size_t k = firing[j];
                do {
                    next[k] += nrnran123_negexp(cells[k].stream);
                    fired[k] += 1.;
                    if (announced.at(k)) {
                        net_event(cells[k].point, time);
                    }
                } while (hazard[k] >= next[k]);
            }
        }
    }

    // Copies the gains into the order in which they are read: they are too many for the nearest cache.
    void pack() {
        at.clear();
        for (const Entry& entry: entries) {
            for (size_t slot = 0; slot < entry.slots; ++slot) {
                at.push_back(entry.drives + slot * cells.size());
            }
        }
        drives.resize(at.size());
        for (size_t octet = 0; octet < octets(); ++octet) {
            for (size_t pair = 0; pair < pairs; ++pair) {
                for (const Entry& entry: entries) {
                    for (size_t slot = 0; slot < entry.slots; ++slot) {
                        for (size_t k = 2 * pair; k < 2 * pair + 2; ++k) {
                            const double* own = entry.gains + (k * entry.slots + slot) * cells.size();
                            gains.push_back(load(own + octet * WIDTH, in(octet)));
                        }
                    }
                }
            }
        }
    }

    // Advances the states of a octet, and returns where the gains of the next one are.
    const Octet* advance(Octet* state_of, const Octet* gain) const {
        const size_t slots = drives.size();
        const Octet* const u = drives.data();
        for (size_t pair = 0; pair < pairs; ++pair) {
            const double* const block = blocks + 4 * pair;
            const Octet one = state_of[2 * pair], two = state_of[2 * pair + 1];
            Octet first = block[0] * one + block[1] * two, second = block[2] * one + block[3] * two;
            for (size_t slot = 0; slot < slots; ++slot, gain += 2) {
                first += gain[0] * u[slot];
                second += gain[1] * u[slot];
            }
            state_of[2 * pair] = first;
            state_of[2 * pair + 1] = second;
        }
        return gain;
    }

    Octet sum(const Row& row, size_t octet) const {
        const Octet* const from = &x[octet * 2 * pairs];
        Octet total = Octet{} + zero;
        for (size_t k = 0; k < 2 * pairs; ++k) {
            if (row.own) {
                total += load(row.weights + k * cells.size() + octet * WIDTH, in(octet)) * from[k];
            } else {
                total += row.weights[k] * from[k];
            }
        }
        return total;
    }
};

}  // namespace
