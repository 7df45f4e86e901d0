"""Promise: list filters mean what Google's filter language says, for every type of field."""

from __future__ import annotations

import pytest

from tuneline.local.definition import load
from tuneline.local.resources.errors import ApiError
from tuneline.local.resources.filters import compile_filter

API = load()
JOB = API.from_json(
    {
        "name": "projects/p/locations/r/customJobs/12",
        "displayName": 'night "run"',
        "state": "JOB_STATE_RUNNING",
        "createTime": "2026-05-01T10:00:00Z",
        "labels": {"team": "search", "google-vertex-llm-tuning-base-model-id": "text-bison-002"},
        "error": {"code": 3},
    },
    "google.cloud.aiplatform.v1beta1.CustomJob",
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        'display_name="night \\"run\\""',
        'displayName="night*"',
        'displayName:"RUN"',
        "state=JOB_STATE_RUNNING",
        'state="JOB_STATE_RUNNING" AND labels.team=search',
        "labels.team:*",
        "labels.team:sear",
        "labels.google-vertex-llm-tuning-base-model-id:*",
        "state=JOB_STATE_FAILED OR labels.team=search",
        "NOT state=JOB_STATE_FAILED",
        "-state=JOB_STATE_FAILED",
        "(state=JOB_STATE_FAILED OR state=JOB_STATE_RUNNING) AND error.code>2",
        'create_time>"2026-04-30T00:00:00Z"',
        "create_time<=2026-05-01T10:00:00Z",
        "state!=JOB_STATE_FAILED labels.team=search",
        "customjob=12",
    ],
)
def test_it_finds(text):
    """One job that fits."""
    assert compile_filter(text)(JOB) is True


@pytest.mark.parametrize(
    "text",
    [
        "display_name=night",
        "state=JOB_STATE_FAILED",
        "labels.team=ads",
        "labels.other:*",
        "NOT labels.team:*",
        "error.code<3",
        'create_time>"2026-06-01T00:00:00Z"',
        "state=JOB_STATE_RUNNING AND labels.team=ads",
    ],
)
def test_it_leaves_out(text):
    """One job that does not fit."""
    assert compile_filter(text)(JOB) is False


@pytest.mark.parametrize("text", ["state", "state=", "(state=X", "nothing=1", "state=X)", '="x"', "create_time>soon"])
def test_what_is_no_filter_is_refused(text):
    """With the filter's text in the message."""
    with pytest.raises(ApiError) as refused:
        compile_filter(text)(JOB)
    assert refused.value.code == "INVALID_ARGUMENT"
