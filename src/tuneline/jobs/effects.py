"""The side effects that the rules of exactly-once ask for, and the one place that carries them out.

The rules (`protocol`) are generators that yield these and are sent the answers. So the code that the model check drives
through thousands of schedules is the code that runs in production: only who performs the effects differs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from tuneline import errors
from tuneline.jobs.engines import Claim, Maker, Request
from tuneline.jobs.ledger import Store
from tuneline.jobs.model import Job


@dataclass(frozen=True)
class Scan:
    """List the ledger → Snapshot."""


@dataclass(frozen=True)
class Create:
    """Create a ledger object if there is none → bool."""

    key: str
    value: dict[str, object]


@dataclass(frozen=True)
class Read:
    """Read a ledger object → dict."""

    key: str


@dataclass(frozen=True)
class Find:
    """List the jobs that carry the fingerprint → list of Job."""


@dataclass(frozen=True)
class Send:
    """Send the one create call of a claim → Job. Never repeated."""

    claim: Claim
    timeout_s: float


@dataclass(frozen=True)
class Get:
    """Read one job → Job."""

    name: str


@dataclass(frozen=True)
class Intact:
    """Ask whether a succeeded job's result is still there → bool."""

    job: Job


@dataclass(frozen=True)
class Cancel:
    """Ask for a job's end → None."""

    name: str


@dataclass(frozen=True)
class Sleep:
    """Let time pass → None."""

    seconds: float


@dataclass(frozen=True)
class Now:
    """Read this machine's clock, which only measures spans → float seconds."""


Effect = Scan | Create | Read | Find | Send | Get | Intact | Cancel | Sleep | Now
# Each effect's docstring says what its answer is.
Answer = Any


Result = TypeVar("Result")


class Clock(Protocol):
    """A clock that measures spans."""

    def now(self) -> float:
        """Seconds since some fixed moment; never set back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Lets `seconds` pass."""
        ...


class SystemClock:
    """This machine's clock. It goes on while the process is stopped and, on Linux, while the machine sleeps."""

    def now(self) -> float:
        """See `Clock.now`."""
        if hasattr(time, "CLOCK_BOOTTIME"):
            return time.clock_gettime(time.CLOCK_BOOTTIME)
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """See `Clock.sleep`."""
        time.sleep(seconds)


@dataclass(frozen=True, kw_only=True)
class World:
    """What the effects act on."""

    store: Store
    engine: Maker
    clock: Clock
    request: Request
    fingerprint: str
    fallbacks: tuple[Request, ...] = ()
    """What is asked for in the request's place, in order, where capacity is refused."""

    def perform(self, effect: Effect) -> Answer:
        """Carries out one effect, once; raises what the service raises."""
        match effect:
            case Scan():
                return self.store.scan()
            case Create(key, value):
                return self.store.create(key, value)
            case Read(key):
                return self.store.read(key)
            case Find():
                places = dict.fromkeys((each.project, each.location) for each in (self.request, *self.fallbacks))
                return [job for place in places for job in self.engine.find(*place, self.fingerprint)]
            case Send(claim, timeout_s):
                wanted = (self.request, *self.fallbacks)[claim.choice]
                return self.engine.create(wanted, claim, timeout_s=timeout_s)
            case Get(name):
                return self.engine.get(name)
            case Intact(job):
                return self.engine.intact(job)
            case Cancel(name):
                return self.engine.cancel(name)
            case Sleep(seconds):
                return self.clock.sleep(seconds)
            case Now():
                return self.clock.now()


def drive(rules: Generator[Effect, Answer, Result], perform: Callable[[Effect], Answer]) -> Result:
    """Runs the rules to their end, performing each effect and giving the answer, or the service's error, back."""
    try:
        effect = next(rules)
        while True:
            try:
                answer = perform(effect)
            except errors.ServiceError as error:
                effect = rules.throw(error)
            else:
                effect = rules.send(answer)
    except StopIteration as ended:
        return ended.value
