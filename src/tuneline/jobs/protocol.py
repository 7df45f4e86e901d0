"""The rules by which one request becomes one job: pure, as generators that yield effects and are sent the answers.

Read `docs/exactly-once.md` first. In one sentence: whoever creates an attempt's claim may send one create call, whoever
first knows of a job writes `N.job`, and that object alone says which job is the attempt's job.
"""

from __future__ import annotations

from dataclasses import replace

from tuneline import errors
from tuneline.jobs import acts
from tuneline.jobs import effects as do
from tuneline.jobs.acts import Rules
from tuneline.jobs.engines import LABEL_NONCE, Claim
from tuneline.jobs.extras import sweep
from tuneline.jobs.ledger import FIRST, Attempt, Snapshot, Turn, judge_key
from tuneline.jobs.model import Job, JobState
from tuneline.jobs.terms import Outcome, Progress, Terms

# A create call that was turned away for lack of quota is worth another attempt, but not for ever.
_QUOTA_TRIES = 3
# So many create calls of one submission may end without a clear answer; then the user hears of it.
_UNCLEAR_TRIES = 3

FORCED = "forced"
"""The reason of an attempt that was closed because a new job was wanted."""


def submit(terms: Terms, progress: Progress) -> Rules[Outcome]:
    """Adopts the job of this request, or makes it.

    Raises:
        ServiceError: the service's definite refusal, or `Unavailable` where no clear answer was to be had.
    """
    while True:
        snapshot = yield from acts.scan(terms)
        attempt = snapshot.current
        if attempt.judged:
            outcome = yield from _obey(terms, progress, snapshot, attempt)
            if outcome is not None:
                return outcome
            continue
        progress.watched.add(attempt.number)
        if not attempt.claims or snapshot.age_s(attempt.claimed) > terms.settings.patience_s:
            yield from _claim(terms, progress, attempt)
            continue
        # A claim is young: its create call may be under way. A job that shows up settles it.
        found = yield from acts.find(terms, attempt.number)
        if found:
            yield from acts.judge(terms, attempt.number, found)
        else:
            yield from acts.pause(terms, terms.settings.poll_s)


def refused(error: errors.ServiceError) -> bool:
    """Whether the answer to a create call proves that it made nothing.

    5xx, 408, 499, ABORTED and no answer at all leave it open; they are all `Unavailable`.
    """
    if isinstance(error, errors.Unavailable):
        return False
    # Without credentials nothing is sent, so nothing is answered: that refusal has no status.
    return isinstance(error, errors.NotPermitted) or 400 <= error.status < 500


def _claim(terms: Terms, progress: Progress, attempt: Attempt) -> Rules[None]:
    """Makes the next claim of an attempt, and where that succeeds sends its create call."""
    turn = yield from acts.turn_of(terms, attempt.number)
    began = yield do.Now()
    key, claim = attempt.next_claim, replace(terms.claim(attempt.number, terms.nonce()), choice=turn.choice)
    progress.claims[claim.nonce] = claim
    if not (yield from acts.create_own(terms, key, {"nonce": claim.nonce, "run": terms.run})):
        del progress.claims[claim.nonce]
        return
    now = (yield from acts.scan(terms)).attempt(attempt.number)
    if now.judged or now.claims[-1:] != (key,):
        return  # it was decided, or we were presumed dead: look again
    found = yield from acts.find(terms, attempt.number)
    if found:
        yield from acts.judge(terms, attempt.number, found)
        return
    if (yield do.Now()) - began > terms.settings.deadline_s:
        return  # too late to send; our claim will be taken over, perhaps by us
    progress.sent.add(claim.nonce)
    try:
        job = yield do.Send(claim, terms.settings.deadline_s)
    except errors.ServiceError as error:
        yield from _unmade(terms, progress, claim, error, turn=turn, first=len(now.claims) == 1)
        return
    progress.made[claim.nonce] = job.name
    yield from acts.insist(terms, do.Create(judge_key(claim.attempt), {"nonce": claim.nonce, "name": job.name}))


