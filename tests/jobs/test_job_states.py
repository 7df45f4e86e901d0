"""Every state that a service may send is known, told in words, and rightly taken for an end or not."""

from __future__ import annotations

import pytest

from tuneline import errors
from tuneline.jobs import Job, JobState
from tuneline.jobs.model import parse_time

NAMES = "QUEUED PENDING RUNNING SUCCEEDED FAILED CANCELLING CANCELLED PAUSED EXPIRED UPDATING PARTIALLY_SUCCEEDED"
ENDS = {"SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED"}


def test_the_states_are_those_of_the_official_definition() -> None:
    """Names and numbers are the API's own."""
    from google.cloud.aiplatform_v1.types import JobState as Official

    assert {state.name: state.value for state in JobState} == {
        state.name.removeprefix("JOB_STATE_"): state.value for state in Official
    }


@pytest.mark.parametrize("name", NAMES.split())
def test_a_state_is_read_by_name_and_by_number(name: str) -> None:
    """REST sends names, or numbers where the client asked for them."""
    state = JobState.parse(f"JOB_STATE_{name}")
    assert state.name == name
    assert JobState.parse(state.value) is state
    assert state.terminal == (name in ENDS)
    assert state.words


@pytest.mark.parametrize("value", ["JOB_STATE_OF_NEXT_YEAR", 99, None, "", True])
def test_an_unheard_of_state_is_no_end(value: object) -> None:
    """A word that this version does not know must not end a wait."""
    assert JobState.parse(value) is JobState.UNSPECIFIED
    assert not JobState.parse(value).terminal


def test_a_cancelled_job_on_its_way_out_is_not_live() -> None:
    """CANCELLING is neither an end nor a job to be adopted."""
    assert not JobState.CANCELLING.terminal
    assert not JobState.CANCELLING.live


def test_a_bad_end_is_told_in_the_jobs_own_words() -> None:
    """What the user reads is the job's error text; a lack of capacity has its own exit code."""
    failed = Job(name="jobs/1", state=JobState.FAILED, error="CUDA out of memory")
    with pytest.raises(errors.JobFailed, match=r"jobs/1 failed: CUDA out of memory"):
        failed.raise_unless_succeeded()
    refused = Job(name="jobs/2", state=JobState.FAILED, error="no A100 left", error_code=8)
    with pytest.raises(errors.QuotaExceeded, match="no A100 left"):
        refused.raise_unless_succeeded()
    Job(name="jobs/3", state=JobState.SUCCEEDED).raise_unless_succeeded()


def test_a_detail_is_told_in_words_while_the_job_runs() -> None:
    """Waiting for quota and for capacity are different waits."""
    assert "waiting for capacity" in Job(name="j", state=JobState.PENDING, detail="WAITING_FOR_CAPACITY").words
    assert "something new" in Job(name="j", state=JobState.PENDING, detail="SOMETHING_NEW").words


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [
        ("2026-11-20T10:00:00Z", 0),
        ("2026-11-20T10:00:00.5Z", 500000),
        ("2026-11-20T10:00:00.123456789Z", 123456),
        ("2026-11-20T12:00:00.000001+02:00", 1),
    ],
)
def test_timestamps_of_any_precision_are_read(text: str, microsecond: int) -> None:
    """Protobuf writes 0, 3, 6 or 9 digits."""
    moment = parse_time(text)
    assert moment is not None
    assert (moment.microsecond, moment.utctimetuple().tm_hour) == (microsecond, 10)
    assert parse_time("") is None
