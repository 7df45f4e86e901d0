"""A world in which the rules of exactly-once are tried: its clock, storage, job service and processes are data.

Everything that can go wrong is an argument. Time passes only when told to, so hours of waiting cost nothing; the rules
that run here are the product's own generators, and `effects.World.perform` carries their effects out.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum

from tuneline import errors
from tuneline.jobs import effects, extras, protocol
from tuneline.jobs.engines import LABEL_FINGERPRINT, Claim, Request
from tuneline.jobs.ledger import Snapshot, judge_key
from tuneline.jobs.model import Job, JobState
from tuneline.jobs.terms import Outcome, Progress, Settings, Terms

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
FINGERPRINT = "fp"
REQUEST = Request(project="p", location="r", display_name="d", body={}, staging="gs://b")
SETTINGS = Settings(deadline_s=60.0, window_s=120.0, poll_s=2.0)


class Fault(Enum):
    """What may befall one effect."""

    NONE = "nothing"
    REFUSED_NOW = "429: turned away, no effect"
    UNAVAILABLE = "503: no effect"
    DROPPED = "the effect, then no answer"
    LATE = "no answer, and the effect lands later"
    CRASH_BEFORE = "the process dies before the effect"
    CRASH_AFTER = "the process dies after the effect, before it sees the answer"
    STOP_BEFORE = "the process is stopped for longer than 2T + W before the effect"
    STOP_AFTER = "the process is stopped for longer than 2T + W after the effect"


@dataclass(kw_only=True)
class SimulatedJob:
    """A job in the simulated service."""

    name: str
    labels: dict[str, str]
    created_s: float
    visible_s: float
    """From when on lists show it."""
    state: JobState = JobState.PENDING
    trained: bool = False
    choice: int = 0
    """Which of the request's choices it was made for."""
    error_code: int = 0


@dataclass(kw_only=True)
class Process:
    """One process that submits, then watches."""

    run: str
    world: effects.World
    terms: Terms
    rules: Generator[effects.Effect, effects.Answer, object]
    progress: Progress = field(default_factory=Progress)
    effect: effects.Effect | None = None
    ready_s: float = 0.0
    """When its next effect is due."""
    began_s: float = 0.0
    ended_s: float | None = None
    dead: bool = False
    outcome: Outcome | None = None
    error: Exception | None = None
    stopped_s: float = 0.0
    """Time for which it was stopped."""
    replaced: bool = False
    """Dead, and started again."""
    watched: bool = False

    @property
    def busy(self) -> bool:
        return not self.dead and self.effect is not None


