"""Early stopping: five evaluations in a row without a gain of a tenth of a percent."""

from __future__ import annotations

from tuneline.trainer.stopping import LEAST_GAIN, PATIENCE, should_stop


def test_a_rising_accuracy_goes_on() -> None:
    """Gains of the least size, one at every evaluation, never stop a run."""
    assert not should_stop([0.5 + at * (LEAST_GAIN + 1e-9) for at in range(50)])


def test_it_stops_after_patience_and_not_before() -> None:
    """The evaluation that makes PATIENCE without a gain is the one that stops."""
    flat = [0.5, 0.6] + [0.6 + LEAST_GAIN / 2] * (PATIENCE - 1)
    assert not should_stop(flat)
    assert should_stop([*flat, 0.6])


def test_a_gain_starts_the_count_anew() -> None:
    """What counts is the run of evaluations since the last gain."""
    assert not should_stop([0.5] * PATIENCE + [0.6] + [0.6] * (PATIENCE - 1))


def test_small_gains_add_up() -> None:
    """The gain is over the accuracy at the last gain: five steps of half the least gain do not stop a run."""
    assert not should_stop([0.5 + at * LEAST_GAIN * 0.51 for at in range(20)])
