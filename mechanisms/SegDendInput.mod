TITLE Poisson input cell with a settable level

COMMENT
Model
    A Poisson process of rate level*rate_max, for an image shown from t = 0 until the
    end of the trial. level is a pixel's brightness between 0 and 1.

Parameters
    level    0          brightness
    rate_max 0.2 /ms    rate at full brightness, 200 Hz
    id                  identity of the random stream: the gid
    key, example        stream of the run (seed and purpose) and of the example
    until    0 ms       end of the trial
    announced 1         whether NetCons learn of its spikes; a SegDendProjection draws
                        the same train by itself

Reference
    Guerguiev, Lillicrap & Richards (2017) eLife 6:e22901, Methods.
ENDCOMMENT

NEURON {
    THREADSAFE
    ARTIFICIAL_CELL SegDendInput
    RANDOM stream
    RANGE level, rate_max, id, announced
    GLOBAL key, example, until
}

PARAMETER {
    level = 0
    rate_max = 0.2 (/ms)
    id = 0
    announced = 1
    key = 0
    example = 0
    until = 0 (ms)
}

INITIAL {
    if (level > 0 && announced) {
        net_send(0, 1)
    }
}

NET_RECEIVE (weight) {
    LOCAL next
    if (flag == 1) {
        random_setids(stream, id, key, example)
        random_setseq(stream, 0)
        next = random_negexp(stream)/(level*rate_max)
        while (next < until) {
            net_event(next)
            next = next + random_negexp(stream)/(level*rate_max)
        }
    }
}
