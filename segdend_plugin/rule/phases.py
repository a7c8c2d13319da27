"""When the phases of an example begin and end, and which part of them is averaged."""

from __future__ import annotations

from dataclasses import dataclass

from segdend_plugin.model.streams import Purpose, stream

WALD_MEAN = 2.0
WALD_SCALE = 1.0


@dataclass(frozen=True)
class Schedule:
    """Times of one example, in whole steps of `dt` from its start.

    The forward window is (settle, forward_end], the target window (forward_end + settle, end]. An example
    without a target phase has ``end == forward_end``.
    """

    dt: float
    settle: int
    forward_end: int
    end: int

    @property
    def has_target(self) -> bool:
        """Whether a target phase follows the forward phase."""
        return self.end > self.forward_end

    @property
    def forward_steps(self) -> int:
        """Number of steps in the forward window."""
        return self.forward_end - self.settle

    @property
    def target_steps(self) -> int:
        """Number of steps in the target window."""
        return self.end - self.forward_end - self.settle

    def time(self, step: int) -> float:
        """Return the time (ms) at the end of `step` steps."""
        return step * self.dt


def training_schedule(
    seed: int, example: int, *, dt: float, forward: float, target: float, settle: float, jitter: bool
) -> Schedule:
    """Return the schedule of a training example (paper, Methods: phases of 50 ms plus Wald(2, 1) ms).

    Parameters
    ----------
    seed, example
        Key of the random phase lengths.
    dt, forward, target, settle
        Step, shortest phases and settling delay (ms).
    jitter
        Whether a Wald-distributed time (mean 2 ms, scale 1 ms) is added to each phase.
    """
    extra = (0.0, 0.0)
    if jitter:
        first, second = stream(seed, Purpose.PHASES, example).wald(WALD_MEAN, WALD_SCALE, size=2)
        extra = (float(first), float(second))
    forward_end = round((forward + extra[0]) / dt)
    return Schedule(dt, round(settle / dt), forward_end, forward_end + round((target + extra[1]) / dt))


def test_schedule(*, dt: float, duration: float, settle: float) -> Schedule:
    """Return the schedule of an example that is only classified: a forward phase of `duration` ms."""
    end = round(duration / dt)
    return Schedule(dt, round(settle / dt), end, end)
