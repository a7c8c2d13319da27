"""Time and memory of building a lumped network of 784-500-10, beyond imports, and its number of NetCons."""

import resource
import time

from segdend_plugin.engine import mechanisms, mpi

mpi.start()
mechanisms.load()
import netpyne.sim  # noqa: E402, F401
from neuron import h  # noqa: E402

from segdend_plugin.experiment import config, network  # noqa: E402


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


before = peak_megabytes()
start = time.perf_counter()
built = network.build(config.load(settings=["cell=three_compartment", "layers.hidden=[500]"]), 784, 10)
seconds = time.perf_counter() - start
print(f"{built.sizes}: {seconds:.2f} s, {peak_megabytes():.0f} MB in all, {peak_megabytes() - before:.0f} MB of it now")
print(f"{int(h.List('NetCon').count())} NetCons for {784 * 500 + 500 * 10} plastic synapses")
