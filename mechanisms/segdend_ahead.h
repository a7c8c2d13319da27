// What arrives at the places of a SegDendProjection in the steps to come, where all spikes are known before they come.
//
// Weights are many, and each spike needs a row of them: reading and writing takes longer than adding up. So some steps
// are summed up together, for as many postsynaptic cells as registers hold, whose weights stay in a near cache. Sums are
// those of one step after the other: in the order of the presynaptic cells.
#pragma once

#include <algorithm>
#include <vector>

#include "segdend_octet.h"
#include "segdend_spikes.h"

namespace {

struct Arrived {
    size_t pre;
    double count;
};

class Ahead {
  public:
    void start() {
        first = last = 0;
    }

    // Knows what arrives in a step from now on.
    void reach(long now, const Spikes& spikes, const double* weights, const double* slot, size_t n_slots,
               size_t n_post) {
        if (now >= first && now < last) {
            return;
        }
        slots = n_slots;
        post = n_post;
        first = now;
        last = now + std::max(1L, 64L / long(slots));
        list(spikes, slot);
        rows.resize(size_t(last - first) * slots * post);
        size_t from = 0;
        for (; from + TILE <= post; from += TILE) {
            add<TILE>(weights + from, rows.data() + from);
        }
        for (; from < post; ++from) {
            add<1>(weights + from, rows.data() + from);
        }
    }

    // The sums of a step: (slot, postsynaptic cell).
    const double* sums(long now) const {
        return rows.data() + size_t(now - first) * slots * post;
    }

    // Calls see(pre, count) for every presynaptic cell with spikes in a step.
    template <typename See>
    void each(long now, See see) const {
        const size_t k = size_t(now - first) * slots;
        for (size_t j = begins[k]; j < begins[k + slots]; ++j) {
            see(arrived[j].pre, arrived[j].count);
        }
    }

  private:
    static constexpr size_t TILE = 4 * WIDTH;  // what is summed up in registers
    long first{}, last{};                      // steps that are known
    size_t slots{}, post{};
    std::vector<double> rows;      // (step, slot, postsynaptic cell)
    std::vector<Arrived> arrived;  // by step and slot, in the order of the cells
    std::vector<size_t> begins;    // where those of a step and slot begin, and the end

    void list(const Spikes& spikes, const double* slot) {
        arrived.clear();
        begins.assign(1, 0);
        for (long step = first; step < last; ++step) {
            const size_t before = arrived.size();
            for (int pre: spikes.train(step)) {
                if (arrived.size() > before && arrived.back().pre == size_t(pre)) {
                    arrived.back().count += 1.;
                } else {
                    arrived.push_back({size_t(pre), 1.});
                }
            }
            if (slots > 1) {
                std::stable_sort(arrived.begin() + long(before), arrived.end(), [slot](const Arrived& a, const Arrived& b) {
                    return slot[a.pre] < slot[b.pre];
                });
            }
            size_t end = before;
            for (size_t k = 0; k < slots; ++k) {
                while (end < arrived.size() && size_t(slot[arrived[end].pre]) == k) {
                    ++end;
                }
                begins.push_back(end);
            }
        }
    }

    // Sums up `n` postsynaptic cells side by side in every step.
    template <size_t n>
    void add(const double* weights, double* row) const {
        for (size_t k = 0; k + 1 < begins.size(); ++k, row += post) {
            if constexpr (n == TILE) {
                Octet a{}, b{}, c{}, d{};
                for (size_t j = begins[k]; j < begins[k + 1]; ++j) {
                    const double* const weight = weights + arrived[j].pre * post;
                    const double count = arrived[j].count;
                    a += count * load(weight);
                    b += count * load(weight + WIDTH);
                    c += count * load(weight + 2 * WIDTH);
                    d += count * load(weight + 3 * WIDTH);
                }
                store(a, row);
                store(b, row + WIDTH);
                store(c, row + 2 * WIDTH);
                store(d, row + 3 * WIDTH);
            } else {
                double sum = 0.;
                for (size_t j = begins[k]; j < begins[k + 1]; ++j) {
                    sum += arrived[j].count * weights[arrived[j].pre * post];
                }
                *row = sum;
            }
        }
    }
};

}  // namespace
