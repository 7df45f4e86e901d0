"""A task runs again only where the service would run it again."""

from __future__ import annotations

from pathlib import Path

from tests.local.pipelines import corpus
from tests.local.pipelines.conftest import Service, compiled


def test_the_same_task_with_the_same_inputs_is_not_run_again(shared: Service, tmp_path: Path) -> None:
    """The second run has the first one's outputs, artifacts included, and its tasks are SKIPPED."""
    spec = compiled(corpus.counted, tmp_path, caching=True)
    first = shared.run(spec, {"folder": str(tmp_path)})
    second = shared.run(spec, {"folder": str(tmp_path)})
    assert first.outputs == second.outputs == {"runs": 1, "text": "w1"}
    assert (first.tasks["count"]["state"], second.tasks["count"]["state"]) == ("SUCCEEDED", "SKIPPED")
    assert second.tasks["count"]["execution"]["state"] == "CACHED"
    assert second.tasks["count"]["outputs"] == first.tasks["count"]["outputs"]
    assert second.state == "SUCCEEDED"


def test_other_inputs_another_pipeline_or_no_caching_run_it_again(shared: Service, tmp_path: Path) -> None:
    spec = compiled(corpus.counted, tmp_path, caching=True)
    parameters = {"folder": str(tmp_path)}
    assert shared.run(spec, parameters).outputs["runs"] == 1
    assert shared.run(spec, {**parameters, "word": "v"}).outputs == {"runs": 2, "text": "v2"}
    renamed = {**spec, "pipelineInfo": {"name": "renamed"}}
    assert shared.run(renamed, parameters).outputs["runs"] == 3
    for task in spec["root"]["dag"]["tasks"].values():
        task["cachingOptions"] = {"enableCache": False}
    assert shared.run(spec, parameters).outputs == {"runs": 4, "text": "w4"}


def test_a_key_of_the_authors_own_decides_alone(shared: Service, tmp_path: Path) -> None:
    """`set_caching_options(cache_key=...)`: other inputs under the same key are the same task."""
    spec = compiled(corpus.counted, tmp_path, caching=True)
    spec["root"]["dag"]["tasks"]["count"]["cachingOptions"] = {"enableCache": True, "cacheKey": str(tmp_path)}
    assert shared.run(spec, {"folder": str(tmp_path)}).outputs["runs"] == 1
    assert shared.run(spec, {"folder": str(tmp_path), "word": "v"}).outputs["runs"] == 1


def test_a_failure_is_never_kept(shared: Service, tmp_path: Path) -> None:
    spec = compiled(corpus.retried, tmp_path, caching=True)
    parameters = {"folder": str(tmp_path), "times": 4}
    assert shared.run(spec, parameters).state == "FAILED"
    assert shared.run(spec, parameters).outputs == {"Output": 5}
