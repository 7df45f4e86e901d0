"""What runs leave behind in a staging folder, and which of it nothing needs any more.

Outputs of jobs are no leftovers: models of the registry are made of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tuneline import jobs, objects, registry
from tuneline.errors import NotFound
from tuneline.jobs.ledger import FOLDER as LEDGERS
from tuneline.jobs.ledger import Ledger, judge_key
from tuneline.objects import ObjectInfo
from tuneline.registry.versions import ModelVersions
from tuneline.runs.schedules import Schedules
from tuneline.runs.tuning_jobs import ENGINES

STAGED = {
    "data": "staged data",
    "configs": "configuration of a job",
    "uploads": "uploaded dataset",
    "predictions": "predictions of a model",
}
"""Folder below `<staging>/tuneline` → what lies there, under names made of the content or of the request."""

LONGEST_S = 14 * 86400.0
"""No custom job of ours lives longer: a week of running, after a wait for its machines."""

SUBMITTING_S = 3600.0
"""So long a claim without a job may still become one; the rules themselves take minutes."""


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """Objects that belong together, and may go together."""

    uri: str
    what: str
    objects: tuple[str, ...]
    size: int
    """Bytes."""
    age_s: float
    """Of its youngest object, by the storage's clock."""
    kept: str = ""
    """Why it must stay; `''` where nothing needs it."""


def find(staging: str, *, older_than_s: float) -> list[Leftover]:
    """Everything in a staging folder that is older than that, and of each why it must stay, if it must.

    A ledger stays while its job lives (its version or schedule is there), staged data while any job of the folder does.
    """
    ledgers = list(_ledgers(staging))
    alive = next((each.kept for each in ledgers if each.kept and each.what == _OF_JOBS), "")
    found = [each for each in ledgers if each.age_s >= older_than_s]
    for folder, what in STAGED.items():
        for info in objects.list(objects.join(staging, "tuneline", folder) + "/"):
            age_s = _age_s(info)
            if age_s >= older_than_s:
                kept = f"a job may still read it: {alive}" if alive else ""
                each = Leftover(uri=info.uri, what=what, objects=(info.uri,), size=info.size, age_s=age_s, kept=kept)
                found.append(each)
    return found


def remove(leftover: Leftover) -> None:
    """Removes its objects; one that is gone already is no error."""
    for uri in leftover.objects:
        try:
            objects.delete(uri)
        except NotFound:
            continue


def checkpoint_endpoints(project: str, region: str, *, older_than_s: float) -> Iterator[str]:
    """The endpoints of ended tuning jobs' checkpoints, but for that of each job's default one.

    The age is that of the job's end, by the service's word and this machine's clock.
    """
    from datetime import UTC, datetime

    for job in jobs.engine("vertex_tuning").list(project, region):
        if not job.state.terminal or not job.ended or (datetime.now(UTC) - job.ended).total_seconds() < older_than_s:
            continue
        tuned = job.raw.get("tunedModel")
        if not isinstance(tuned, dict):
            continue
        for checkpoint in tuned.get("checkpoints") or []:
            endpoint = str(checkpoint.get("endpoint") or "")
            if endpoint and endpoint != tuned.get("endpoint") and _exists(endpoint):
                yield endpoint


def _exists(endpoint: str) -> bool:
    try:
        registry.get_endpoint(endpoint)
    except NotFound:
        return False
    return True


def _ledgers(staging: str) -> Iterator[Leftover]:
    by_fingerprint: dict[str, list[ObjectInfo]] = {}
    root = objects.join(staging, LEDGERS) + "/"
    for info in objects.list(root):
        by_fingerprint.setdefault(info.uri.removeprefix(root).partition("/")[0], []).append(info)
    for fingerprint, infos in by_fingerprint.items():
        age_s = min(_age_s(info) for info in infos)
        what, kept = _needed(Ledger(staging, fingerprint), age_s)
        yield Leftover(
            uri=f"{root}{fingerprint}/",
            what=what,
            objects=tuple(info.uri for info in infos),
            size=sum(info.size for info in infos),
            age_s=age_s,
            kept=kept,
        )


_OF_JOBS = "ledger of a job"
_OF = {"schedules": "ledger of a schedule", "models": "ledger of a model's version"}


def _needed(ledger: Ledger, age_s: float) -> tuple[str, str]:
    """Of what the ledger is, and why it must stay: what its last attempt has made is there and alive, or may yet be."""
    attempt = ledger.scan().current
    if not attempt.judged:
        return _OF_JOBS, f"{ledger.uri} is of a submission under way" if attempt.claims and age_s < SUBMITTING_S else ""
    name = str(ledger.read(judge_key(attempt.number)).get("name") or "")
    if not name:
        return _OF_JOBS, ""
    if "/" not in name:
        unseen = f"job {name} was named by its trainer alone, and cannot be looked up"
        return _OF_JOBS, unseen if age_s < LONGEST_S else ""
    what, maker = _OF.get(name.split("/")[-2], _OF_JOBS), _maker(name)
    if maker is None:
        return what, f"{name} is of a kind that this version does not know"
    try:
        job = maker.get(name)
    except NotFound:
        return what, ""
    return what, "" if job.state.terminal else f"{name} is {job.state.words}"


def _maker(name: str) -> jobs.Maker | None:
    kind = name.split("/")[-2]
    for engine, collection in ENGINES.items():
        if kind == collection:
            return jobs.engine(engine)
    return {"schedules": Schedules(), "models": ModelVersions(name.partition("@")[0])}.get(kind)


def _age_s(info: ObjectInfo) -> float:
    return (info.server_time - info.created).total_seconds()
