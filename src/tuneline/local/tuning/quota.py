"""How many tuning jobs of a project run at a time: the quota "Global concurrent tuning jobs", over all regions.

Without a quota, which is how a service starts, only this machine's own slots are a limit. Above it a job waits, PENDING
and WAITING_FOR_QUOTA, and goes on in the order in which it was made; or its create is refused, where that is asked for.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

from tuneline.local.resources.errors import ApiError, invalid
from tuneline.local.resources.names import part

METRIC = "aiplatform.googleapis.com/global_concurrent_tuning_jobs"
WAIT, REFUSE = "wait", "refuse"
EVERY = ""
"""As a project: all that have no quota of their own."""
_FACT = "quota/tuning_jobs"


@dataclass(frozen=True, kw_only=True)
class Quota:
    """A project's limit; 0 is none."""

    limit: int = 0
    above: str = WAIT


class Quotas:
    """The limits, kept on disk, and who waits for them."""

    def __init__(self) -> None:
        self._queues: dict[str, list[str]] = {}
        """Job names of a project, those that run first, then those that wait, in the order in which they came."""
        self._changed = asyncio.Event()

    def list(self, service: Any) -> dict[str, Quota]:
        """Each project's limit."""
        return {project: Quota(**each) for project, each in json.loads(service.store.fact(_FACT) or "{}").items()}

    def of(self, service: Any, project: str) -> Quota:
        """The limit that counts for a project."""
        known = self.list(service)
        return known.get(project) or known.get(EVERY) or Quota()

    def set(self, service: Any, project: str, quota: Quota) -> None:
        """Keep a limit; jobs that wait look again."""
        kept = {name: asdict(each) for name, each in {**self.list(service), project: quota}.items()}
        service.store.set_fact(_FACT, json.dumps(kept))
        self.look_again()

    def to_json(self, service: Any) -> dict[str, Any]:
        """All limits, as the service's own API answers them."""
        return {"quotas": [{"project": name, **asdict(each)} for name, each in sorted(self.list(service).items())]}

    def set_json(self, service: Any, value: Any) -> None:
        """Keep the limit of a request `{"limit", "above", "project"}`; raises ApiError where it is none."""
        if not isinstance(value, dict) or not set(value) <= {"limit", "above", "project"}:
            raise invalid("quota", 'is an object: {"limit": 1, "above": "wait", "project": "my-project"}.')
        limit, above, project = value.get("limit"), value.get("above", WAIT), value.get("project", EVERY)
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
            raise invalid("limit", "how many tuning jobs may run at a time: a whole number, 0 for no limit.")
        if above not in (WAIT, REFUSE):
            raise invalid("above", f"what becomes of a job above the limit: '{WAIT}' or '{REFUSE}'.")
        if not isinstance(project, str):
            raise invalid("project", "a project's id; leave it out for all that have no quota of their own.")
        self.set(service, project, Quota(limit=limit, above=above))

    def check(self, service: Any, job_name: str, live: int) -> None:
        """Refuse a job that would be one too many, where the project's quota refuses; `live` are those there are."""
        project = part(job_name, "projects")
        quota = self.of(service, project)
        if quota.limit and quota.above == REFUSE and live >= quota.limit:
            raise ApiError(
                "RESOURCE_EXHAUSTED",
                f"The following quota metrics exceed quota limits: {METRIC}",
                reason="RATE_LIMIT_EXCEEDED",
                metadata={"quota_metric": METRIC, "quota_limit_value": str(quota.limit), "consumer": project},
            )

    def waits(self, service: Any, job_name: str) -> bool:
        """Whether a job waits for the quota."""
        project = part(job_name, "projects")
        limit, queue = self.of(service, project).limit, self._queues.get(project, [])
        return bool(limit) and job_name in queue[limit:]

    def look_again(self) -> None:
        """Wake all who wait: a limit, or a job that waits, has changed."""
        self._changed.set()
        self._changed = asyncio.Event()

    def enter(self, job_name: str) -> None:
        """Take the last place of the project's queue."""
        self._queues.setdefault(part(job_name, "projects"), []).append(job_name)

    @asynccontextmanager
    async def room(self, service: Any, job_name: str, wanted: Callable[[], bool]) -> AsyncIterator[None]:
        """Hold a place among the project's jobs, entered before; open at once where it is not `wanted` any more."""
        queue = self._queues[part(job_name, "projects")]
        try:
            while wanted() and self.waits(service, job_name):
                await self._changed.wait()
            yield
        finally:
            queue.remove(job_name)
            self.look_again()
