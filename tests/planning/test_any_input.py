"""Whatever JSON a body holds, planning answers with problems or a plan, never with a crash."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.planning.conftest import found, request_of
from tests.planning.test_managed import request_of as managed_request_of
from tuneline import catalog, errors, planning
from tuneline.planning import parameters

_QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
_KEY = "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k"
_INTERESTING = st.sampled_from(
    [
        *("", " ", "$X", "PROJECT_ID", "gs://", "gs://b", "gs://bucket/x.jsonl", "gs://bucket/", "true", "TPU", "GPU"),
        *("us-central1", "europe-west4", "spot", "flex_start", "custom_training", "32k", "8k", "20", "1e3", "cancel"),
        *(m.name for m in catalog.models()),
        *(s.name for s in catalog.slices()),
        _KEY,
        "projects/p/locations/us-central1/tensorboards/1",
    ]
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | _INTERESTING,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
_NAMES = sorted({p.name for entries in parameters.TEMPLATES.values() for p in entries})
_REQUESTS = st.dictionaries(st.sampled_from(_NAMES) | st.text(max_size=20), _JSON, max_size=8)
_FACT = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "uri": st.just("gs://bucket/x.jsonl"),
        "format": st.sampled_from(["palm-text", "palm-chat", "gemini", "unknown", "", None]),
        "container": st.sampled_from(["jsonl", "json-array", "broken", "", None]),
        "examples": st.sampled_from([0, 1, 9, 10, 240, 251, 20_000, None]),
        "errors": st.sampled_from([0, 3, None]),
        "counts": st.sampled_from([{}, {"D301": 3}, {"D501": 1}, None]),
        "author_fields": st.sampled_from([0, 20_000, None]),
        "tokens": st.sampled_from([0, 12345, {"total": 5, "error": 0.2}, {}, None]),
        "findings": st.sampled_from([[], ["line 1: bad"], [{"code": "D301", "line": 1, "message": "bad"}], None]),
        "error": st.sampled_from(["", "not found", None]),
    },
)


@given(
    template=st.sampled_from([*parameters.TEMPLATES, "tune-nothing"]),
    changes=_REQUESTS,
    explicit=st.booleans(),
    region=st.sampled_from(["", "us-central1", "europe-west4", "mars"]),
    key=st.sampled_from(["", _KEY, "k"]),
)
@settings(max_examples=150, deadline=None, suppress_health_check=_QUIET)
def test_a_request_is_judged_whatever_it_holds(
    template: str, changes: dict[str, Any], explicit: bool, region: str, key: str
) -> None:
    values = request_of() | changes
    given_names = set(values) if explicit else None
    problems = planning.check_request(template, values, given=given_names, region=region, encryption_key=key)
    assert all(p.where and p.what for p in problems)


@given(
    template=st.sampled_from([*parameters.TEMPLATES]),
    changes=st.dictionaries(st.sampled_from(_NAMES), _INTERESTING | _JSON, max_size=2),
    train=st.just(found()) | _FACT,
    evaluation=st.just(found(examples=20)) | _FACT,
    test=_FACT,
)
@example(
    template="tune-large-model", changes={}, train={"format": "palm-text", "examples": 240}, evaluation=None, test=None
)
@settings(max_examples=150, deadline=None, suppress_health_check=_QUIET)
def test_a_request_and_its_data_end_in_a_plan_or_in_an_error_of_ours(
    template: str, changes: dict[str, Any], train: Any, evaluation: Any, test: Any
) -> None:
    facts = {"train": train, "evaluation": evaluation, "test": test}
    try:
        request = managed_request_of(template) if "gemini" in template else request_of()
        made = planning.plan(request | changes, facts, region="us-central1", template=template)
    except (errors.ProblemsError, errors.OverCostLimit):
        return
    assert planning.Plan.from_dict(json.loads(json.dumps(made.to_dict()))) == made
    assert planning.render(made)
