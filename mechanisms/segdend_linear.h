// Cells that are linear systems of the same few states, side by side: what SegDendLinear advances.
//
// Its names are none of the mechanism's variables, which are macros. Loops over cells take their pointers by local
// names, so that the compiler vectorises them, and a cell has the same bits wherever it stands among the others.
#pragma once

#include <algorithm>
#include <vector>

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
    // blocks: (pair of states, 2, 2); out: (output, cell), potentials in mV
    void bind(IvocVect* of_blocks, IvocVect* into) {
        blocks = vector_vec(of_blocks);
        states = size_t(vector_capacity(of_blocks)) / 2;
        out = vector_vec(into);
        somas.clear();
        entries.clear();
        rows.clear();
    }

    void add(neuron::container::data_handle<double> next) {
        somas.push_back(std::move(next));
    }

    void enter(IvocVect* gains, IvocVect* drives) {
        const size_t slots = size_t(vector_capacity(drives)) / cells();
        if (size_t(vector_capacity(gains)) != states * slots * cells()) {
            hoc_execerror("SegDendLinear.enter: a gain is needed for each state, slot and cell.", nullptr);
        }
        entries.push_back({vector_vec(gains), vector_vec(drives), slots});
    }

    void read(IvocVect* weights) {
        const size_t n = vector_capacity(weights);
        if (n != states && n != states * cells()) {
            hoc_execerror("SegDendLinear.read: a weight is needed for each state, or for each state and cell.",
                          nullptr);
        }
        rows.push_back({vector_vec(weights), n != states});
    }

    void start(double base) {
        zero = base;
        x.assign(states * cells(), 0.);
        std::fill_n(out, rows.size() * cells(), zero);
        found.clear();  // until the next step: NEURON sorts its data before it
    }

    void step() {
        if (found.size() != somas.size()) {
            find();
        }
        constexpr size_t some = 128;  // whose states stay in the nearest cache
        for (size_t first = 0; first < cells(); first += some) {
            const size_t n = std::min(some, cells() - first);
            for (size_t pair = 0; pair < states / 2; ++pair) {
                advance(pair, first, n);
            }
            for (size_t k = 0; k < rows.size(); ++k) {
                sum(rows[k], out + k * cells() + first, first, n);
            }
        }
        for (size_t k = 0; k < found.size(); ++k) {
            *found[k] = out[k];
        }
    }

  private:
    size_t states{};
    double zero{};  // mV
    const double* blocks{};
    double* out{};
    std::vector<Entry> entries;
    std::vector<Row> rows;
    std::vector<neuron::container::data_handle<double>> somas;  // where each cell's potential is written
    std::vector<double*> found;                                 // where these are in this trial
    std::vector<double> x;                                      // (state, cell)

    size_t cells() const {
        return somas.size();
    }

    void find() {
        found.clear();
        for (auto& one: somas) {
            found.push_back(static_cast<double*>(one));
        }
    }

    void advance(size_t pair, size_t first, size_t n) {
        const double a = blocks[4 * pair], b = blocks[4 * pair + 1];
        const double c = blocks[4 * pair + 2], d = blocks[4 * pair + 3];
        double* __restrict one = x.data() + 2 * pair * cells() + first;
        double* __restrict two = one + cells();
        for (size_t i = 0; i < n; ++i) {
            const double before = one[i];
            one[i] = a * before + b * two[i];
            two[i] = c * before + d * two[i];
        }
        for (const Entry& entry: entries) {
            const double* gain = entry.gains + 2 * pair * entry.slots * cells() + first;
            drive(one, two, gain, entry.drives + first, entry.slots, n);
        }
    }

    // Two slots at a time, which halves the reads and writes of the states.
    void drive(double* __restrict one, double* __restrict two, const double* gain, const double* drives, size_t slots,
               size_t n) const {
        const size_t stride = cells(), plane = slots * stride;
        size_t slot = 0;
        for (; slot + 1 < slots; slot += 2) {
            const double* __restrict u = drives + slot * stride;
            const double* __restrict w = u + stride;
            const double* __restrict g = gain + slot * stride;
            const double* __restrict h = g + stride;
            for (size_t i = 0; i < n; ++i) {
                one[i] = (one[i] + g[i] * u[i]) + h[i] * w[i];
                two[i] = (two[i] + g[i + plane] * u[i]) + h[i + plane] * w[i];
            }
        }
        if (slot < slots) {
            const double* __restrict u = drives + slot * stride;
            const double* __restrict g = gain + slot * stride;
            for (size_t i = 0; i < n; ++i) {
                one[i] += g[i] * u[i];
                two[i] += g[i + plane] * u[i];
            }
        }
    }

    void sum(const Row& row, double* __restrict to, size_t first, size_t n) const {
        std::fill_n(to, n, zero);
        for (size_t k = 0; k < states; ++k) {
            const double* __restrict from = x.data() + k * cells() + first;
            if (row.own) {
                const double* __restrict weight = row.weights + k * cells() + first;
                for (size_t i = 0; i < n; ++i) {
                    to[i] += weight[i] * from[i];
                }
                continue;
            }
            const double weight = row.weights[k];
            for (size_t i = 0; i < n; ++i) {
                to[i] += weight * from[i];
            }
        }
    }
};

std::vector<System*> systems;  // of this rank

}  // namespace
