"""The random schedules again, on the local Vertex AI: its real storage, its real jobs, its wire."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.jobs.simulation import EPOCH, SETTINGS, Process, Simulation
from tests.jobs.submitter import request
from tests.jobs.test_schedules import check, schedule
from tuneline import jobs
from tuneline.jobs import Job, Request
from tuneline.jobs.custom_training import CustomTraining
from tuneline.jobs.engines import Claim
from tuneline.jobs.ledger import Ledger, Snapshot
from tuneline.testing import LocalVertex

# The product's times, but fewer looks while somebody else's claim is open.
SELDOM = replace(SETTINGS, poll_s=15.0)


class LocalSchedule(Simulation):
    """Processes and time are simulated, storage and jobs are the local service's: every effect is a call to it."""

    def __init__(self, seed: int, *, config: Path, lag_s: float) -> None:
        super().__init__(seed, lag_s=lag_s, trainer=True, late_s=400.0, settings=SELDOM)
        self.engine = CustomTraining()
        self.request = request(str(config), seed=seed)
        self.fingerprint = jobs.fingerprint(self.engine.name, self.request)
        self.ledger = Ledger(self.request.staging, self.fingerprint)
        self.dated: dict[str, float] = {}
        self.visible: dict[str, float] = {}
        self.watching = 0

    def create(self, key: str, value: Mapping[str, object]) -> bool:
        made = self.ledger.create(key, value)
        if made:
            self.dated[key] = self.now_s
        return made

    def read(self, key: str) -> dict[str, object]:
        return self.ledger.read(key)

    def scan(self) -> Snapshot:
        """What is there is the storage's to say; how old it is, the schedule's, in which hours take moments."""
        created = {key: self.dated.setdefault(key, self.now_s) for key in self.ledger.scan().created}
        return Snapshot(
            created={key: EPOCH + timedelta(seconds=moment_s) for key, moment_s in created.items()},
            server_time=EPOCH + timedelta(seconds=int(self.now_s)),
        )

    def make(self, request: Request, claim: Claim, *, timeout_s: float) -> Job:
        whole = Claim(
            fingerprint=self.fingerprint,
            attempt=claim.attempt,
            nonce=claim.nonce,
            judge_uri=self.ledger.object_uri(f"{claim.attempt}.job"),
            output_uri=f"gs://tuneline-local/out/{self.fingerprint}/",
        )
        job = self.engine.create(self.request, whole, timeout_s=30.0)
        self.visible[job.name] = self.now_s + self.random.uniform(0, self.lag_s)
        return job

    def find(self, project: str, location: str, fingerprint: str) -> list[Job]:
        found = self.engine.find(self.request.project, self.request.location, self.fingerprint)
        return [job for job in found if self.visible[job.name] <= self.now_s]

    def get(self, name: str) -> Job:
        return self.engine.get(name)

    def cancel(self, name: str) -> None:
        self.engine.cancel(name)

    def full_name(self, identifier: str) -> str:
        return self.engine.full_name(self.request.project, self.request.location, identifier)

    def watch(self, process: Process, *, for_s: float = 600.0) -> None:
        """Two of the survivors watch, once a minute: the rest would only ask the same."""
        self.watching += 1
        if self.watching <= 2:
            super().watch(process, for_s=for_s, every_s=60.0)

    @property
    def found(self) -> list[Job]:
        """All jobs of the request."""
        return self.engine.find(self.request.project, self.request.location, self.fingerprint)

    @property
    def live(self) -> list[Job]:
        return [job for job in self.found if job.state.live]


def check_seeds(seeds: range, config: Path) -> dict[str, int]:
    """Runs and checks schedules; says how many calls of each kind they made."""
    total: dict[str, int] = {}
    for seed in seeds:
        count = random.Random(seed).randint(2, 16)
        simulation = schedule(
            seed, submitters=count, world=lambda seed, lag_s: LocalSchedule(seed, config=config, lag_s=lag_s)
        )
        try:
            check(simulation)
            assert len(simulation.live) == 1, "the adopted job is not alive"
        except AssertionError as failure:
            raise AssertionError(f"seed {seed}: {failure}") from failure
        finally:
            for job in simulation.live:
                simulation.engine.cancel(job.name)
        for kind, calls in simulation.calls.items():
            total[kind] = total.get(kind, 0) + calls
    return total


def show(schedules: int, calls: Mapping[str, int]) -> None:
    """The count of calls, for who runs pytest with -s."""
    print(f"calls in {schedules:,} schedules:", ", ".join(f"{kind} {count}" for kind, count in sorted(calls.items())))


def test_random_schedules_end_with_one_job_on_the_local_service(here: LocalVertex, pipe: Path) -> None:
    """Up to 16 submitters with every fault, on the real wire: one job adopted by all, none left over."""
    before = len(here.calls("CreateCustomJob"))
    calls = check_seeds(range(12), pipe)
    show(12, calls)
    # Some were refused or died on the way, by the schedule's own will.
    assert 12 <= len(here.calls("CreateCustomJob")) - before <= calls["Send"], "a call that no schedule has sent"


@pytest.mark.full
@pytest.mark.timeout(3000)
def test_a_thousand_random_schedules_end_with_one_job(here: LocalVertex, pipe: Path) -> None:
    """The same a thousand times; the count of calls is shown."""
    calls = check_seeds(range(1000, 2000), pipe)
    show(1000, calls)
    assert calls["Send"] < 3 * 1000
