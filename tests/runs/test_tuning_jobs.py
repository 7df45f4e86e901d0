"""What a job has cost so far is told as far as the catalogue knows, and never guessed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tuneline import catalog
from tuneline.jobs import Job, JobState
from tuneline.runs import tuning_jobs

NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The real service, and a catalogue of the user's own that a test may write."""
    monkeypatch.delenv("TUNELINE_LOCAL_URL", raising=False)
    path = tmp_path / "catalog.toml"
    path.write_text("")
    monkeypatch.setenv("TUNELINE_CATALOG", str(path))
    return path


def job(kind: str = "customJobs", *, hours: float | None = 2.0, **raw: object) -> Job:
    started = None if hours is None else NOW - timedelta(hours=hours)
    ended = None if hours is None else NOW
    name = f"projects/p/locations/us-central1/{kind}/1"
    return Job(name=name, state=JobState.RUNNING, started=started, ended=ended, raw=raw)


def custom(machine: dict[str, object], hours: float | None = 2.0) -> Job:
    return job(hours=hours, jobSpec={"workerPoolSpecs": [{"machineSpec": machine}]})


def machines() -> dict[str, object]:
    return dict(catalog.slice("gpu-8xa100-80gb").machine_spec)


def test_machines_are_billed_by_the_hour_where_their_price_is_known(own: Path) -> None:
    """Two hours at 40 USD; without a price the hours alone."""
    assert "for 2.00 hours, whose price is not known" in tuning_jobs.billed(custom(machines()))
    own.write_text("[slices.gpu-8xa100-80gb.price]\nusd_per_hour = 40\n")
    assert "about 80.00 USD" in tuning_jobs.billed(custom(machines()))


def test_what_has_not_begun_has_cost_nothing() -> None:
    """A job that waits for its machines."""
    assert "no machine time is billed" in tuning_jobs.billed(custom(machines(), hours=None))


def test_machines_that_are_no_slice_have_no_known_cost() -> None:
    """Somebody else's job."""
    assert "not known here" in tuning_jobs.billed(custom({"machineType": "n1-standard-4"}))


def test_a_managed_job_is_billed_by_its_tokens() -> None:
    """By the model's price, not by its hours."""
    said = tuning_jobs.billed(job("tuningJobs", baseModel="gemini-2.5-flash"))
    assert "by training tokens, 5 USD a million" in said
    assert "USD" not in tuning_jobs.billed(job("tuningJobs", baseModel="gemini-3.5-flash-lite"))
