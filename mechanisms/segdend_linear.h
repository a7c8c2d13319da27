// Cells that are linear systems of the same few states, side by side: what SegDendLinear advances.
//
// An Octet holds eight cells, each of which has the same bits wherever it stands. Names are none of the mechanism's variables, which are macros.
#pragma once

#include <algorithm>
#include <vector>

#include "segdend_octet.h"

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

class System {
  public:
    // blocks: (pair of states, 2, 2); into: (output, cell), potentials in mV
    void bind(IvocVect* of_blocks, IvocVect* into, double base) {
        blocks = vector_vec(of_blocks);
        pairs = size_t(vector_capacity(of_blocks)) / 4;
        out = vector_vec(into);
        zero = base;
        x.clear();
        cells.clear();
        entries.clear();
        rows.clear();
        gains.clear();
    }

    void add(neuron::container::data_handle<double> next) {
        cells.push_back(std::move(next));
    }

    void enter(IvocVect* by, IvocVect* drives) {
        const size_t slots = size_t(vector_capacity(drives)) / cells.size();
        if (size_t(vector_capacity(by)) != 2 * pairs * slots * cells.size()) {
            hoc_execerror("SegDendLinear.enter: a gain is needed for each state, slot and cell.", nullptr);
        }
        entries.push_back({vector_vec(by), vector_vec(drives), slots});
    }

    void read(IvocVect* weights) {
        const size_t n = vector_capacity(weights);
        if (n != 2 * pairs && n != 2 * pairs * cells.size()) {
            hoc_execerror("SegDendLinear.read: a weight is needed for each state, or for each state and cell.",
                          nullptr);
        }
        rows.push_back({vector_vec(weights), n != 2 * pairs});
    }

    void start() {
        x.assign(octets() * 2 * pairs, Octet{});
        std::fill_n(out, rows.size() * cells.size(), zero);
        found.clear();  // until the next step: NEURON sorts its data before it
    }

    void step() {
        if (x.empty()) {
            start();  // NEURON was not initialised
        }
        if (gains.empty()) {
            pack();
        }
        if (found.size() != cells.size()) {
            find();
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
        for (size_t k = 0; k < found.size(); ++k) {
            *found[k] = out[k];
        }
    }

  private:
    size_t pairs{};  // of states
    double zero{};   // mV
    const double* blocks{};
    double* out{};
    std::vector<Entry> entries;
    std::vector<Row> rows;
    std::vector<neuron::container::data_handle<double>> cells;  // where the potential of each soma is written
    std::vector<double*> found;                                 // where these are in this trial
    std::vector<Octet> x;                                        // (octet, state)
    std::vector<Octet> gains;                                    // (octet, pair, slot, 2), as they are read
    std::vector<Octet> drives;                                   // of one octet
    std::vector<const double*> at;                              // where the drives of each slot are

    size_t octets() const {
        return (cells.size() + WIDTH - 1) / WIDTH;
    }

    size_t in(size_t octet) const {
        return std::min(WIDTH, cells.size() - octet * WIDTH);
    }

    void find() {
        found.clear();
        for (auto& cell: cells) {
            found.push_back(static_cast<double*>(cell));
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

std::vector<System*> systems;  // of this rank

void release(System*& one) {
    if (one) {
        systems.erase(std::find(systems.begin(), systems.end(), one));
        delete one;
        one = nullptr;
    }
}

}  // namespace
