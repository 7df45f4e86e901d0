"""The order of examples is a pure function of seed and step."""

from __future__ import annotations

from tuneline.trainer.order import examples_of_step


def test_every_epoch_sees_each_example_once() -> None:
    """Batches run over the ends of epochs without dropping or repeating anything within one."""
    seen = [place for step in range(10) for place in examples_of_step(seed=3, step=step, batch_size=4, count=10)]
    for epoch in range(4):
        assert sorted(seen[epoch * 10 : (epoch + 1) * 10]) == list(range(10))
    assert seen[:10] != seen[10:20]


def test_a_batch_may_be_larger_than_the_set() -> None:
    """A step of eight over three examples sees each of them at least twice."""
    step = examples_of_step(seed=0, step=0, batch_size=8, count=3)
    assert sorted(step[:3]) == sorted(step[3:6]) == [0, 1, 2]


def test_any_step_can_be_asked_for_alone() -> None:
    """Step 7 is the same whether or not the steps before it were asked for, and another with another seed."""
    alone = examples_of_step(seed=1, step=7, batch_size=8, count=50)
    for step in range(7):
        examples_of_step(seed=1, step=step, batch_size=8, count=50)
    assert examples_of_step(seed=1, step=7, batch_size=8, count=50) == alone
    assert examples_of_step(seed=2, step=7, batch_size=8, count=50) != alone
