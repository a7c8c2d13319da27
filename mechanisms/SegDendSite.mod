TITLE Synaptic site on a cable: a current that follows the drive of a projection

COMMENT
Model
    All synapses of one cell that land on one place, as one current (positive inward)

        i = gain * drive

    where drive is the dimensionless, filtered sum that a SegDendProjection keeps for
    this place and gain is calibrated from the transfer impedance of the cell, so that
    unit drive moves the target potential by one unit, wherever the site is.

Parameters
    gain (nA)           current for unit drive
    drive               pointer to the drive

Reference
    Guerguiev, Lillicrap & Richards (2017) eLife 6:e22901, eqs 11-13; the calibration
    to reconstructed cells is this project's (docs/science.md).
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS SegDendSite
    ELECTRODE_CURRENT i
    POINTER drive
    RANGE gain, i
}

UNITS {
    (nA) = (nanoamp)
    (uS) = (microsiemens)
}

PARAMETER {
    gain = 0 (nA)
}

ASSIGNED {
    drive
    i (nA)
    g (uS)      : 0, and said so, for NEURON would evaluate the current twice to find out
    drive_at    : address of what `drive` points to, 0 for nothing
}

VERBATIM
#undef HERE
#define HERE(address) (*reinterpret_cast<double**>(&(address)))
ENDVERBATIM

INITIAL {
    find_drive()
}

BREAKPOINT {
    CONDUCTANCE g
    i = gain*pull()
}

: once per trial, because following a POINTER costs NEURON more than all else here
PROCEDURE find_drive() {
VERBATIM
    HERE(drive_at) = nrn_pointing(&(drive)) ? &(drive) : nullptr;
ENDVERBATIM
}

FUNCTION pull() {
VERBATIM
    const double* now = HERE(drive_at);
    return now ? *now : 0.;
ENDVERBATIM
}
