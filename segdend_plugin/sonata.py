"""Weights and spikes as files in the SONATA format (Dai et al. 2020, PLOS Comput Biol 16:e1007696).

Populations and cells are those of the graph, cells by their places in their population, from 0. What
:func:`write_spikes` writes, :class:`segdend_plugin.tasks.SpikeTrains` reads.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

from segdend_plugin.callbacks import Record
from segdend_plugin.errors import ConfigError
from segdend_plugin.examiner import Examiner
from segdend_plugin.model.state import write_result
from segdend_plugin.model.wants import Trace
from segdend_plugin.types import Array, Integers

_MAGIC, _VERSION = 0x0A7A, (0, 1)
_TYPES = "edge_type_id set role learned\n"


def write_edges(learner: Examiner, path: str | Path) -> None:
    """Write the weights of all sets, as they are now; every rank must call this.

    A set is an edge population, named ``<set>``, or ``<set>:<population>`` for each of several that it comes from:
    ``source_node_id``, ``target_node_id``, and ``0/syn_weight`` in the unit of the set's weights. Beside the file, one
    with the ending ``.csv`` has the edge types: of each set its role, and whether it learns.

    Parameters
    ----------
    learner
        Whose network.
    path
        HDF5 file.

    Raises
    ------
    ConfigError
        If it cannot be written.
    """
    network, content, types = learner.network, io.BytesIO(), _TYPES
    with h5py.File(content, "w", track_order=True) as file:
        _sign(file)
        for number, c in enumerate(network.graph.connections):
            pre, post, weights = network.sets.synapses(c.name)
            types += f"{number} {c.name} {c.role} {c.learned}\n"
            first = 0
            for source in c.pre:
                size = network.graph[source].size
                mine = (pre >= first) & (pre < first + size)
                name = c.name if len(c.pre) == 1 else f"{c.name}:{source}"
                group = file.create_group(f"edges/{name}")
                _edges(group, (source, pre[mine] - first), (c.post, post[mine]), weights[mine], number)
                first += size
    if network.ranks.is_root:
        write_result(Path(path), content.getvalue())
        write_result(Path(path).with_suffix(".csv"), types.encode())


def _edges(
    group: h5py.Group, source: tuple[str, Integers], target: tuple[str, Integers], weights: Array, number: int
) -> None:
    for what, (population, nodes) in (("source", source), ("target", target)):
        group[f"{what}_node_id"] = nodes.astype(np.uint64)
        group[f"{what}_node_id"].attrs["node_population"] = population
    group["edge_type_id"] = np.full(len(weights), number, dtype=np.int64)
    group["edge_group_id"] = np.zeros(len(weights), dtype=np.uint32)
    group["edge_group_index"] = np.arange(len(weights), dtype=np.uint64)
    group["0/syn_weight"] = weights


def write_spikes(records: Sequence[Record], path: str | Path) -> None:
    """Write the spikes that callbacks have recorded, one example after the other; on rank 0.

    ``/spikes/<population>/timestamps`` (ms) and ``node_ids``; beyond the format, ``/examples`` has the ``numbers`` of
    the examples, and when each ``begins``.

    Parameters
    ----------
    records
        ``callbacks.Record(population, "spikes")`` of each population, of the same examples.
    path
        HDF5 file.

    Raises
    ------
    ConfigError
        If something else was recorded, or other examples, or it cannot be written.
    """
    for one in records:
        if one.want.quantity != "spikes" or not isinstance(one.want, Trace):
            raise ConfigError(
                f"write_spikes: {one.population!r} has a record of its {one.want.quantity}: give "
                f"Record({one.population!r}, 'spikes')."
            )
    numbers = list(records[0].values) if records else []
    other = next((one for one in records if list(one.values) != numbers), None)
    if not numbers or other is not None:
        what = "nothing was recorded" if other is None else f"{other.population!r} was recorded in other examples"
        raise ConfigError(f"write_spikes: {what}: give records of the same examples.")
    begins = _begins(records[0].values, records[0].dt)
    content = io.BytesIO()
    with h5py.File(content, "w", track_order=True) as file:
        _sign(file)
        for one in records:
            times, cells = _spikes(one, begins)
            group = file.create_group(f"spikes/{one.population}")
            group.attrs["sorting"] = np.array(2, dtype=h5py.enum_dtype({"none": 0, "by_id": 1, "by_time": 2}, "u1"))
            group["timestamps"], group["node_ids"] = times, cells.astype(np.uint64)
            group["timestamps"].attrs["units"] = "ms"
        file["examples/numbers"], file["examples/begins"] = np.array(numbers), np.array(list(begins.values()))
    if records[0].is_root:
        write_result(Path(path), content.getvalue())


def _begins(values: Mapping[int, Array], dt: float) -> dict[int, float]:
    """Return when each example begins (ms), one after the other."""
    lengths = np.array([len(trace) * dt for trace in values.values()])
    return dict(zip(values, (np.cumsum(lengths) - lengths).tolist(), strict=True))


def _spikes(one: Record, begins: Mapping[int, float]) -> tuple[Array, Integers]:
    """Return times, ascending, and cells of the spikes of a record."""
    times, cells = [], []
    for example, counts in one.values.items():
        steps, columns = np.nonzero(counts)
        several = counts[steps, columns].astype(np.int64)
        times.append(np.repeat(begins[example] + (steps + 1) * one.dt, several))
        cells.append(np.repeat(one.columns[columns], several))
    return np.concatenate(times), np.concatenate(cells)


def _sign(file: h5py.File) -> None:
    file.attrs["magic"], file.attrs["version"] = np.uint32(_MAGIC), np.array(_VERSION, dtype=np.uint32)