def _unmade(
    terms: Terms, progress: Progress, claim: Claim, error: errors.ServiceError, *, turn: Turn, first: bool
) -> Rules[None]:
    """Settles a create call that brought no job: closes the attempt, or leaves its job to be looked up."""
    if not refused(error):
        progress.unclear += 1
        if progress.unclear >= _UNCLEAR_TRIES:
            raise error
        return  # the claim is ours and young: its job may still show up
    began = yield do.Now()
    # An earlier claim's call may have had an effect that no list shows yet, and the refusal may even come from it
    # (one job a project at a time). The first claim has no earlier one.
    while not first and (yield do.Now()) - began <= terms.settings.window_s:
        found = yield from acts.find(terms, claim.attempt)
        if found:
            yield from acts.judge(terms, claim.attempt, found)
            return
        yield from acts.pause(terms, terms.settings.poll_s)
    if turn.choice != progress.choice:
        progress.choice, progress.refusals = turn.choice, 0
    scarce, why = isinstance(error, errors.QuotaExceeded), f"refused: {error}"
    # The tries of a choice are counted in the ledger: sixteen that race make three together, not each.
    onward = scarce and turn.tries + 1 >= _QUOTA_TRIES and turn.choice + 1 < terms.choices
    again = scarce and not onward and progress.refusals + 1 < _QUOTA_TRIES
    following = FIRST
    if onward:
        following = Turn(choice=turn.choice + 1)
    elif again and terms.choices > 1:
        following = Turn(choice=turn.choice, tries=turn.tries + 1)
    if not (yield from acts.judge_none(terms, claim.attempt, claim.nonce, why, following=following)):
        return  # somebody knew of a job
    progress.refusals += 1
    if again:
        yield from acts.pause(terms, terms.settings.deadline_s / 16 * 2**progress.refusals)
    elif not onward:
        raise error


def _obey(terms: Terms, progress: Progress, snapshot: Snapshot, attempt: Attempt) -> Rules[Outcome | None]:
    """Does what the attempt's judge says: adopts the job named there, or closes the attempt (None)."""
    verdict = yield from acts.read(terms, judge_key(attempt.number))
    nonce, refusal = str(verdict.get("nonce") or ""), str(verdict.get("refused") or "")
    mine = nonce in progress.claims
    name, job = "", None
    if not refusal:
        name = yield from _resolve(terms, progress, str(verdict.get("name") or ""), nonce)
        job = (yield from acts.get(terms, name)) if name else None
        judged_s = snapshot.age_s(snapshot.created[judge_key(attempt.number)])
        if job is None and judged_s <= terms.settings.window_s:
            # What was just made may not be readable everywhere yet.
            yield from acts.pause(terms, terms.settings.poll_s)
            return None
    ours = mine or (bool(terms.run) and (yield from acts.run_of(terms, attempt, nonce)) == terms.run)
    known = mine or attempt.number in progress.watched
    turn = yield from acts.turn_of(terms, attempt.number)
    reason = refusal or (yield from _why_not(terms, snapshot, job, ours=ours, known=known))
    if reason:
        following = Turn.heard(verdict)
        starved = reason != FORCED and job is not None and job.capacity_refused
        if starved and turn.choice + 1 < terms.choices:
            following = Turn(choice=turn.choice + 1)
        yield from acts.close(terms, attempt.number, reason, run=terms.run, following=following)
    outcome = Outcome(name=name, attempt=attempt.number, nonce=nonce, adopted=not mine, ours=ours, choice=turn.choice)
    yield from sweep(terms, progress, outcome)
    return None if reason else outcome


def _why_not(terms: Terms, snapshot: Snapshot, job: Job | None, *, ours: bool, known: bool) -> Rules[str]:
    """Why the attempt's job does not stand for the request, or '' where it does."""
    if job is None:
        return "no such job"
    if terms.force and not ours and not (yield from _forced_before(terms, snapshot)):
        return FORCED
    if known or job.state.live:
        return ""
    if job.state is JobState.SUCCEEDED:
        return "" if (yield from acts.insist(terms, do.Intact(job))) else "its result is gone"
    return job.words


def _forced_before(terms: Terms, snapshot: Snapshot) -> Rules[bool]:
    """Whether this run has forced an attempt already: then what came after it is new enough."""
    for key in snapshot.closures:
        closure = yield from acts.read(terms, key)
        if closure.get("reason") == FORCED and closure.get("run") == terms.run:
            return True
    return False


def _resolve(terms: Terms, progress: Progress, name: str, nonce: str) -> Rules[str]:
    """The full name of the judged job; the trainer may have known its job's id only, or nothing but its nonce."""
    if name:
        return terms.full_name(name)
    if nonce in progress.made:
        return progress.made[nonce]
    for job in (yield from acts.insist(terms, do.Find())):
        if job.labels.get(LABEL_NONCE) == nonce:
            return job.name
    return ""
