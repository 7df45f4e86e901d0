"""The paired bootstrap tells a real difference from chance, and says how little its examples can show."""

import numpy as np
import pytest

from tuneline.paired import compare, earliest_as_good


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    """Of many experiments with a known true difference, roughly 95 % of the intervals hold it."""
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(120):
        difficulty = rng.normal(size=80)
        first = (difficulty + rng.normal(size=80) > 0).astype(float)
        second = (difficulty + rng.normal(size=80) > -0.5).astype(float)
        compared = compare(first, second)
        # P(N(0, 2) > -0.5) - 1/2, the true difference of these two.
        held += compared.low <= 0.13816 <= compared.high
    assert 106 <= held <= 120


def test_a_difference_on_every_example_is_significant_and_no_difference_is_not():
    better = compare([0, 0, 1, 0, 0, 1, 0, 0, 0, 0] * 5, [1, 1, 1, 1, 0, 1, 1, 1, 1, 1] * 5)
    assert better.significant
    assert better.low > 0
    same = compare([0, 1, 1, 0], [0, 1, 1, 0])
    assert (same.low, same.high, same.significant) == (0.0, 0.0, False)
    assert same.smallest == pytest.approx(0.75)


def test_pairing_sees_what_two_separate_means_cannot():
    """A small gain on each of many very unequal examples is shown, though their spread is a hundred times larger."""
    rng = np.random.default_rng(2)
    hard = rng.uniform(0, 100, size=60)
    compared = compare(hard, hard + rng.uniform(0.5, 1.5, size=60))
    assert compared.low > 0.8
    assert compared.high < 1.2


def test_weights_make_the_score_a_share_of_all_tokens():
    compared = compare([1, 0], [1, 8], weights=[2, 8])
    assert compared.first == pytest.approx(1 / 10)
    assert compared.second == pytest.approx(9 / 10)
    # Drawn examples are the first twice, the second twice, or one of each.
    assert (compared.low, compared.high) == (0.0, 1.0)


def test_the_same_scores_always_give_the_same_interval():
    rng = np.random.default_rng(3)
    first, second = rng.random(50), rng.random(50)
    assert compare(first, second) == compare(first, second)
    assert compare(first, second) != compare(first, second, seed=4)


def test_one_example_shows_nothing():
    compared = compare([0.0], [1.0])
    assert not compared.significant


@pytest.mark.parametrize(
    ("first", "second", "weights"), [([], [], None), ([1], [1, 2], None), ([0, 0], [0, 0], [0, 0])]
)
def test_what_cannot_be_compared_is_refused(first, second, weights):
    with pytest.raises(ValueError, match=r"same examples|nothing to compare"):
        compare(first, second, weights=weights)


def test_a_large_set_is_drawn_in_parts_and_gives_a_narrow_interval():
    rng = np.random.default_rng(5)
    first = (rng.random(3_000) < 0.5).astype(float)
    compared = compare(first, np.maximum(first, rng.random(3_000) < 0.2))
    assert 0.08 < compared.low < compared.high < 0.12


RIGHT = {20: [0] * 30, 40: [1] * 28 + [0] * 2, 60: [1] * 30, 80: [1] * 29 + [0]}
"""Step → examples right."""


class TestEarliestAsGood:
    """Of checkpoints in order, the first that nothing tells from the best."""

    def choose(self, best, steps=(20, 40, 60, 80)):
        return earliest_as_good(steps, best, lambda step: compare(RIGHT[step], RIGHT[best]))

    def test_one_that_chance_may_have_put_behind_is_taken(self):
        assert self.choose(60) == 40

    def test_the_best_stays_where_all_before_it_are_worse(self):
        assert self.choose(40) == 40

    def test_what_comes_after_the_best_is_never_asked_for(self):
        assert self.choose(20, steps=(20,)) == 20
        asked = []
        earliest_as_good((20, 40), 20, lambda step: asked.append(step))
        assert asked == []
