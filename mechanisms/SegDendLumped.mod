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
    basal, apical       pointers to the dendritic potentials (dimensionless); also() adds
                        further ones

Reference
    Guerguiev, Lillicrap & Richards (2017) eLife 6:e22901, eqs 1-5, 13-14, 17, 21.
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS SegDendLumped
    NONSPECIFIC_CURRENT i
    POINTER basal, apical, more
    RANDOM stream
    RANGE g_leak, g_basal, g_apical, g, e
    RANGE rate_max, rest, unit, id, announced, spikes, potential, rate
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
}

INCLUDE "segdend_escape.inc"

ASSIGNED {
    basal
    apical
    more                        : further drives of the dendrites, 0 for none
    i (nA)
    g (uS)
    e (mV)
    basal_at                    : addresses of what the pointers point to, 0 for nothing
    apical_at
}

VERBATIM
#include <vector>

#undef HERE
#undef KEEP
#define HERE(address) (*reinterpret_cast<const double* const*>(&(address)))
#define KEEP(address) (*reinterpret_cast<const double**>(&(address)))

#undef MORE
#define MORE (*reinterpret_cast<More**>(&_p_more))

namespace {

// Further drives of a basal (0) and an apical (1) dendrite, and where they are in this trial.
struct More {
    std::vector<neuron::container::data_handle<double>> drives[2];
    std::vector<const double*> at[2];

    void find() {
        for (int dendrite = 0; dendrite < 2; ++dendrite) {
            at[dendrite].clear();
            for (auto& one: drives[dendrite]) {
                if (const double* now = static_cast<double*>(one)) {
                    at[dendrite].push_back(now);
                }
            }
        }
    }

    double add(int dendrite, double sum) const {
        for (const double* one: at[dendrite]) {
            sum += *one;
        }
        return sum;
    }
};

size_t cells_with_more{};  // where there are none, none is looked for

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
    const Memb_list& cells = *_nt->_ml_list[_mechtype];
    const size_t n = cells._nodecount;
    double *reversal = BLOCK(e), *current = BLOCK(i);  // until they are known, they hold the drives
    const double *basal_in = BLOCK(basal_at), *apical_in = BLOCK(apical_at);
    for (size_t k = 0; k < n; ++k) {
        reversal[k] = drive(HERE(basal_in[k]));
        current[k] = drive(HERE(apical_in[k]));
    }
    for (size_t k = 0; cells_with_more && k < n; ++k) {
        Datum* const _ppvar = cells._pdata[k];
        if (const More* const drives = MORE) {
            reversal[k] = drives->add(0, reversal[k]);
            current[k] = drives->add(1, current[k]);
        }
    }
    reversals(n, BLOCK(rest), BLOCK(unit), BLOCK(g_basal), BLOCK(g_apical), BLOCK(g), current, reversal);
}

}  // namespace
ENDVERBATIM

CONSTRUCTOR {
VERBATIM
    MORE = nullptr;
ENDVERBATIM
}

DESTRUCTOR {
VERBATIM
    cells_with_more -= MORE != nullptr;
    delete MORE;
    MORE = nullptr;
ENDVERBATIM
}

INITIAL {
    find_drives()
    g = g_leak + g_basal + g_apical
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
}

: once per trial, because following a POINTER costs NEURON more than a cell's whole step
PROCEDURE find_drives() {
VERBATIM
    KEEP(basal_at) = nrn_pointing(&(basal)) ? &(basal) : nullptr;
    KEEP(apical_at) = nrn_pointing(&(apical)) ? &(apical) : nullptr;
    if (MORE) {
        MORE->find();
    }
ENDVERBATIM
}

: also(dendrite, drive): a further drive (a reference) of the basal (0) or the apical (1) dendrite, added after those
: that it has
PROCEDURE also() {
VERBATIM
    if (!MORE) {
        MORE = new More;
        ++cells_with_more;
    }
    MORE->drives[*getarg(1) != 0.].push_back(hoc_hgetarg<double>(2));
ENDVERBATIM
}
