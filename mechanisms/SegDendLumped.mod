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
#include <cstring>
#undef HERE
#define HERE(address) (*reinterpret_cast<double**>(&(address)))
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

PROCEDURE pull() {
VERBATIM
    const double* basal_drive = HERE(basal_at);
    const double* apical_drive = HERE(apical_at);
    e = rest;
    if (basal_drive) {
        e += unit * *basal_drive * g_basal / g;
    }
    if (apical_drive) {
        e += unit * *apical_drive * g_apical / g;
    }
ENDVERBATIM
}

PROCEDURE advance() {
    escape()
VERBATIM
    if (const double* apical_drive = HERE(apical_at)) {
        const double forward = t + forward_lead - 0.5 * dt, target = t + target_lead - 0.5 * dt;
        if (forward > forward_on && forward < forward_off) {
            forward_apical += *apical_drive;
        }
        if (target > target_on && target < target_off) {
            target_apical += *apical_drive;
        }
    }
ENDVERBATIM
}

: once per trial, because following a POINTER costs NEURON more than a cell's whole step
PROCEDURE find_drives() {
VERBATIM
    HERE(basal_at) = nrn_pointing(&(basal)) ? &(basal) : nullptr;
    HERE(apical_at) = nrn_pointing(&(apical)) ? &(apical) : nullptr;
ENDVERBATIM
}
