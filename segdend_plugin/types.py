"""Names for the array and NEURON types that signatures speak of."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Section: TypeAlias = Any
Segment: TypeAlias = Any
HocObject: TypeAlias = Any
