"""Names for the array and NEURON types that signatures speak of, and what counts as a number."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Section: TypeAlias = Any
Segment: TypeAlias = Any
HocObject: TypeAlias = Any


def is_number(value: Any) -> bool:
    """Whether a value is a finite number, of Python or NumPy."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
