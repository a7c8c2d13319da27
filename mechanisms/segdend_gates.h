// Gates of channels in all compartments at once, with what they need looked up in the tables that NMODL has made. Names
// are none of the mechanisms' variables, which are macros.
#pragma once

#include <algorithm>
#include <cstddef>

namespace {

// Lets a gate go a step's part of the way to where the potential draws it; `infinity` and `step` are looked up, from
// `least` (mV) on, so many entries per mV.
inline void relax(size_t n, const double* potential, const double* infinity, const double* step, double least,
                  double entries, int last, double* gate) {
    for (size_t k = 0; k < n; ++k) {
        double x = (potential[k] - least) * entries;
        x = x > 0. ? x : 0.;
        x = x < last ? x : last;
        const int low = std::min(int(x), last - 1);
        const double part = x - low;
        const double to = infinity[low] + part * (infinity[low + 1] - infinity[low]);
        gate[k] += (step[low] + part * (step[low + 1] - step[low])) * (to - gate[k]);
    }
}

}  // namespace

// a RANGE variable of all compartments of this thread
#undef BLOCK
#define BLOCK(variable) (&(variable) - _iml)

// within a mechanism whose procedure rates() has a table of 1250 steps
#define RELAX(gate) \
    relax(_iml + 1, BLOCK(v), _t_##gate##_inf, _t_##gate##_step, _tmin_rates, _mfac_rates, 1250, BLOCK(gate))

// whether the turn of the last compartment has come
#define IS_LAST (_iml + 1 == size_t(_nt->_ml_list[_mechtype]->_nodecount))
