"""Jobs that should not be: cancelling those that lost, and taking back what a stopped run has begun."""

from __future__ import annotations

from tuneline.jobs import acts
from tuneline.jobs import effects as do
from tuneline.jobs.acts import Rules
from tuneline.jobs.engines import LABEL_NONCE
from tuneline.jobs.terms import Outcome, Progress, Terms


def sweep(terms: Terms, progress: Progress, outcome: Outcome) -> Rules[None]:
    """Cancels every live job of this fingerprint that is not the one its attempt's `N.job` names.

    Jobs of later attempts are left alone: they are somebody's who knows more than we do.
    """
    suspects = {name: progress.claims[nonce].attempt for nonce, name in progress.made.items()}
    for job in (yield from acts.insist(terms, do.Find())):
        if job.state.live:
            suspects.setdefault(job.name, acts.attempt_of(job))
    judged: dict[int, str | None] = {outcome.attempt: outcome.name}
    for name, number in suspects.items():
        if not 0 < number <= outcome.attempt:
            continue
        if number not in judged:
            judged[number] = yield from acts.named(terms, number)
        keep = judged[number]
        if keep is not None and not acts.same(name, keep):
            yield from acts.cancel(terms, progress, name)


def withdraw(terms: Terms, progress: Progress, *, grace_s: float) -> Rules[None]:
    """Takes back what an interrupted submission, or an earlier try of its run, has begun; within about `grace_s`.

    Its jobs are cancelled. Where it cannot know whether its create call had an effect, it decides that the attempt has
    no job.
    """
    for name in progress.made.values():
        yield from acts.cancel(terms, progress, name)
    attempt = (yield from acts.scan(terms)).current
    ours = set(progress.claims)
    for key in attempt.claims:
        claim = yield from acts.read(terms, key)
        if terms.run and claim.get("run") == terms.run:
            ours.add(str(claim.get("nonce")))
    if attempt.claims and ours:
        last = str((yield from acts.read(terms, attempt.claims[-1])).get("nonce"))
        # A younger claim of somebody else's is theirs to see through.
        if last in ours:
            yield from acts.judge_none(terms, attempt.number, last, "withdrawn: the run that asked for it was stopped")
    began = yield do.Now()
    lost = progress.sent - set(progress.made)
    while True:
        for job in (yield from acts.insist(terms, do.Find())):
            if job.labels.get(LABEL_NONCE, "") in ours:
                lost.discard(job.labels[LABEL_NONCE])
                if job.state.live:
                    yield from acts.cancel(terms, progress, job.name)
        if not lost or (yield do.Now()) - began > grace_s:
            return
        yield from acts.pause(terms, terms.settings.poll_s)
