"""Whatever befalls racing submitters, one job is adopted by all, one trains, and none is left over."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

import pytest

from tests.jobs.simulation import SETTINGS, Fault, Process, Simulation
from tuneline import errors
from tuneline.jobs import effects
from tuneline.jobs.model import JobState

_ANY = [Fault.UNAVAILABLE, Fault.DROPPED, Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.STOP_BEFORE, Fault.STOP_AFTER]


def schedule(seed: int, *, submitters: int = 16, world: Callable[..., Simulation] = Simulation) -> Simulation:
    """One random schedule, run to its end."""
    dice = random.Random(seed)
    simulation = world(seed, lag_s=dice.choice([0.0, 5.0, SETTINGS.window_s * 0.95]))
    rate = dice.choice([0.0, 0.02, 0.1, 0.3])
    budget = dice.randint(0, 12)

    def fault_of(process: Process, effect: effects.Effect) -> Fault:
        nonlocal budget
        # The create call is where money hangs: there something goes wrong every other time.
        likely = 0.5 if isinstance(effect, effects.Send) else rate
        if budget == 0 or dice.random() > likely:
            return Fault.NONE
        budget -= 1
        return dice.choice([*_ANY, Fault.LATE, Fault.LATE])

    for _ in range(submitters):
        simulation.submitter(start_s=dice.choice([0.0, dice.uniform(0, 5), dice.uniform(0, 600)]))
    simulation.run(fault_of)
    return simulation


def check(simulation: Simulation, *, counted: bool = True) -> None:
    """What is promised, of a schedule that has ended; calls and times too, where every fault was counted."""
    names = {outcome.name for outcome in simulation.outcomes}
    assert len(names) == 1, f"several jobs were adopted: {names}"
    assert [job.name for job in simulation.live] in ([], [*names]), "an extra job is left alive"
    assert not counted or simulation.calls["Send"] <= 1 + simulation.faults, "a create call too many"
    failed = [process for process in simulation.processes if process.error]
    for process in failed:
        assert not counted or process.progress.unclear >= 3, f"an error that nothing explains: {process.error}"
    # Each fault may cost those who wait one patience; a watch follows, of ten minutes and one last look.
    longest_s = SETTINGS.patience_s * (1 + simulation.faults) + 660
    for process in simulation.processes:
        if counted and process.ended_s is not None:
            assert process.ended_s - process.began_s - process.stopped_s < longest_s


def check_seeds(seeds: range, *, trainer: bool) -> None:
    for seed in seeds:
        simulation = schedule(seed, world=partial(Simulation, trainer=trainer))
        try:
            check(simulation)
            assert not trainer or len(simulation.trained) == 1, "not exactly one trained"
        except AssertionError as failure:
            raise AssertionError(f"seed {seed}: {failure}") from failure


@pytest.mark.parametrize("trainer", [True, False], ids=["our trainer", "managed"])
def test_any_schedule_ends_with_one_job(trainer: bool) -> None:
    """Of 16 racing submitters with crashes, stops, lost answers and late effects, all adopt one job."""
    check_seeds(range(80), trainer=trainer)


@pytest.mark.slow
@pytest.mark.parametrize("trainer", [True, False], ids=["our trainer", "managed"])
def test_thousands_of_schedules_end_with_one_job(trainer: bool) -> None:
    """The same, for as many schedules as it takes to trust it."""
    check_seeds(range(80, 2000), trainer=trainer)


def test_without_faults_there_is_one_create_call() -> None:
    """Sixteen at once send one create call, and nobody waits for more than moments."""
    simulation = Simulation(1, lag_s=110.0)
    for _ in range(16):
        simulation.submitter()
    simulation.run(watch_s=0)
    check(simulation)
    assert simulation.calls["Send"] == 1
    assert max(process.ended_s for process in simulation.processes) < 15


def test_a_dead_creator_blocks_for_patience_and_no_longer() -> None:
    """Whoever dies after its claim holds the others up for 2T + W, not longer."""
    simulation = Simulation(2)
    first = simulation.submitter()
    while not isinstance(first.effect, effects.Send):
        simulation.step(first)
    simulation.step(first, Fault.CRASH_BEFORE)
    second = simulation.submitter()
    simulation.run(restart=False, watch_s=0)
    assert second.outcome is not None
    waited_s = second.ended_s - second.began_s
    assert SETTINGS.patience_s - 5 < waited_s < SETTINGS.patience_s + 10


def test_a_creator_stopped_before_its_call_does_not_send_it_late() -> None:
    """Stopped between claim and call for longer than T, it finds its claim old and looks again instead of sending."""
    simulation = Simulation(3)
    first = simulation.submitter()
    while not isinstance(first.effect, effects.Find):
        simulation.step(first)
    simulation.step(first, Fault.STOP_BEFORE)
    second = simulation.submitter()
    simulation.run(watch_s=0)
    assert simulation.calls["Send"] == 1
    assert first.outcome.name == second.outcome.name
    assert first.outcome.adopted
    assert not second.outcome.adopted


def test_two_jobs_from_a_late_effect_end_as_one() -> None:
    """A create call that lands after a second was sent leaves two managed jobs for moments, then one."""
    simulation = Simulation(4, trainer=False, late_s=0)
    first = simulation.submitter()
    while not isinstance(first.effect, effects.Send):
        simulation.step(first)
    simulation.late_s = 500.0
    simulation.random.uniform = lambda low, high: high
    simulation.step(first, Fault.LATE)
    simulation.run()
    assert simulation.calls["Send"] == 2
    assert len(simulation.jobs) == 2
    check(simulation)
    states = sorted(job.state.name for job in simulation.jobs.values())
    assert "CANCELLED" in states
    assert sum(len(process.progress.cancelled) for process in simulation.processes) == 1


def test_a_refusal_for_lack_of_quota_closes_the_attempt() -> None:
    """429 is tried again a few times, then raised; nobody waits for a claim that was refused."""
    simulation = Simulation(5, quota=0)
    only = simulation.submitter()
    simulation.run()
    assert isinstance(only.error, errors.QuotaExceeded)
    assert simulation.calls["Send"] == 3
    assert only.ended_s < SETTINGS.patience_s
    assert all(f"{attempt}.closed" in simulation.objects for attempt in (1, 2, 3))


def test_a_finished_job_is_adopted_until_its_result_is_gone() -> None:
    """The same request again costs nothing while its result is there; without it, it is tuned again."""
    simulation = Simulation(6, duration_s=100)
    simulation.submitter()
    simulation.run()
    again = simulation.submitter()
    simulation.run()
    assert again.outcome.adopted
    assert len(simulation.jobs) == 1
    simulation.result_kept = False
    once_more = simulation.submitter()
    simulation.run()
    assert not once_more.outcome.adopted
    assert once_more.outcome.attempt == 2
    assert simulation.objects["1.closed"][0]["reason"] == "its result is gone"


def test_a_failed_job_is_made_anew_by_the_next_who_asks() -> None:
    """Who made a job that failed is told so; who asks afterwards gets a new attempt."""
    simulation = Simulation(7, duration_s=100, fails=True)
    for _ in range(16):
        simulation.submitter()
    simulation.run()
    assert len(simulation.jobs) == 1
    assert {outcome.attempt for outcome in simulation.outcomes} == {1}
    later = simulation.submitter()
    simulation.run()
    assert later.outcome.attempt == 2


def test_force_makes_one_new_job_for_each_run_that_asks() -> None:
    """A forced run makes a new job once; its step tried again adopts that job."""
    simulation = Simulation(8)
    simulation.submitter()
    simulation.run(watch_s=0)
    for _ in range(3):
        forced = simulation.submitter(run="forced", force=True)
        simulation.run(watch_s=0)
        assert forced.outcome.attempt == 2
        assert forced.outcome.ours
    assert len(simulation.jobs) == 2
    other = simulation.submitter(run="other", force=True)
    simulation.run(watch_s=0)
    assert other.outcome.attempt == 3
    plain = simulation.submitter(run="plain")
    simulation.run(watch_s=0)
    assert plain.outcome.attempt == 3


def test_a_forced_first_run_tried_again_keeps_its_job() -> None:
    """A forced step that made the first job at all, and is tried again, does not make a second."""
    simulation = Simulation(9)
    for _ in range(2):
        simulation.submitter(run="forced", force=True)
        simulation.run(watch_s=0)
    assert len(simulation.jobs) == 1


@pytest.mark.parametrize("fault", [Fault.NONE, Fault.DROPPED, Fault.LATE])
@pytest.mark.parametrize("trainer", [True, False], ids=["our trainer", "managed"])
def test_stopped_at_any_point_nothing_is_left_running(fault: Fault, trainer: bool) -> None:
    """A submission that is told to stop before any of its effects leaves no job behind, and blocks nobody."""
    for steps in range(30):
        simulation = Simulation(steps, trainer=trainer, late_s=6.0)
        only = simulation.submitter(run="only")
        for _ in range(steps):
            if only.effect is not None:
                simulation.step(only, fault if isinstance(only.effect, effects.Send) else Fault.NONE)
        simulation.withdraw(only)
        while only.busy:
            simulation.step(only)
        simulation.advance(simulation.now_s + 500)
        assert simulation.live == [], f"after {steps} effects"
        assert simulation.trained == [] or all(job.state is JobState.CANCELLED for job in simulation.trained)
        begun_s = simulation.now_s
        successor = simulation.submitter()
        simulation.run(watch_s=0)
        assert successor.outcome is not None
        assert successor.ended_s - begun_s < 30, f"a successor was held up after {steps} effects"


def test_a_job_that_lands_after_its_run_was_stopped_does_not_train() -> None:
    """Told to stop while its create call hangs, a submission decides that there shall be no job; a late one leaves."""
    simulation = Simulation(10)
    only = simulation.submitter()
    while not isinstance(only.effect, effects.Send):
        simulation.step(only)
    simulation.random.uniform = lambda low, high: high
    simulation.step(only, Fault.LATE)
    simulation.withdraw(only)
    while only.busy:
        simulation.step(only)
    simulation.advance(simulation.now_s + 2000)
    assert len(simulation.jobs) == 1
    assert simulation.trained == []
