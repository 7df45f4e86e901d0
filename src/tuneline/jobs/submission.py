"""Submitting a job: the rules of `protocol`, carried out on the real ledger and the real service."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, fields, replace

from tuneline import errors, objects
from tuneline.errors import Problem, UsageError
from tuneline.google import settings as google_settings
from tuneline.jobs import effects, extras, protocol
from tuneline.jobs.engines import Claim, Maker, Request
from tuneline.jobs.fingerprint import of_choices
from tuneline.jobs.interruption import stoppable
from tuneline.jobs.ledger import Ledger, Turn, closed_key, judge_key
from tuneline.jobs.model import Job
from tuneline.jobs.terms import Outcome, Progress, Settings, Terms

OUTPUTS = "tuneline/outputs"

# A stopped run has 30 seconds by Kubernetes' default, 10 on the local service. Twice this is spent at most: until the
# create call under way is answered, and looking for a job of which no answer came.
_GRACE_S = 4.0

# T and W on the local service: its lists never lag, and nobody wants to wait for four minutes at a desk.
_LOCAL_DEADLINE_S, _LOCAL_WINDOW_S = 10.0, 5.0


@dataclass(frozen=True, kw_only=True)
class Submission:
    """The one job of a request, and how this run came by it."""

    name: str
    """Full resource name of the job."""
    fingerprint: str
    attempt: int
    nonce: str
    """The mark of the claim under which the job was made."""
    adopted: bool
    """Another submission made it."""
    ours: bool
    """This run made it, now or in an earlier try; only then does stopping the run cancel it."""
    output_uri: str
    ledger_uri: str
    on_cancel: str = "cancel"
    cancelled: tuple[str, ...] = ()
    """Extra jobs of this request that were found alive and cancelled."""
    choice: int = 0
    """Which of the request's choices the job was made for: 0 the request itself, then its fallbacks."""
    refused: tuple[str, ...] = ()
    """Why the choices before it were given up, in their order."""
    locations: tuple[str, ...] = ()
    """Every region in which a job of this request may be."""

    def to_dict(self) -> dict[str, object]:
        """As JSON takes it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, object]) -> Submission:
        """The inverse of `to_dict`; keys of a later version are passed over."""
        known = {key.name: value[key.name] for key in fields(cls) if key.name in value}
        # JSON has lists where we have tuples.
        return cls(**{key: tuple(each) if isinstance(each, list) else each for key, each in known.items()})


def settings_from_environment() -> Settings:
    """T and W from `TUNELINE_SUBMIT_DEADLINE_S` and `TUNELINE_LOOKUP_WINDOW_S`.

    Where unset 60 and 120 s, and on the local service 10 and 5 s.

    Raises:
        UsageError: a value that is no positive number.
    """
    local = google_settings.is_local()
    deadline_s = _seconds("TUNELINE_SUBMIT_DEADLINE_S", _LOCAL_DEADLINE_S if local else Settings.deadline_s)
    return Settings(
        deadline_s=deadline_s,
        window_s=_seconds("TUNELINE_LOOKUP_WINDOW_S", _LOCAL_WINDOW_S if local else Settings.window_s),
        poll_s=max(0.05, min(Settings.poll_s, deadline_s / 30)),
    )


def submit(
    engine: Maker, request: Request, *, fallbacks: Sequence[Request] = (), settings: Settings | None = None
) -> Submission:
    """Adopts the job of this request or makes it: exactly one, however often and by how many it is asked.

    Where quota or capacity is refused to it, at its creation or at its end, the first of `fallbacks` is asked for in
    its place, then the second. They share one ledger, in which an attempt is closed before the next begins: so there is
    one job for all of them together. All must have the request's project and staging.

    Told to stop (SIGTERM or Ctrl-C) on the way, it cancels what this run made, unless `request.on_cancel` is `leave`.

    Raises:
        ServiceError: the service's refusal, or `Unavailable` after several create calls without a clear answer.
        Stopped: the process was told to stop.
    """
    name = of_choices(engine.name, request, fallbacks)
    ledger = Ledger(request.staging, name)
    world = effects.World(
        store=ledger,
        engine=engine,
        clock=effects.SystemClock(),
        request=request,
        fingerprint=name,
        fallbacks=tuple(fallbacks),
    )
    terms = terms_of(engine, request, ledger, name, settings or settings_from_environment())
    terms = replace(terms, choices=1 + len(fallbacks))
    progress = Progress()
    performer = _Performer(world)
    with stoppable():
        try:
            outcome = effects.drive(protocol.submit(terms, progress), performer.perform)
        except KeyboardInterrupt as stopped:
            if request.on_cancel == "cancel":
                _take_back(world, terms, progress, performer, stopped)
            raise
    return Submission(
        name=outcome.name,
        fingerprint=name,
        attempt=outcome.attempt,
        nonce=outcome.nonce,
        adopted=outcome.adopted,
        ours=outcome.ours,
        output_uri=output_uri(request, name, outcome.attempt),
        ledger_uri=ledger.uri,
        on_cancel=request.on_cancel,
        cancelled=tuple(progress.cancelled),
        choice=outcome.choice,
        refused=_refused(ledger, outcome) if outcome.choice else (),
        locations=tuple(dict.fromkeys(each.location for each in (request, *fallbacks))),
    )


def _refused(ledger: Ledger, outcome: Outcome) -> tuple[str, ...]:
    """Why each choice before the outcome's was given up, as the closures of their attempts say."""
    reasons, choice = [], 0
    for number in range(1, outcome.attempt):
        closure = ledger.read(closed_key(number))
        following = Turn.heard(closure).choice
        if following > choice:
            reasons.append(str(closure.get("reason") or ""))
        elif not following:
            reasons.clear()  # what came after it began again at the first choice
        choice = following
    return tuple(reasons)


