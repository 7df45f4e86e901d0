"""Outputs of tasks that ran before, reused as Vertex AI Pipelines does: for the same pipeline, component and inputs.

The key is what the service documents: the component's specification (image, command, arguments, environment), its
input values and input artifacts, and its output definitions, within the pipeline of that name; or the key the author
set. Only a task whose `cachingOptions.enableCache` is true is looked up or kept. New data under the same address is
not noticed, here as there: a step that reads such data must not be cached.
https://cloud.google.com/vertex-ai/docs/pipelines/configure-caching
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuneline._version import __version__
from tuneline.local.pipelines.job_file import write_json
from tuneline.local.pipelines.python_tasks import is_ours
from tuneline.local.pipelines.spec import Component, Spec
from tuneline.local.pipelines.state import Task
from tuneline.local.pipelines.wiring import Artifacts


class Cache:
    """The kept outputs of one project and region; `folder` None keeps and finds nothing."""

    def __init__(self, folder: Path | None, spec: Spec) -> None:
        self.folder = folder
        self.spec = spec

    def find(self, task: Task, options: Mapping[str, Any]) -> tuple[dict[str, Any], Artifacts] | None:
        """The outputs of an earlier success, or None; `options` are the task's cachingOptions."""
        path = self._path(task, options)
        if path is None:
            return None
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return kept["outputs"], kept["artifacts"]

    def keep(self, task: Task, options: Mapping[str, Any], *, job: str) -> None:
        """Remember the outputs of a task that has just succeeded; `job` is the name of its pipeline job."""
        path = self._path(task, options)
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        record = {"job": job, "task": task.path, "ended": task.ended}
        write_json(path, {**record, "outputs": task.outputs, "artifacts": task.output_artifacts})

    def _path(self, task: Task, options: Mapping[str, Any]) -> Path | None:
        if self.folder is None or not options.get("enableCache"):
            return None
        return self.folder / f"{self._key(task, options.get('cacheKey', ''))}.json"

    def _key(self, task: Task, given: str) -> str:
        component: Component = self.spec.component(task.component)
        if given:
            content: Any = [self.spec.name, component.name, given]
        else:
            container = self.spec.executor(component)["container"]
            artifacts = {
                name: [[artifact["uri"], artifact.get("metadata", {})] for artifact in found]
                for name, found in task.input_artifacts.items()
            }
            # What our image holds is what is installed here, so its version belongs to the image.
            content = [
                self.spec.name,
                {part: container.get(part) for part in ("image", "command", "args", "env")},
                __version__ if is_ours(container) else "",
                task.inputs,
                artifacts,
                component.body.get("outputDefinitions", {}),
            ]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
