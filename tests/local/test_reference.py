"""Promise: the page says what the service does, and is the one that the service's own definitions give."""

from __future__ import annotations

from pathlib import Path

from tuneline.local.definition import load
from tuneline.local.redirect import REASONS, environment
from tuneline.local.reference import document, how

PAGE = Path(__file__).parents[2] / "docs" / "local-vertex.md"
V = "google.cloud.aiplatform.v1beta1."


def test_the_page_is_up_to_date():
    """Made again by: python -m tuneline.local.reference docs/local-vertex.md"""
    assert PAGE.read_text(encoding="utf-8") == document()


def test_what_has_a_meaning_is_told_from_what_is_only_kept():
    """And from what is not there."""
    api = load()
    document()
    assert how(api, api.methods[V + "JobService.CreateCustomJob"]) == "real"
    assert how(api, api.methods[V + "MetadataService.CreateContext"]) == "record"
    assert how(api, api.methods[V + "PipelineService.CreateTrainingPipeline"]) == ""
    assert how(api, api.methods[V + "FeaturestoreService.CreateFeaturestore"]) == ""
    assert how(api, api.methods[V + "FeatureRegistryService.CreateFeatureMonitorJob"]) == ""


def test_every_variable_of_the_environment_has_its_reason(tmp_path):
    """A spelling in capitals shares that of the small one."""
    given = set(environment("http://127.0.0.1:1", tmp_path)) - {"NO_PROXY"}
    assert given == set(REASONS)