def output_uri(request: Request, fingerprint: str, attempt: int) -> str:
    """Where the job of an attempt writes: each attempt to its own folder, so that a failed one spoils nothing."""
    return objects.join(request.staging, OUTPUTS, f"{fingerprint}-{attempt}") + "/"


def terms_of(engine: Maker, request: Request, ledger: Ledger, fingerprint: str, settings: Settings) -> Terms:
    """The terms under which this process submits."""

    def claim(attempt: int, nonce: str) -> Claim:
        return Claim(
            fingerprint=fingerprint,
            attempt=attempt,
            nonce=nonce,
            judge_uri=ledger.object_uri(judge_key(attempt)),
            output_uri=output_uri(request, fingerprint, attempt),
        )

    return Terms(
        claim=claim,
        nonce=lambda: secrets.token_hex(8),
        full_name=lambda name: engine.full_name(request.project, request.location, name),
        settings=settings,
        force=request.force,
        run=request.run or f"submission-{secrets.token_hex(8)}",
    )


def _take_back(
    world: effects.World, terms: Terms, progress: Progress, performer: _Performer, stopped: KeyboardInterrupt
) -> None:
    """Cancels what a stopped submission has made; what cannot be done in the time left is noted on the exception."""
    # An outage is not waited out: whoever stopped this process will not wait for it either.
    hasty = replace(terms, settings=Settings(deadline_s=1.0, window_s=2.0, poll_s=0.25))
    try:
        performer.settle(progress)
        effects.drive(extras.withdraw(hasty, progress, grace_s=_GRACE_S), world.perform)
    except errors.ServiceError as error:
        stopped.add_note(f"a job of this run may be left, the next submission of the request will find it: {error}")


class _Performer:
    """Performs effects; a create call in a thread of its own, so that being told to stop does not lose its answer."""

    def __init__(self, world: effects.World) -> None:
        self._world = world
        self._sent: tuple[str, Future[Job]] | None = None

    def perform(self, effect: effects.Effect) -> effects.Answer:
        """See `World.perform`."""
        if not isinstance(effect, effects.Send):
            return self._world.perform(effect)
        future: Future[Job] = Future()
        self._sent = (effect.claim.nonce, future)
        # A daemon: a call that hangs must not keep a stopped process alive.
        threading.Thread(target=self._send, args=(effect, future), name="create", daemon=True).start()
        return future.result()

    def _send(self, effect: effects.Send, future: Future[Job]) -> None:
        try:
            future.set_result(self._world.perform(effect))
        except BaseException as error:  # noqa: BLE001  whatever it is belongs to the thread that waits for it
            future.set_exception(error)

    def settle(self, progress: Progress) -> None:
        """Gives the create call under way a moment to be answered, and notes the job if there is one."""
        if self._sent is None:
            return
        nonce, future = self._sent
        try:
            progress.made[nonce] = future.result(timeout=_GRACE_S).name
        except (TimeoutError, errors.ServiceError):
            return  # no job, or none that is known: looked up by its nonce next


def _seconds(variable: str, default: float) -> float:
    text = os.environ.get(variable, "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise UsageError(
            [Problem(where=variable, what=f"`{text}` is no positive number of seconds", fix=f"unset it ({default:g})")]
        )
    return value
