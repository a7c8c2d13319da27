"""What replicas tell each other arrives as it was sent."""

import pickle

import numpy as np

from segdend_plugin.model.changes import Along, Bias, Changes, Decay, Outer
from segdend_plugin.model.parcels import pack, unpack
from segdend_plugin.model.trial import Trains


def test_a_parcel_holds_all_that_was_packed():
    draw = np.random.default_rng(0)
    trains = Trains(np.array([1.0, 2.5]), np.array([3, 1]))
    changes = (
        Outer("a->b", draw.random(4), "target"),
        Outer("c->b", draw.random(2), pre=draw.random(3)),
        Along("a->b", draw.random((5, 4)), (20.0, 3.0), trains),
        Along("a->b", draw.random((5, 4))),
        Bias("b", draw.random(4)),
        Decay("a->b", 0.5),
    )
    made = Changes(changes, {"b": draw.random(4)}, {"count": np.array(3)})
    arrivals = np.array([1, 2]), np.array([0, 0]), np.array([1.0, 2.0])
    told = [draw.random(4), draw.random((3, 2)), np.empty(0)], made, [draw.random(3), None, 1, arrivals, None, None]
    values, found, factors = unpack(pickle.loads(pickle.dumps(pack(told))))
    for one, other in zip(values, told[0], strict=True):
        same(one, other)
    for one, other in zip(found.changes, changes, strict=True):
        assert type(one) is type(other)
        for name, value in vars(other).items():
            if isinstance(value, Trains):
                same(one.trains.times, value.times)
                same(one.trains.cells, value.cells)
            else:
                same(getattr(one, name), value)
    same(found.errors["b"], made.errors["b"])
    same(found.notes["count"], made.notes["count"])
    same(factors[0], told[2][0])
    assert factors[1:3] == (None, 1)
    for one, other in zip(factors[3], arrivals, strict=True):
        same(one, other)


def same(one, other):
    if isinstance(other, np.ndarray):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        np.testing.assert_array_equal(one, other)
    else:
        assert one == other
