TITLE Counters of spikes of cells on other ranks

COMMENT
Model
    At the end of every step each rank gathers from all others how many spikes left each
    of their cells in it, one byte per cell, in one collective call of MPI. What was
    gathered stands in a Vector, where a SegDendProjection reads it as it reads the
    counters of the cells of its own rank. One object on every rank, with cells or not.

    MPI is called through the address of its function, with handles that are integers
    (MPICH and its kin) or pointers (Open MPI), because NEURON's wheels have no headers.

Parameters
    timed   0           whether to measure
    spent               seconds that gathering has taken, with the wait for slower ranks
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS SegDendExchange
    POINTER state
    RANGE timed, spent
}

PARAMETER {
    timed = 0
}

ASSIGNED {
    state
    spent
}

VERBATIM
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

namespace {

const double gone = 0.;  // the counter of a cell that is no more: an error on one rank would leave the others waiting

template <typename Handle>
using Allgather = int (*)(const void*, int, Handle, void*, int, Handle, Handle);

struct Exchange {
    uintptr_t function{}, communicator{}, byte{};
    bool pointers{};                                            // what handles of MPI are
    std::vector<neuron::container::data_handle<double>> cells;  // counters of this rank's cells
    struct Run {
        const double* first;
        size_t size;
    };
    std::vector<Run> left;                                      // where these are in this trial, side by side
    bool found{};
    std::vector<unsigned char> mine, all;
    double* counters{};                                         // of all ranks, as many places for each

    template <typename Handle>
    int call() {
        const auto allgather = reinterpret_cast<Allgather<Handle>>(function);
        const auto handle = [](uintptr_t value) { return (Handle) value; };
        const int n = int(mine.size());
        return allgather(mine.data(), n, handle(byte), all.data(), n, handle(byte), handle(communicator));
    }

    // Once per trial: NEURON may have moved them.
    void find_counters() {
        left.clear();
        for (auto& cell: cells) {
            const double* counter = cell ? &*cell : &gone;
            if (left.empty() || counter != left.back().first + left.back().size) {
                left.push_back({counter, 0});
            }
            ++left.back().size;
        }
        found = true;
    }

    void gather() {
        if (!found) {
            find_counters();
        }
        unsigned char* to = mine.data();
        double most = 0.;
        for (const Run& run: left) {
            for (size_t k = 0; k < run.size; ++k) {
                to[k] = (unsigned char) int(run.first[k]);
                most = run.first[k] > most ? run.first[k] : most;
            }
            to += run.size;
        }
        if (most > 255.) {
            hoc_execerror("SegDendExchange: more than 255 spikes left a cell in one step: shorten the step.", nullptr);
        }
        if (pointers ? call<void*>() : call<int>()) {
            hoc_execerror("SegDendExchange: MPI could not gather the spikes of this step.", nullptr);
        }
        std::copy(all.begin(), all.end(), counters);
    }
};

}  // namespace

#define EXCHANGE (*reinterpret_cast<Exchange**>(&_p_state))
ENDVERBATIM

CONSTRUCTOR {
VERBATIM
    EXCHANGE = new Exchange;
ENDVERBATIM
}

DESTRUCTOR {
VERBATIM
    delete EXCHANGE;
    EXCHANGE = nullptr;
ENDVERBATIM
}

INITIAL {
VERBATIM
    Exchange& x = *EXCHANGE;
    x.find_counters();
    std::fill_n(x.counters, x.all.size(), 0.);
ENDVERBATIM
}

BREAKPOINT {
}

: after all cells have advanced
AFTER SOLVE {
VERBATIM
    if (timed == 0.) {
        EXCHANGE->gather();
        return;
    }
    const auto start = std::chrono::steady_clock::now();
    EXCHANGE->gather();
    spent += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
ENDVERBATIM
}

: join(counters, places, function, communicator, byte, handle_bytes): gather into this Vector, with so many places
: for every rank, by MPI_Allgather at this address
PROCEDURE join() {
VERBATIM
    Exchange& x = *EXCHANGE;
    x.counters = vector_vec(vector_arg(1));
    x.all.assign(vector_capacity(vector_arg(1)), 0);
    x.mine.assign(size_t(*getarg(2)), 0);
    x.function = uintptr_t(*getarg(3));
    x.communicator = uintptr_t(*getarg(4));
    x.byte = uintptr_t(*getarg(5));
    x.pointers = *getarg(6) == 8.;
ENDVERBATIM
}

: for a trial that begins without initialisation: in its first step, NEURON has sorted its data
PROCEDURE restart() {
VERBATIM
    EXCHANGE->found = false;
ENDVERBATIM
}

: send(spikes): the next cell of this rank, by a reference to its counter
PROCEDURE send() {
VERBATIM
    EXCHANGE->cells.push_back(hoc_hgetarg<double>(1));
ENDVERBATIM
}
