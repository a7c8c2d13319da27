// The rates of cells with an escape-rate soma (segdend_escape.inc has the equations), in loops that are vectorised.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace {

// exp to the last digit or so; the same for every cell, for it is made of single rounded operations, and vectorised
inline double exponential(double y) {
    y = y < -708. ? -708. : y;
    y = y > 708. ? 708. : y;
    const double shifted = y * 0x1.71547652b82fep+0 + 0x1.8p+52;  // y/ln 2, rounded, in the lowest bits
    const double whole = shifted - 0x1.8p+52;
    const double z = (y - whole * 0x1.62e42feep-1) - whole * 0x1.a39ef35793c76p-33;  // ln 2 in two parts
    double sum = 1. / 6227020800.;  // Taylor, |z| < 0.35
    sum = sum * z + 1. / 479001600.;
    sum = sum * z + 1. / 39916800.;
    sum = sum * z + 1. / 3628800.;
    sum = sum * z + 1. / 362880.;
    sum = sum * z + 1. / 40320.;
    sum = sum * z + 1. / 5040.;
    sum = sum * z + 1. / 720.;
    sum = sum * z + 1. / 120.;
    sum = sum * z + 1. / 24.;
    sum = sum * z + 1. / 6.;
    sum = sum * z + 1. / 2.;
    sum = sum * z + 1.;
    sum = sum * z + 1.;
    uint64_t bits;
    std::memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 1023) << 52;
    double power;
    std::memcpy(&power, &bits, sizeof power);
    return sum * power;
}

void escape_rates(size_t n, double step, const double* __restrict at, const double* __restrict zero,
                  const double* __restrict one, const double* __restrict most, double* __restrict x,
                  double* __restrict r, double* __restrict sum, double* __restrict fired) {
    for (size_t k = 0; k < n; ++k) {
        x[k] = (at[k] - zero[k]) / one[k];
        r[k] = most[k] / (1. + exponential(-x[k]));
        sum[k] += r[k] * step;
        fired[k] = 0.;
    }
}

}  // namespace
