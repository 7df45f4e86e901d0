"""Watching many jobs at once: one listing an interval, however many they are."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import replace

from tuneline import errors
from tuneline.google import settings as google_settings
from tuneline.jobs import effects
from tuneline.jobs.engines import Engine
from tuneline.jobs.model import Job
from tuneline.jobs.waiting import LOCAL_PACE, Pace


def watch(
    engine: Engine,
    project: str,
    location: str,
    names: Collection[str] = (),
    *,
    deadline_s: float,
    on_change: Callable[[Job], None],
    on_note: Callable[[str], None] | None = None,
    pace: Pace | None = None,
    clock: effects.Clock | None = None,
) -> dict[str, Job]:
    """The last known state of each job, once all have ended.

    One list call an interval and region (and one more for each thousand jobs there), where a `wait` for each would be
    a call a job. A job is kept without the resource behind it, so that thousands cost little memory.

    Args:
        names: the jobs to watch; none: all that the first listing finds alive.
        on_change: called with a job when it is first seen and whenever its state has changed.

    Raises:
        StillRunning: the deadline passed; says how many go on.
        JobFailed: jobs that were deleted while they were watched, after all others have ended.
        Unavailable: no answer for longer than an outage may last.
    """
    clock, pace = clock or effects.SystemClock(), pace or (LOCAL_PACE if google_settings.is_local() else Pace())
    jitter = random.Random()
    began = answered = clock.now()
    wanted, seen, pause = set(names), dict[str, Job](), pace.first_s
    gone: set[str] = set()
    while True:
        try:
            listed = {job.name: replace(job, raw={}) for job in engine.list(project, location)}
            wanted = wanted or {name for name, job in listed.items() if not job.state.terminal}
            gone = {name for name in wanted - set(listed) if not _there(engine, name, seen)}
            answered = clock.now()
        except (errors.Unavailable, errors.QuotaExceeded) as error:
            listed = {}
            if clock.now() - answered > pace.outage_s:
                raise errors.Unavailable(f"no answer for {pace.outage_s:g} s; jobs may be running: {error}") from error
            if on_note:
                on_note(f"the service does not answer, watching on: {error}")
        changed = False
        for name in sorted(wanted & set(listed)):
            job, before = listed[name], seen.get(name)
            seen[name] = job
            if before is None or (before.state, before.detail) != (job.state, job.detail):
                changed = True
                on_change(job)
        running = {name for name in wanted - gone if name not in seen or not seen[name].state.terminal}
        if not running and answered > began:
            break
        left = deadline_s - (clock.now() - began)
        if left <= 0:
            raise errors.StillRunning(f"{len(running)} of {len(wanted)} jobs run on after {deadline_s:g} s")
        pause = pace.first_s if changed else min(pause * pace.growth, pace.longest_s)
        clock.sleep(min(pause * jitter.uniform(0.75, 1.25), left))
    if gone:
        raise errors.JobFailed(f"{len(gone)} jobs were deleted while they were watched: {', '.join(sorted(gone))}")
    return seen


def _there(engine: Engine, name: str, seen: dict[str, Job]) -> bool:
    """Whether a job that the listing lacks exists: a list may lag behind what was made, and ended jobs are known."""
    if name in seen and seen[name].state.terminal:
        return True
    try:
        engine.get(name)
    except errors.NotFound:
        return False
    return True
