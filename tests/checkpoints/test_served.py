"""A served checkpoint is chosen by what it answers: the earliest that the rows cannot tell from the best."""

from __future__ import annotations

import pytest

from tuneline.checkpoints import Served, by_epoch, choose_served, settled


def served(*epochs: int) -> list[Served]:
    return [
        Served.from_dict({"id": str(epoch), "step": 10 * epoch, "epoch": epoch, "endpoint": f"e/{epoch}"})
        for epoch in epochs
    ]


def test_the_best_is_kept_where_no_earlier_one_comes_near() -> None:
    """And the last, which the service would take, is not."""
    scores = {"1": [0.1] * 40, "2": [0.9] * 40, "3": [0.5] * 40}
    found = choose_served(served(1, 2, 3), scores, metric="ROUGE-L")
    assert (found.kept.id, found.choice.selection, found.choice.checkpoint.uri) == ("2", "evaluation", "e/2")
    assert "answers best of 3" in found.choice.reason
    assert "ROUGE-L 90.0%, n = 40" in found.choice.reason


def test_an_earlier_one_is_kept_where_the_rows_cannot_tell() -> None:
    """One row of forty makes no difference; the sentence names both and the interval."""
    scores = {"1": [1.0] * 39 + [0.0], "2": [1.0] * 40}
    found = choose_served(served(1, 2), scores, metric="ROUGE-L")
    assert (found.kept.id, found.choice.best_step) == ("1", 20)
    assert "the earliest of 2 that n = 40 examples cannot tell from the best, checkpoint 2" in found.choice.reason


def test_without_scores_the_last_is_kept_and_why_is_said() -> None:
    """As the service does by itself."""
    found = choose_served(served(1, 2), {}, metric="", why_last="there is no evaluation set to choose by")
    assert (found.kept.id, found.choice.selection) == ("2", "last")
    assert found.choice.reason.endswith("there is no evaluation set to choose by.")
    with pytest.raises(ValueError, match="no checkpoint"):
        choose_served([], {}, metric="")


@pytest.mark.parametrize(
    ("losses", "epoch"),
    [
        ([3.0, 2.0, 1.01, 1.0, 1.0, 1.0], 3),
        ([3.0, 2.0, 1.5, 1.2], 0),
        ([1.0, 1.2], 1),
        ([1.0], 0),
    ],
)
def test_the_loss_has_settled_just_before_it_flattens(losses: list[float], epoch: int) -> None:
    """Flat from epoch 4 to 6 means that fewer do as well; one that still falls has not settled."""
    assert settled(list(enumerate(losses, 1))) == epoch


def test_the_points_of_an_epoch_count_as_their_mean() -> None:
    """The service tells one a step."""
    points = [{"step": 1, "epoch": 1, "mean_loss": 3.0}, {"step": 2, "epoch": 1, "mean_loss": 1.0}]
    assert by_epoch([*points, {"step": 3, "epoch": 2, "mean_loss": 0.5}]) == [(1, 2.0), (2, 0.5)]
