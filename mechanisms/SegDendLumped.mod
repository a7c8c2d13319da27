TITLE Three-compartment neuron: leaky soma, lumped basal and apical dendrites, escape-rate spikes

COMMENT
Model
    The dendrites have no membrane of their own: their potentials are weighted sums
    of filtered spike trains that a SegDendProjection computes (eq 13),

        C dv/dt = -g_leak (v - rest) + g_basal (Vb - v) + g_apical (Va - v)    (eqs 1/14)

    with Vb = rest + unit*basal and Va = rest + unit*apical. The coupling is one-way,
    the idealisation of the paper. The output neuron is the same with one dendrite:
    g_basal is then the paper's g_d, and g_apical is 0 (eqs 4/19).

Parameters (on the 100 pF soma of templates/three_compartment.hoc, 0.1 uS is 1 /ms)
    g_leak   0.01 uS    leak conductance, g_l = 0.1
    g_basal  0.06 uS    coupling of the basal dendrite, g_b = g_d = 0.6
    g_apical 0    uS    coupling of the apical dendrite, g_a = 0, 0.05 or 0.6
    forward_lead, target_lead 0 ms  by which the plateaus precede the ends of the phases
    basal, apical       pointers to the dendritic potentials (dimensionless)

Reference
    Guerguiev, Lillicrap & Richards (2017) eLife 6:e22901, eqs 1-5, 13-14, 17, 21.
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS SegDendLumped
    NONSPECIFIC_CURRENT i
    POINTER basal, apical
    RANDOM stream
    RANGE g_leak, g_basal, g_apical, g, e
    RANGE rate_max, rest, unit, id, announced, spikes, potential, rate
    RANGE forward_potential, forward_rate, target_potential, target_rate
    RANGE forward_apical, target_apical, forward_lead, target_lead
    GLOBAL key, example, forward_on, forward_off, target_on, target_off
}

UNITS {
    (mV) = (millivolt)
    (nA) = (nanoamp)
    (uS) = (microsiemens)
}

PARAMETER {
    g_leak = 0.01 (uS)
    g_basal = 0.06 (uS)
    g_apical = 0 (uS)
    forward_lead = 0 (ms)
    target_lead = 0 (ms)
}

INCLUDE "segdend_escape.inc"

ASSIGNED {
    basal
    apical
    i (nA)
    g (uS)
    e (mV)
    basal_at                    : addresses of what the pointers point to, 0 for nothing
    apical_at
    forward_apical              : sums of the apical potential over the windows
    target_apical
}

VERBATIM
#undef HERE
#undef KEEP
#define HERE(address) (*reinterpret_cast<const double* const*>(&(address)))
#define KEEP(address) (*reinterpret_cast<const double**>(&(address)))

namespace {

// the drive of a dendrite, which may have no synapses
inline double drive(const double* at) {
    return at ? *at : 0.;
}

// E = rest + unit (g_basal basal + g_apical apical)/g; `reversal` holds the basal drives first. A cell that was not
// initialised has no conductance: NEURON evaluates its current when the impedance of another is measured.
void reversals(size_t n, const double* __restrict zero, const double* __restrict one, const double* __restrict g_b,
               const double* __restrict g_a, const double* __restrict whole, const double* __restrict apical_drive,
               double* __restrict reversal) {
    for (size_t k = 0; k < n; ++k) {
        double sum = zero[k];
        sum += one[k] * reversal[k] * g_b[k] / whole[k];
        sum += one[k] * apical_drive[k] * g_a[k] / whole[k];
        reversal[k] = whole[k] > 0. ? sum : zero[k];
    }
}

[[gnu::noinline]] void pull_all(_internalthreadargsproto_) {
    const size_t n = _nt->_ml_list[_mechtype]->_nodecount;
    double *reversal = BLOCK(e), *current = BLOCK(i);  // until they are known, they hold the drives
    const double *basal_in = BLOCK(basal_at), *apical_in = BLOCK(apical_at);
    for (size_t k = 0; k < n; ++k) {
        reversal[k] = drive(HERE(basal_in[k]));
        current[k] = drive(HERE(apical_in[k]));
    }
    reversals(n, BLOCK(rest), BLOCK(unit), BLOCK(g_basal), BLOCK(g_apical), BLOCK(g), current, reversal);
}

// Adds the apical drives of the cells whose window is open.
void sum_open(size_t n, double time, double step, double on, double off, const double* __restrict lead,
              const double* apical_in, double* sum) {
    auto open = [&](size_t k) { return (time + lead[k] - 0.5 * step > on) & (time + lead[k] - 0.5 * step < off); };
    size_t any = 0;
    for (size_t k = 0; k < n; ++k) {
        any += open(k);
    }
    for (size_t k = 0; any && k < n; ++k) {
        if (open(k)) {
            sum[k] += drive(HERE(apical_in[k]));
        }
    }
}

[[gnu::noinline]] void sum_apical(_internalthreadargsproto_) {
    const size_t n = _nt->_ml_list[_mechtype]->_nodecount;
    const double* apical_in = BLOCK(apical_at);
    sum_open(n, t, dt, forward_on, forward_off, BLOCK(forward_lead), apical_in, BLOCK(forward_apical));
    sum_open(n, t, dt, target_on, target_off, BLOCK(target_lead), apical_in, BLOCK(target_apical));
}

}  // namespace
ENDVERBATIM

INITIAL {
    find_drives()
    g = g_leak + g_basal + g_apical
    forward_apical = 0
    target_apical = 0
    start_escape()
}

BREAKPOINT {
    SOLVE advance METHOD after_cvode
    CONDUCTANCE g
    pull()
    i = g*(v - e)
}

: of all cells at once, when the first one's turn has come
PROCEDURE pull() {
VERBATIM
    if (_iml == 0) {
        pull_all(_threadargs_);
    }
ENDVERBATIM
}

PROCEDURE advance() {
    escape()
VERBATIM
    if (_iml + 1 == _nt->_ml_list[_mechtype]->_nodecount) {
        sum_apical(_threadargs_);
    }
ENDVERBATIM
}

: once per trial, because following a POINTER costs NEURON more than a cell's whole step
PROCEDURE find_drives() {
VERBATIM
    KEEP(basal_at) = nrn_pointing(&(basal)) ? &(basal) : nullptr;
    KEEP(apical_at) = nrn_pointing(&(apical)) ? &(apical) : nullptr;
ENDVERBATIM
}
