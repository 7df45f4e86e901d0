"""The process of a batch prediction job: `python -m tuneline.local.batch_prediction FOLDER`.

FOLDER holds `task.json`. Each line of the input gives one line of `rows.jsonl` there, in order; a process that is
started again goes on behind the last whole one. At the end the output files are stored, then `summary.json` is written.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tuneline import objects
from tuneline.errors import NotFound, ServiceError, TunelineError
from tuneline.local import prompts
from tuneline.local.definition import load
from tuneline.local.folder import write_json
from tuneline.local.resources.errors import ApiError
from tuneline.local.serving import Answer, Source

TASK, ROWS, SUMMARY = "task.json", "rows.jsonl", "summary.json"
VERSION = "google.cloud.aiplatform.v1."
_LONGEST_LINE = 16 << 20


class Predictor:
    """One model, and how its answers are written: as Gemini's batches are, or as those of uploaded models."""

    def __init__(self, task: dict[str, Any]) -> None:
        from tuneline.trainer.serve import Model

        self.task = task
        self.api = load()
        self.model = Model(task["base"], task["adapter"], stand_in=os.environ.get("TUNELINE_STAND_IN", ""))
        source = Source(base=task["base"], adapter=task["adapter"])
        self.version = prompts.version(task["model"], source, self.model.base.to_dict())

    def row(self, line: bytes) -> tuple[bool, dict[str, Any]]:
        """(whether it was answered, what is written of it)."""
        try:
            value = json.loads(line)
        except ValueError as error:
            refused = ApiError("INVALID_ARGUMENT", f"The line is not JSON: {error}.")
            return self._failed(line.decode("utf-8", "replace").strip(), refused)
        try:
            return True, self._instance(value) if self.task["uploaded"] else self._request(value)
        except ApiError as error:
            return self._failed(value, error)
        except TunelineError as error:
            return self._failed(value, ApiError("INVALID_ARGUMENT", " ".join(str(error).split())))

    def _instance(self, value: Any) -> dict[str, Any]:
        found = self._ask(prompts.of_instance(value, self.task["parameters"], where="instance"))
        return {"instance": value, "prediction": prompts.prediction(found)}

    def _request(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or not isinstance(value.get("request"), dict):
            raise ApiError("INVALID_ARGUMENT", 'The line is no request: {"request": {"contents": […]}}.')
        request = self.api.from_json(value["request"], f"{VERSION}GenerateContentRequest")
        found = self._ask(prompts.of_request(request))
        response = prompts.fill(self.api.new(f"{VERSION}GenerateContentResponse"), request, found, version=self.version)
        return {**value, "status": "", "processed_time": _now(), "response": self.api.to_json(response)}

    def _ask(self, prompt: dict[str, Any]) -> Answer:
        found = self.model.answer(prompt)
        return Answer(**{key: found[key] for key in ("text", "finish", "prompt_tokens", "output_tokens")})

    def _failed(self, value: Any, error: ApiError) -> tuple[bool, dict[str, Any]]:
        if self.task["uploaded"]:
            return False, {"instance": value, "error": {"code": error.number, "message": error.message}}
        kept = value if isinstance(value, dict) else {"request": value}
        status = f"Bad Request: {json.dumps(error.to_json())}"
        return False, {**kept, "status": status, "processed_time": _now(), "response": {}}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def files_of(patterns: list[str]) -> tuple[list[str], list[str]]:
    """(the files that the addresses mean, in order; what is wrong with those that mean none)."""
    found: list[str] = []
    problems = []
    for pattern in patterns:
        head, star, _ = pattern.partition("*")
        if not star:
            matches = [pattern] if objects.exists(pattern) else []
        else:
            # As in gsutil, `*` stays within a folder and `**` does not.
            parts = (re.escape(part).replace(r"\*", "[^/]*") for part in pattern.split("**"))
            wanted = re.compile(".*".join(parts))
            matches = [each.uri for each in objects.list(head) if wanted.fullmatch(each.uri)]
        if not matches:
            problems.append(f"{pattern}: there is no such object in Cloud Storage.")
        found += [uri for uri in matches if uri not in found]
    return found, problems


def lines_of(uris: list[str], problems: list[str]) -> Iterator[bytes]:
    """Every line that is not blank; a file that cannot be read is told in `problems`, and the next one read."""
    for uri in uris:
        try:
            with objects.open_read(uri) as stream:
                while line := stream.readline(_LONGEST_LINE):
                    if line.strip():
                        yield line
        except (NotFound, ServiceError) as error:
            problems.append(f"{uri}: {error}")


def done_before(path: Path) -> int:
    """How many whole rows an earlier process left; a last one that was cut is taken off."""
    if not path.exists():
        return 0
    with path.open("r+b") as file:
        count = end = 0
        for line in file:
            if not line.endswith(b"\n"):
                break
            count, end = count + 1, end + len(line)
        file.truncate(end)
    return count


def run(folder: Path) -> None:
    """Answer what is not answered yet, store the output, write the summary."""
    task = json.loads((folder / TASK).read_text())
    uris, problems = files_of(task["files"])
    if not uris:
        raise NotFound(" ".join(problems))
    rows = folder / ROWS
    behind = done_before(rows)
    print(f"{len(uris)} files; {behind} rows were answered before", flush=True)
    predictor = Predictor(task)
    print(f"answered by {predictor.version}", flush=True)
    with rows.open("a", encoding="utf-8") as file:
        for number, line in enumerate(lines_of(uris, problems)):
            if number < behind:
                continue
            answered, row = predictor.row(line)
            file.write(json.dumps([answered, row], ensure_ascii=False) + "\n")
            file.flush()
    write_json(folder / SUMMARY, _store(task, folder) | {"unreadable": problems, "output": task["output"]})


def _store(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Put the rows where the service puts them: Gemini's in one file, an uploaded model's failures apart."""
    good, bad = ("predictions_0001.jsonl", "errors_0001.jsonl") if task["uploaded"] else ("predictions.jsonl",) * 2
    counts = {True: 0, False: 0}
    why = ""
    for name in (good, bad):
        (folder / name).unlink(missing_ok=True)
    with (folder / ROWS).open(encoding="utf-8") as rows:
        for line in rows:
            answered, row = json.loads(line)
            counts[answered] += 1
            why = why or ("" if answered else str(row.get("status") or row.get("error")))
            with (folder / (good if answered else bad)).open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
    for name in sorted({good, bad}):
        if (folder / name).exists():
            objects.upload_file(folder / name, f"{task['output']}/{name}")
    return {"successful": counts[True], "failed": counts[False], "why": why[:2000]}


def main() -> int:
    """Run, and turn how it ended into an exit code: 0 done, 3 nothing to read, 1 other."""
    from tuneline.trainer import devices

    devices.prepare(os.environ)
    try:
        run(Path(sys.argv[1]))
    except TunelineError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 3 if isinstance(error, NotFound) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
