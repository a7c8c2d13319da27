TITLE Synaptic sites of a cell, as they act on one compartment of a reduced cell

COMMENT
Model
    A reduced cell has a few compartments for the synapses of its many basal places. A
    place acts on all of them, each with a current of its own, so that together they
    move the soma as the place does. This is the current into one compartment

        i = sum_slot gain[slot] drive[slot]

    where drive is what a SegDendProjection keeps for each slot of this cell. It stands
    for as many objects of SegDendSite as the cell has slots.

Memory is the caller's: bind(gain, out, post) takes two Vectors of fixed size
    gain (n_slots)              current for unit drive of each slot (nA)
    out (n_slots*n_post)        drives of the projection (postsynaptic cell fastest)
and the index of the cell among the n_post.

Reference
    docs/science.md, Reduced cells.
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS SegDendMixture
    ELECTRODE_CURRENT i
    RANGE i, gain_at, drive_at, slots, stride
}

UNITS {
    (nA) = (nanoamp)
    (uS) = (microsiemens)
}

ASSIGNED {
    i (nA)
    g (uS)      : 0, and said so, for NEURON would evaluate the current twice to find out
    gain_at     : addresses of the first gain and of the first drive
    drive_at
    slots       : how many, and how far apart the drives are
    stride
}

VERBATIM
#undef HERE
#define HERE(address) (*reinterpret_cast<const double**>(&(address)))
ENDVERBATIM

BREAKPOINT {
    CONDUCTANCE g
    i = mix()
}

FUNCTION mix() (nA) {
VERBATIM
    const double* gain = HERE(gain_at);
    const double* drive = HERE(drive_at);
    const int n = int(slots);
    const size_t step = size_t(stride);
    double sum = 0.;
    for (int k = 0; k < n; ++k) {
        sum += gain[k] * drive[k * step];
    }
    return sum;
ENDVERBATIM
}

: bind(gain, out, post)
PROCEDURE bind() {
VERBATIM
    HERE(gain_at) = vector_vec(vector_arg(1));
    HERE(drive_at) = vector_vec(vector_arg(2)) + int(*getarg(3));
    slots = vector_capacity(vector_arg(1));
    stride = vector_capacity(vector_arg(2)) / slots;
ENDVERBATIM
}
