"""The same compiled pipelines give the same outputs here and under kfp.local, where that can run them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kfp import components, local

from tests.local.pipelines import corpus
from tests.local.pipelines.conftest import Service

CASES = [
    ("linear", {}),
    ("linear", {"word": "it's", "number": 7}),
    ("parameter_types", {}),
    ("artifacts", {}),
    ("nested", {"word": "w"}),
    ("branches", {}),
    ("branches", {"which": "a", "number": 4}),
    ("branches", {"which": "z"}),
    ("loops", {}),
    ("imports", {"origin": "here"}),
]


@pytest.mark.parametrize(("name", "parameters"), CASES, ids=[f"{name}-{len(given)}" for name, given in CASES])
@pytest.mark.filterwarnings("ignore")
def test_outputs_agree_with_kfp_local(
    name: str, parameters: dict[str, Any], shared: Service, compile_pipeline: Callable[[Any], Any], tmp_path: Path
) -> None:
    """Every output of the pipeline is equal under both runners."""
    spec = compile_pipeline(getattr(corpus, name))
    run = shared.run(spec, parameters)
    assert run.state == "SUCCEEDED", run.job.get("error")
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path / "kfp"))
    (path,) = tmp_path.glob("*.yaml")
    theirs = components.load_component_from_file(str(path))(**parameters).outputs
    assert run.outputs == theirs
    assert theirs, "a pipeline without outputs compares nothing"
