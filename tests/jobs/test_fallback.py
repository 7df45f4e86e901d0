"""Where capacity is refused to a request, its fallbacks are tried in order, and there is one job for all of them."""

from __future__ import annotations

from functools import partial

import pytest

from tests.jobs.simulation import Simulation
from tests.jobs.test_schedules import schedule
from tuneline import errors
from tuneline.jobs.model import JobState


def check(simulation: Simulation) -> None:
    """One job adopted by all that were not refused themselves, no extra alive, each attempt closed before the next."""
    names = {outcome.name for outcome in simulation.outcomes}
    assert len(names) <= 1, f"several jobs were adopted: {names}"
    assert [job.name for job in simulation.live] in ([], [*names]), "an extra job is left alive"
    for process in simulation.processes:
        if isinstance(process.error, errors.QuotaExceeded):
            assert process.progress.choice == simulation.choices - 1, "given up before the last choice"
            assert process.progress.refusals >= 3, "given up too early"
        else:
            assert process.error is None or process.progress.unclear >= 3, process.error
    attempts = sorted(int(key.split(".")[0]) for key in simulation.objects if key.endswith(".intent"))
    assert all(f"{number}.closed" in simulation.objects for number in attempts[:-1])


def test_sixteen_that_are_refused_adopt_one_job_of_the_next_choice() -> None:
    """The first choice has no machines: after its tries every one of them is at the second, in one job."""
    simulation = Simulation(1, choices=2, refusing={0: 1.0})
    for _ in range(16):
        simulation.submitter()
    simulation.run(watch_s=0)
    check(simulation)
    assert {outcome.choice for outcome in simulation.outcomes} == {1}
    assert len(simulation.jobs) == 1
    # The first choice is tried a few times, not by each of the sixteen.
    assert simulation.calls["Send"] <= 8


def test_the_choices_are_tried_in_their_order() -> None:
    """Two without machines, then the third; the ledger says why each was left."""
    simulation = Simulation(2, choices=4, refusing={0: 1.0, 1: 1.0})
    only = simulation.submitter()
    simulation.run(watch_s=0)
    assert only.outcome is not None
    assert only.outcome.choice == 2
    reasons = [value["reason"] for key, (value, _) in simulation.objects.items() if key.endswith(".closed")]
    assert [reason[-1] for reason in reasons] == ["0", "0", "0", "1", "1", "1"]


def test_who_was_refused_beside_others_still_tries_the_next_choice_as_often() -> None:
    """Refusals of the first choice do not count against the second, whoever moved on."""
    for seed in range(20):
        simulation = Simulation(seed, choices=2, refusing={0: 1.0, 1: 0.5})
        for _ in range(4):
            simulation.submitter()
        simulation.run(watch_s=0)
        check(simulation)


def test_a_step_tried_again_adopts_the_job_of_its_fallback() -> None:
    """It does not ask for the first choice again, though that has machines by now."""
    simulation = Simulation(3, choices=2, refusing={0: 1.0})
    simulation.submitter(run="a")
    simulation.run(watch_s=0)
    simulation.refusing = {}
    for run in ("a", "b"):
        again = simulation.submitter(run=run)
        simulation.run(watch_s=0)
        assert again.outcome is not None
        assert (again.outcome.choice, again.outcome.ours) == (1, run == "a")
    assert len(simulation.jobs) == 1


def test_a_forced_step_tried_again_adopts_the_job_of_its_fallback() -> None:
    """And another forced run begins at the first choice."""
    simulation = Simulation(4, choices=2, refusing={0: 1.0})
    for _ in range(2):
        forced = simulation.submitter(run="forced", force=True)
        simulation.run(watch_s=0)
        assert forced.outcome is not None
        assert forced.outcome.choice == 1
    assert len(simulation.jobs) == 1
    simulation.refusing = {}
    other = simulation.submitter(run="other", force=True)
    simulation.run(watch_s=0)
    assert other.outcome is not None
    assert (other.outcome.choice, other.outcome.adopted) == (0, False)


def test_a_job_that_ends_without_machines_is_followed_by_the_next_choice() -> None:
    """Whoever waited for it asks again, all at once, and gets one job between them."""
    simulation = Simulation(5, choices=2, starving=frozenset({0}))
    for number in range(16):
        simulation.submitter(run=f"run-{number}")
    simulation.run(watch_s=0)
    assert {outcome.choice for outcome in simulation.outcomes} == {0}
    first = {outcome.name for outcome in simulation.outcomes}
    again = [simulation.submitter(run=f"run-{number}") for number in range(16)]
    simulation.run(watch_s=0)
    assert {process.outcome.choice for process in again if process.outcome} == {1}
    second = {process.outcome.name for process in again if process.outcome}
    assert len(first) == len(second) == 1
    assert len(simulation.jobs) == 2
    assert next(job.state for job in simulation.jobs.values()) is JobState.FAILED
    assert simulation.calls["Send"] == 2


def test_where_no_choice_has_machines_the_refusal_is_told() -> None:
    """In the words of the last one; the next who asks begins at the first."""
    simulation = Simulation(6, choices=2, refusing={0: 1.0, 1: 1.0})
    only = simulation.submitter()
    simulation.run()
    assert isinstance(only.error, errors.QuotaExceeded)
    assert "choice 1" in str(only.error)
    simulation.refusing = {}
    later = simulation.submitter()
    simulation.run(watch_s=0)
    assert later.outcome is not None
    assert later.outcome.choice == 0


@pytest.mark.parametrize("seeds", [range(20), pytest.param(range(20, 220), marks=pytest.mark.slow)])
@pytest.mark.parametrize("trainer", [True, False], ids=["our trainer", "managed"])
def test_any_schedule_with_refusals_ends_with_one_job(trainer: bool, seeds: range) -> None:
    """Sixteen with crashes, stops, lost answers and late effects, at a service that refuses now and then."""
    world = partial(Simulation, trainer=trainer, choices=3, refusing={0: 0.8, 1: 0.7})
    choices = set()
    for seed in seeds:
        simulation = schedule(seed, world=world)
        try:
            check(simulation)
            assert not trainer or len(simulation.trained) == len({each.name for each in simulation.outcomes})
        except AssertionError as failure:
            raise AssertionError(f"seed {seed}: {failure}") from failure
        choices |= {outcome.choice for outcome in simulation.outcomes}
    assert choices == {0, 1, 2}
