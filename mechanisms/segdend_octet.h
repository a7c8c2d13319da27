// Eight numbers side by side, whose arithmetic is that of each by itself.
#pragma once

#include <algorithm>
#include <cstddef>

namespace {

constexpr size_t WIDTH = 8;
typedef double Octet __attribute__((vector_size(WIDTH * sizeof(double))));

inline void copy(const double* from, double* to, size_t n) {
    if (n == WIDTH) {
        std::copy_n(from, WIDTH, to);  // a size that the compiler knows
    } else {
        std::copy_n(from, n, to);
    }
}

inline Octet load(const double* from, size_t n = WIDTH) {
    Octet values{};
    copy(from, reinterpret_cast<double*>(&values), n);
    return values;
}

inline void store(const Octet& values, double* to, size_t n = WIDTH) {
    copy(reinterpret_cast<const double*>(&values), to, n);
}

}  // namespace
