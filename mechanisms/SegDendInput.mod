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

Reference
    Guerguiev, Lillicrap & Richards (2017) eLife 6:e22901, Methods.
ENDCOMMENT

NEURON {
    THREADSAFE
    ARTIFICIAL_CELL SegDendInput
    RANDOM stream
    RANGE level, rate_max, id
    GLOBAL key, example
}

PARAMETER {
    level = 0
    rate_max = 0.2 (/ms)
    id = 0
    key = 0
    example = 0
}

INITIAL {
    random_setids(stream, id, key, example)
    random_setseq(stream, 0)
    if (level > 0) {
        net_send(random_negexp(stream)/(level*rate_max), 1)
    }
}

NET_RECEIVE (weight) {
    if (flag == 1) {
        net_event(t)
        net_send(random_negexp(stream)/(level*rate_max), 1)
    }
}
