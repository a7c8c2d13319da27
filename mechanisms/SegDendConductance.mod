TITLE Synaptic site on a cable: conductances that follow the drives of a projection

COMMENT
Model
    All synapses of one cell that land on one place. Weights above and below 0 are
    summed apart by the SegDendProjection (split), into two dimensionless drives of 0 or
    more:

        i = g_e (v - e_excitatory) + g_i (v - e_inhibitory)     (positive outward)
        g_e = gain_excitatory*excitation + gain_nmda*slow*B(v)
        g_i = gain_inhibitory*inhibition

    The drives are filtered with 3 ms (AMPA, GABA-A). NMDA channels follow the same
    excitation through one more filter and are blocked by magnesium:

        tau_nmda d(slow)/dt = excitation - slow
        B(v), the unblocked fraction: segdend_nmda.inc

    A step is implicit in v but takes B at its beginning, so that the conductance that
    the solver sees is never negative.

Parameters
    gain_excitatory, gain_inhibitory, gain_nmda (uS)    conductance for unit drive
    e_excitatory 0 mV, e_inhibitory -80 mV              reversal potentials
    tau_nmda 43 ms      decay of NMDA conductance at body temperature
    mg 1 mM
    excitation, inhibition                              pointers to the drives

Reference
    Jahr & Stevens (1990) J Neurosci 10:3178-3182 (block).
    Markram et al. (2015) Cell 163:456-492 (43 ms).
    The calibration to reconstructed cells is this project's (docs/science.md).
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS SegDendConductance
    NONSPECIFIC_CURRENT i
    POINTER excitation, inhibition
    RANGE gain_excitatory, gain_inhibitory, gain_nmda, e_excitatory, e_inhibitory, tau_nmda, mg
    RANGE i, g, g_e, g_i, slow
}

UNITS {
    (mV) = (millivolt)
    (nA) = (nanoamp)
    (uS) = (microsiemens)
    (mM) = (milli/liter)
}

PARAMETER {
    gain_excitatory = 0 (uS)
    gain_inhibitory = 0 (uS)
    gain_nmda = 0 (uS)
    e_excitatory = 0 (mV)
    e_inhibitory = -80 (mV)
    tau_nmda = 43 (ms)
    mg = 1 (mM)
}

ASSIGNED {
    v (mV)
    dt (ms)
    excitation
    inhibition
    i (nA)
    g (uS)
    g_e (uS)
    g_i (uS)
    slow            : excitation as NMDA channels follow it, at the end of the last step
    approach        : part of the way that `slow` goes in a step
    excitation_at   : addresses of what the pointers point to, 0 for nothing
    inhibition_at
}

INCLUDE "segdend_nmda.inc"

VERBATIM
#undef HERE
#define HERE(address) (*reinterpret_cast<double**>(&(address)))
ENDVERBATIM

INITIAL {
    find_drives()
    slow = 0
    approach = 1 - exp(-dt/tau_nmda)
}

BREAKPOINT {
    SOLVE advance METHOD after_cvode
    CONDUCTANCE g
    g_e = gain_excitatory*excited()
    if (gain_nmda > 0) {
        g_e = g_e + gain_nmda*(slow + approach*(excited() - slow))*unblocked(v, mg)
    }
    g_i = gain_inhibitory*inhibited()
    g = g_e + g_i
    i = g_e*(v - e_excitatory) + g_i*(v - e_inhibitory)
}

PROCEDURE advance() {
    slow = slow + approach*(excited() - slow)
}

: once per trial, because following a POINTER costs NEURON more than all else here
PROCEDURE find_drives() {
VERBATIM
    HERE(excitation_at) = nrn_pointing(&(excitation)) ? &(excitation) : nullptr;
    HERE(inhibition_at) = nrn_pointing(&(inhibition)) ? &(inhibition) : nullptr;
ENDVERBATIM
}

FUNCTION excited() {
VERBATIM
    const double* now = HERE(excitation_at);
    return now ? *now : 0.;
ENDVERBATIM
}

FUNCTION inhibited() {
VERBATIM
    const double* now = HERE(inhibition_at);
    return now ? *now : 0.;
ENDVERBATIM
}