class Simulation:
    """Storage, job service, clock and processes; `step` lets one process perform its next effect."""

    def __init__(
        self,
        seed: int = 0,
        *,
        lag_s: float = 0.0,
        late_s: float = 400.0,
        trainer: bool = True,
        duration_s: float = 5000.0,
        settings: Settings = SETTINGS,
        result_kept: bool = True,
        quota: int | None = None,
        fails: bool = False,
        choices: int = 1,
        refusing: Mapping[int, float] | None = None,
        starving: frozenset[int] = frozenset(),
    ) -> None:
        """`refusing`: choice → how likely its create call is refused for lack of capacity; `starving`: the choices
        whose jobs are made, and end for lack of it."""
        self.now_s = 0.0
        self.random = random.Random(seed)
        self.lag_s, self.late_s, self.trainer, self.duration_s = lag_s, late_s, trainer, duration_s
        self.settings, self.result_kept, self.quota, self.fails = settings, result_kept, quota, fails
        self.choices, self.refusing, self.starving = choices, refusing or {}, starving
        self.refused = 0
        self.objects: dict[str, tuple[dict[str, object], float]] = {}
        self.jobs: dict[str, SimulatedJob] = {}
        self.processes: list[Process] = []
        self.calls: dict[str, int] = {}
        self.faults = 0
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._counter = itertools.count(1)

    # time

    def at(self, moment_s: float, act: Callable[[], None]) -> None:
        """Lets something happen later."""
        heapq.heappush(self._later, (moment_s, next(self._counter), act))

    def advance(self, moment_s: float) -> None:
        """Lets time pass, with all that happens by itself meanwhile."""
        while self._later and self._later[0][0] <= moment_s:
            due_s, _, act = heapq.heappop(self._later)
            self.now_s = max(self.now_s, due_s)
            act()
        self.now_s = max(self.now_s, moment_s)

    # the storage: atomic, strongly consistent

    def create(self, key: str, value: Mapping[str, object]) -> bool:
        if key in self.objects:
            return False
        if key.endswith(".closed"):
            assert judge_key(int(key.split(".")[0])) in self.objects, "an attempt was closed that nobody had judged"
        self.objects[key] = (dict(value), self.now_s)
        return True

    def read(self, key: str) -> dict[str, object]:
        if key not in self.objects:
            raise errors.NotFound(key, status=404)
        return dict(self.objects[key][0])

    def scan(self) -> Snapshot:
        # The Date header has whole seconds.
        return Snapshot(
            created={key: EPOCH + timedelta(seconds=created_s) for key, (_, created_s) in self.objects.items()},
            server_time=EPOCH + timedelta(seconds=int(self.now_s)) if self.objects else None,
        )

    # the service

    name = "simulated"

    def make(self, request: Request, claim: Claim, *, timeout_s: float) -> Job:
        """The effect of a create call."""
        live = sum(job.state.live for job in self.jobs.values())
        if self.quota is not None and live >= self.quota:
            raise errors.QuotaExceeded("too many jobs", status=429)
        if self.random.random() < self.refusing.get(claim.choice, 0.0):
            self.refused += 1
            raise errors.QuotaExceeded(f"no machines for choice {claim.choice}", status=429)
        number = next(self._counter)
        job = SimulatedJob(
            name=f"projects/p/locations/r/customJobs/{number}",
            labels={**request.labels, **claim.labels},
            created_s=self.now_s,
            visible_s=self.now_s + self.random.uniform(0, self.lag_s),
            choice=claim.choice,
        )
        self.jobs[job.name] = job
        self.at(self.now_s + self.random.uniform(0, 300), lambda: self._start(job, claim))
        return self._shown(job)

    def _start(self, job: SimulatedJob, claim: Claim) -> None:
        """The machine is there: our trainer asks whose job it is before it trains; a managed job just runs."""
        if not job.state.live:
            return
        if job.choice in self.starving:
            job.state, job.error_code = JobState.FAILED, 8
            return
        job.state = JobState.RUNNING
        if self.trainer:
            self.create(judge_key(claim.attempt), {"nonce": claim.nonce, "name": job.name.rsplit("/", 1)[-1]})
            if self.read(judge_key(claim.attempt))["nonce"] != claim.nonce:
                job.state = JobState.SUCCEEDED  # it leaves
                return
        job.trained = True
        self.at(self.now_s + self.duration_s, lambda: self._end(job))

    def _end(self, job: SimulatedJob) -> None:
        if job.state.live:
            job.state = JobState.FAILED if self.fails else JobState.SUCCEEDED

    def find(self, project: str, location: str, fingerprint: str) -> list[Job]:
        return [
            self._shown(job)
            for job in self.jobs.values()
            if job.visible_s <= self.now_s and job.labels[LABEL_FINGERPRINT] == fingerprint
        ]

    def get(self, name: str) -> Job:
        if name not in self.jobs:
            raise errors.NotFound(name, status=404)
        return self._shown(self.jobs[name])

    def cancel(self, name: str) -> None:
        job = self.jobs[name]
        if job.state.live:
            job.state = JobState.CANCELLED

    def intact(self, job: Job) -> bool:
        return self.result_kept

    def full_name(self, identifier: str) -> str:
        return identifier if "/" in identifier else f"projects/p/locations/r/customJobs/{identifier}"

    def _shown(self, job: SimulatedJob) -> Job:
        created = EPOCH + timedelta(seconds=job.created_s)
        return Job(name=job.name, state=job.state, labels=dict(job.labels), created=created, error_code=job.error_code)

    # processes

    def submitter(self, *, run: str = "", force: bool = False, start_s: float | None = None) -> Process:
        """A new process that submits the request; the same `run` is the same step, tried again."""
        run = run or f"run-{next(self._counter)}"
        terms = Terms(
            claim=lambda attempt, nonce: Claim(
                fingerprint=FINGERPRINT, attempt=attempt, nonce=nonce, judge_uri="", output_uri=""
            ),
            nonce=lambda: f"nonce-{next(self._counter)}",
            full_name=self.full_name,
            settings=self.settings,
            force=force,
            run=run,
            choices=self.choices,
            random=random.Random(self.random.random()),
        )
        progress = Progress()
        process = Process(
            run=run,
            world=effects.World(
                store=self,
                engine=_Service(self),
                clock=_Clock(self),
                request=REQUEST,
                fingerprint=FINGERPRINT,
                fallbacks=(REQUEST,) * (self.choices - 1),
            ),
            terms=terms,
            rules=protocol.submit(terms, progress),
            progress=progress,
            began_s=self.now_s if start_s is None else start_s,
            ready_s=self.now_s if start_s is None else start_s,
        )
        process.effect = next(process.rules)
        self.processes.append(process)
        return process

    def watch(self, process: Process, *, for_s: float = 600.0, every_s: float = 10.0) -> None:
        """Lets a process that has its job look for extra jobs every now and then."""
        begun_s = self.now_s

        def rules() -> Iterator[effects.Effect]:
            while self.now_s - begun_s < for_s and self.get(process.outcome.name).state.live:
                yield from extras.sweep(process.terms, process.progress, process.outcome)
                yield effects.Sleep(every_s)

        process.rules = rules()
        self._go_on(process, None, None)

    def withdraw(self, process: Process) -> None:
        """Tells a process to stop: from its next effect on it takes back what it has begun."""
        process.rules = extras.withdraw(process.terms, process.progress, grace_s=8.0)
        process.outcome = None
        self._go_on(process, None, None)

    def step(self, process: Process, fault: Fault = Fault.NONE) -> None:
        """Performs the process's next effect, with what befalls it, and lets the process run on to the one after."""
        effect = process.effect
        kind = type(effect).__name__
        self.advance(process.ready_s)
        if isinstance(effect, effects.Now):
            self._go_on(process, self.now_s, None)
            return
        if fault is Fault.LATE and not isinstance(effect, effects.Send):
            fault = Fault.DROPPED
        self.faults += fault is not Fault.NONE
        pause_s = 0.0
        if fault in (Fault.STOP_BEFORE, Fault.STOP_AFTER):
            pause_s = self.settings.patience_s * self.random.uniform(1.01, 1.5)
            process.stopped_s += pause_s
        if fault is Fault.CRASH_BEFORE:
            process.dead = True
            return
        if fault is Fault.STOP_BEFORE:
            # Only this process stands still: it comes back to the very same effect later.
            process.ready_s = self.now_s + pause_s
            return
        if isinstance(effect, effects.Sleep):
            process.ready_s = self.now_s + effect.seconds
            self._go_on(process, None, None)
            return
        self.calls[kind] = self.calls.get(kind, 0) + 1
        process.ready_s = self.now_s + self.random.uniform(0.01, 0.5)
        if fault is Fault.REFUSED_NOW:
            self._go_on(process, None, errors.QuotaExceeded("slow down", status=429))
        elif fault is Fault.UNAVAILABLE:
            self._go_on(process, None, errors.Unavailable("try later", status=503))
        elif fault is Fault.LATE:
            process.ready_s = self.now_s + self.settings.deadline_s
            self.at(self.now_s + self.random.uniform(0, self.late_s), lambda: self._land(process, effect))
            self._go_on(process, None, errors.Unavailable("no answer"))
        else:
            self._answer(process, effect, fault, pause_s)

    def _land(self, process: Process, effect: effects.Effect) -> None:
        try:
            process.world.perform(effect)
        except errors.QuotaExceeded:
            return  # refused late is not made

    def _answer(self, process: Process, effect: effects.Effect, fault: Fault, pause_s: float) -> None:
        answer, error = None, None
        try:
            answer = process.world.perform(effect)
        except errors.ServiceError as refusal:
            error = refusal
        if fault is Fault.CRASH_AFTER:
            process.dead = True
        elif fault is Fault.DROPPED:
            self._go_on(process, None, errors.Unavailable("connection lost"))
        else:
            process.ready_s += pause_s
            self._go_on(process, answer, error)

    def _go_on(self, process: Process, answer: object, error: Exception | None) -> None:
        try:
            process.effect = process.rules.throw(error) if error else process.rules.send(answer)
        except StopIteration as ended:
            process.effect = None
            process.ended_s = process.ready_s
            if isinstance(ended.value, Outcome):
                process.outcome = ended.value
        except errors.ServiceError as failure:
            process.effect, process.error, process.ended_s = None, failure, process.ready_s

    # whole runs

    def run(
        self,
        fault_of: Callable[[Process, effects.Effect], Fault] = lambda process, effect: Fault.NONE,
        *,
        restart: bool = True,
        watch_s: float = 600.0,
        until_s: float = 20_000.0,
    ) -> None:
        """Lets all processes go, soonest effect first, until none has anything to do; the dead are started again."""
        while self.now_s < until_s:
            for process in list(self.processes):
                if process.dead and restart and not process.replaced:
                    process.replaced = True
                    self.submitter(run=process.run, start_s=self.now_s + self.random.uniform(0, 30))
                if process.outcome and process.effect is None and not process.watched:
                    process.watched = True
                    self.watch(process, for_s=watch_s)
            busy = [process for process in self.processes if process.busy]
            if not busy:
                break
            process = min(busy, key=lambda each: each.ready_s)
            self.step(process, fault_of(process, process.effect))
        self.advance(self.now_s + self.late_s + 400)

    @property
    def live(self) -> list[SimulatedJob]:
        return [job for job in self.jobs.values() if job.state.live]

    @property
    def trained(self) -> list[SimulatedJob]:
        return [job for job in self.jobs.values() if job.trained]

    @property
    def outcomes(self) -> list[Outcome]:
        return [process.outcome for process in self.processes if process.outcome]


class _Service:
    """The engine's face of the simulation."""

    name = "simulated"

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self.find, self.get = simulation.find, simulation.get
        self.cancel, self.intact = simulation.cancel, simulation.intact
        self.create = simulation.make


class _Clock:
    """This machine's clock, an hour off the storage server's."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def now(self) -> float:
        return self._simulation.now_s + 3600.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("the simulation lets time pass itself")
