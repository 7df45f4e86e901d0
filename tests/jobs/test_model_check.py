"""Hypothesis looks for a schedule that breaks the promise, and shows the shortest that does."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.jobs.simulation import SETTINGS, Fault, Process, Simulation
from tests.jobs.test_schedules import check
from tuneline.jobs import effects

_FAULTS = st.sampled_from(list(Fault))
_SOON = st.sampled_from([1.0, SETTINGS.deadline_s, SETTINGS.patience_s])


class Submitters(RuleBasedStateMachine):
    """Processes that submit one request; every step is whoever hypothesis picks, with the fault it picks."""

    processes = Bundle("processes")

    def __init__(self) -> None:
        super().__init__()
        self.simulation = Simulation(0, lag_s=SETTINGS.window_s * 0.95, trainer=False)

    @precondition(lambda self: len(self.simulation.processes) < 5)
    @rule(target=processes)
    def submits(self) -> Process:
        return self.simulation.submitter()

    @rule(process=processes, fault=_FAULTS)
    def goes_on(self, process: Process, fault: Fault) -> None:
        if not process.busy:
            return
        if fault is Fault.REFUSED_NOW and isinstance(process.effect, effects.Send):
            return  # a refused attempt is over for its creator: other tests say so
        self.simulation.step(process, fault)

    @rule(process=processes)
    def goes_on_to_its_create_call(self, process: Process) -> None:
        for _ in range(40):
            if process.busy and not isinstance(process.effect, effects.Send):
                self.simulation.step(process)

    @rule(seconds=_SOON)
    def time_passes(self, seconds: float) -> None:
        self.simulation.advance(self.simulation.now_s + seconds)

    @invariant()
    def no_attempt_follows_one_that_stands(self) -> None:
        assert "2.intent" not in self.simulation.objects, "a second attempt was begun though nothing failed"

    def teardown(self) -> None:
        """Then nothing goes wrong any more: the dead are started again, and everything comes to its end."""
        if self.simulation.processes:
            # Those before may all have given up; whoever comes now finds things in order.
            self.simulation.submitter()
            self.simulation.run()
            # A process that is not picked for long is as good as stopped, so calls and times are not bounded here.
            check(self.simulation, counted=False)


def test_no_schedule_breaks_the_promise() -> None:
    """No interleaving of claims, calls, crashes, stops, lost and late effects leaves two jobs or two answers."""
    run_state_machine_as_test(
        Submitters,
        settings=settings(
            max_examples=100, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
