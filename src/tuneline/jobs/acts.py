"""The small acts of which the rules are made: each repeats what may be repeated, and nothing else."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from tuneline import errors
from tuneline.jobs import effects as do
from tuneline.jobs.engines import LABEL_ATTEMPT, LABEL_NONCE
from tuneline.jobs.ledger import FIRST, Attempt, Snapshot, Turn, closed_key, judge_key
from tuneline.jobs.model import Job
from tuneline.jobs.terms import Progress, Terms

Result = TypeVar("Result")
Rules = Generator[do.Effect, do.Answer, Result]


def insist(terms: Terms, effect: do.Effect) -> Rules[do.Answer]:
    """Repeats an effect until it is answered; an outage longer than 2T + W ends it with the service's error.

    For every effect but `Send`.
    """
    pause_s, tries, began = terms.settings.poll_s / 4, 0, (yield do.Now())
    while True:
        try:
            return (yield effect)
        except (errors.Unavailable, errors.QuotaExceeded):
            tries += 1
            # Tried more than once: a process that was stopped meanwhile has not seen an outage.
            if tries > 2 and (yield do.Now()) - began > terms.settings.patience_s:
                raise
        yield from pause(terms, pause_s)
        pause_s = min(2 * pause_s, 4 * terms.settings.poll_s)


def pause(terms: Terms, seconds: float) -> Rules[None]:
    """Lets about `seconds` pass: jittered, so that racing submitters do not march in step."""
    yield do.Sleep(seconds * terms.random.uniform(0.75, 1.25))


def scan(terms: Terms) -> Rules[Snapshot]:
    """The ledger as it is now."""
    return (yield from insist(terms, do.Scan()))


def read(terms: Terms, key: str) -> Rules[dict[str, object]]:
    """A ledger object's value. Raises `NotFound`."""
    return (yield from insist(terms, do.Read(key)))


def create_own(terms: Terms, key: str, value: dict[str, object]) -> Rules[bool]:
    """Whether the object is ours: created now, or by a first try of this very call whose answer was lost."""
    if (yield from insist(terms, do.Create(key, value))):
        return True
    return (yield from read(terms, key)) == value


def find(terms: Terms, number: int) -> Rules[list[Job]]:
    """The jobs of one attempt, in whatever state, as far as the list shows them yet."""
    return [job for job in (yield from insist(terms, do.Find())) if attempt_of(job) == number]


def get(terms: Terms, name: str) -> Rules[Job | None]:
    """The job, or None where there is none of that name."""
    try:
        return (yield from insist(terms, do.Get(name)))
    except errors.NotFound:
        return None


def cancel(terms: Terms, progress: Progress, name: str) -> Rules[None]:
    """Cancels a job once."""
    if name in progress.cancelled:
        return
    try:
        yield from insist(terms, do.Cancel(name))
    except errors.NotFound:
        return  # gone is as good as cancelled
    progress.cancelled.append(name)


def judge(terms: Terms, number: int, found: list[Job]) -> Rules[None]:
    """Names the attempt's job; where others were quicker, theirs stands."""
    # Live before ended, old before new: the same choice for everybody who sees the same list.
    best = min(found, key=lambda job: (not job.state.live, job.created is None, str(job.created or ""), job.name))
    verdict = {"nonce": best.labels.get(LABEL_NONCE, ""), "name": best.name}
    yield from insist(terms, do.Create(judge_key(number), verdict))


def judge_none(terms: Terms, number: int, nonce: str, why: str, *, following: Turn = FIRST) -> Rules[bool]:
    """Decides that the attempt has no job and closes it; False where a job had been named before.

    The judge names no nonce, not even that of the claim which ends so: a job of it that lands afterwards finds that
    it is not meant and leaves, or is cancelled by whoever sees it.
    """
    verdict = {"nonce": "", "name": "", "refused": why, "by": nonce, **following.told}
    if not (yield from create_own(terms, judge_key(number), verdict)):
        return False
    yield from close(terms, number, why, following=following)
    return True


def close(terms: Terms, number: int, reason: str, *, run: str = "", following: Turn = FIRST) -> Rules[None]:
    """Closes an attempt that has been judged; the next may begin, and takes the turn `following`."""
    yield from insist(terms, do.Create(closed_key(number), {"reason": reason, "run": run, **following.told}))


def turn_of(terms: Terms, number: int) -> Rules[Turn]:
    """The turn of an attempt, as the closure of the attempt before it says: the same for everybody."""
    if terms.choices == 1 or number == 1:
        return FIRST
    return Turn.heard((yield from read(terms, closed_key(number - 1))))


def named(terms: Terms, number: int) -> Rules[str | None]:
    """The job that an attempt's judge names, '' where it says that there is none, None where nothing is known."""
    try:
        verdict = yield from read(terms, judge_key(number))
    except errors.NotFound:
        return None
    name = str(verdict.get("name") or "")
    return name if name or verdict.get("refused") else None


def run_of(terms: Terms, attempt: Attempt, nonce: str) -> Rules[str]:
    """The run whose claim bears the nonce, or ''."""
    for key in attempt.claims:
        claim = yield from read(terms, key)
        if claim.get("nonce") == nonce:
            return str(claim.get("run") or "")
    return ""


def attempt_of(job: Job) -> int:
    """The attempt that a job's label names; 0 where it names none."""
    text = job.labels.get(LABEL_ATTEMPT, "")
    return int(text) if text.isdecimal() else 0


def same(one: str, other: str) -> bool:
    """Whether two names mean one job: the service may write the project's number where we have its id."""
    return one.rsplit("/", 1)[-1] == other.rsplit("/", 1)[-1]
