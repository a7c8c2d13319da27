"""What the benchmarks compute from times: medians, exponents, tables and the scaling model. Nothing here is timed."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks import growth, measure, table, workload
from segdend_plugin.engine import cost

JOB = cost.Job(hidden=1000)
COSTS = cost.Costs(
    step=1e-6, output_step=1e-7, draw=1e-7, weight=1e-9, learn=1e-9, start=1e-6, fixed=1e-3, counter=2e-9
)


def test_spread_is_the_median_between_extremes():
    assert measure.Spread.of([3.0, 1.0, 2.0]) == measure.Spread(2.0, 1.0, 3.0, 3)


def test_a_comparison_is_made_round_by_round():
    fast, slow = (
        measure.Times([1.0, 2.0, 4.0], [1.0, 2.0, 4.0], []),
        measure.Times([3.0, 4.0, 4.0], [2.0, 4.0, 8.0], []),
    )
    ratio = measure.comparison("work", fast, slow, ("a", "b"))["ratio"]
    assert ratio["cpu"]["median"] == 2.0  # of 3, 2 and 1
    assert ratio["wall"] == {"median": 2.0, "low": 2.0, "high": 2.0, "repetitions": 3}


def test_images_are_as_bright_as_mnist_and_always_the_same():
    images = workload.images(200)
    assert images.rates.mean() == pytest.approx(0.13, abs=0.005)
    assert (images.rates > 0).mean() == pytest.approx(0.19, abs=0.005)
    assert (workload.images(200).rates == images.rates).all()


def test_exponent_of_a_power_law():
    assert growth.exponent([1.0, 2.0, 8.0], [3.0, 12.0, 192.0]) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (1.2345, "1.23"), (392000.0, "392,000"), (1.5e-7, "1.50e-07"), (123.4, "123")]
)
def test_numbers_are_readable(value, text):
    assert table.number(value) == text


def test_only_what_lies_between_the_markers_is_replaced():
    page = f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n"
    once = table.between_markers(page, "new")
    assert once.startswith("before\n")
    assert once.endswith("\nafter\n")
    assert "old" not in once
    assert table.between_markers(once, "new") == once


def test_one_rank_by_hand():
    parts = cost.predict(JOB, COSTS, 1)
    assert parts.cells == pytest.approx(104 * (1000 * 1e-6 + 10 * 1e-7))
    assert parts.projection == pytest.approx(2000 * 1e-7 + (2000 * 1000 + 10000 * 10 + 100 * 1000) * 1e-9)
    assert parts.rule == pytest.approx((784 * 1000 + 1000 * 10) * 1e-9)
    assert parts.start == pytest.approx(2e-3)
    assert parts.receiving == parts.exchange == 0.0
    assert parts.total == pytest.approx(parts.cells + parts.projection + parts.rule + parts.start)


def test_exchange_of_four_ranks_by_hand():
    net = cost.Interconnect(latency=1e-6, bandwidth=1e9, counter_bytes=1)
    elsewhere = 0.75 * 1010
    parts = cost.predict(JOB, COSTS, 4, net)
    assert parts.exchange == pytest.approx(104 * (2 * 1e-6 + elsewhere / 1e9))
    assert parts.receiving == pytest.approx(104 * elsewhere * 2e-9)


def test_scaling_ends_where_a_further_rank_costs_more_than_it_brings():
    best = cost.fastest(JOB, COSTS)
    least = cost.predict(JOB, COSTS, best).total
    assert 1 < best < 2**20
    assert least <= min(cost.predict(JOB, COSTS, ranks).total for ranks in (best // 2, 2 * best))
    assert cost.efficient(JOB, COSTS) <= best


def test_what_moves_the_end_of_scaling():
    rare = cost.predict(replace(JOB, steps_per_exchange=5), COSTS, 256)
    small = cost.predict(JOB, COSTS, 256, cost.Interconnect(counter_bytes=0.25))
    usual = cost.predict(JOB, COSTS, 256)
    assert rare.exchange < usual.exchange
    assert small.exchange < usual.exchange
    assert rare.cells == small.cells == usual.cells


def test_replicas_share_what_is_shown_and_nothing_else():
    """A batch of four on four replicas: each shows one, and adds the changes of all."""
    alone, four = (
        cost.predict(replace(JOB, batch=4), COSTS, 1),
        cost.predict(replace(JOB, batch=4), COSTS, 4, replicas=4),
    )
    assert four.cells == pytest.approx(alone.cells / 4)
    assert four.start == pytest.approx(alone.start / 4)
    assert four.rule == alone.rule
    assert alone.parcels == 0.0
    assert four.parcels > COSTS.parcel
    assert cost.predict(JOB, COSTS, 4, replicas=4).cells == alone.cells  # one image keeps one of them busy
