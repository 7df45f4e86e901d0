"""Predictions by calls: one an example, several at once at a bounded rate, and gone on with where they were cut off.

The file is the trainer's (`docs/trainer.md`, a row an example), so that scoring is one code; what a served model cannot
say, the teacher-forced loss, is null. Its folder is named by what it holds: the same model over the same rows is
predicted once, whichever step or run asks.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from tuneline import datasets, errors, objects
from tuneline.datasets import Example
from tuneline.google import rest, settings

FOLDER = "tuneline/predictions"
AT_ONCE = 8
PER_MINUTE = 300
"""Calls begun a minute unless the request says otherwise: below the least quota that a model on demand has had."""
PART = 40
"""Rows of one part: so many are predicted again at most, where a step was cut off."""
PATIENCE_S = 300.0
"""What one row is given, tries and pauses together. Asking again changes nothing, and costs one more answer."""
ERRORS_BORNE = 0.1
"""Share of rows that may fail before the predictions as a whole do."""

# A model that thinks spends its output tokens on that too; the local model does not think.
_THOUGHTS = 2048
_LEAST = 16


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The answers of one model to one dataset that are wanted."""

    project: str
    location: str
    staging: str
    """Bucket or folder, as of a job's request."""
    model: str
    """`vertex_tuning`: an endpoint, or `projects/…/publishers/google/models/M`; `gemini_api`: `tunedModels/T` or
    `models/M`; `custom_training`: the adapter's folder, or `''` for the untuned base."""
    data_uri: str
    data_digest: str
    """SHA-256 of the data: what is named by it is the same data for ever."""
    format: str = ""
    limit: int = 0
    """Rows at most, spread evenly over the set; 0: all. An engine that predicts by a job takes all."""
    per_minute: int = 0
    """Calls a minute; 0: `PER_MINUTE`, on the local service as many as it can."""
    plan: Mapping[str, Any] = field(default_factory=dict)
    """`custom_training`: the plan whose slice, image and base the job takes."""
    beside: tuple[str, ...] = ()
    """`custom_training`: further models that the same job predicts by, so that asking for them next costs nothing."""
    run: str = ""
    """Who asks, as in a job's request."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a model said."""

    text: str
    finish: str
    """`stop`, `length`, or the service's own word in lower case."""


Ask = Callable[[Example, int], Answer]
"""One call: the answer to an example's prompt in at most so many tokens. Raises ServiceError."""


def predict(engine: str, wanted: Prediction, ask: Ask) -> str:
    """The URI of the predictions, a row an example; rows that are there already are not asked for again.

    A row whose call the service refuses, or does not answer in spite of repetition, holds the `error` and an empty
    prediction; up to `ERRORS_BORNE` of the rows may.

    Raises:
        NotPermitted, NotFound: the model may not be asked, or is not there: no row would fare better.
        ServiceError: too many rows failed; the first one's error, with how many.
        DatasetError: the data cannot be read.
    """
    folder = objects.join(wanted.staging, FOLDER, _digest(engine, wanted))
    whole = objects.join(folder, "predictions.jsonl")
    if objects.exists(whole):
        return whole
    rows = spread(list(datasets.read_examples(wanted.data_uri, format=wanted.format or None)), wanted.limit)
    longest = max(len(example.response) for _, example in rows)
    most = max(longest + longest // 4, _LEAST) + (0 if settings.is_local() else _THOUGHTS)
    pace = _Pace(wanted.per_minute or (0 if settings.is_local() else PER_MINUTE))

    def answered(index: int, example: Example) -> dict[str, Any]:
        pace.wait()
        return _row(index, example, ask, most)

    done: list[dict[str, Any]] = []
    # Threads wait for answers; the work is the service's.
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="predict") as pool:
        for start in range(0, len(rows), PART):
            part = objects.join(folder, "parts", f"{start:06d}.jsonl")
            done += _part(part, rows[start : start + PART], pool, answered)
    failed = [row for row in done if row.get("error")]
    if len(failed) > ERRORS_BORNE * len(done):
        raise errors.ServiceError(
            f"{len(failed)} of {len(done)} examples were not answered by {wanted.model}; the first, example "
            f"{failed[0]['index']}: {failed[0]['error']}"
        )
    objects.write_bytes(whole, _lines(done))
    return whole


def spread(rows: Sequence[Example], limit: int) -> list[tuple[int, Example]]:
    """At most `limit` of the rows (0: all), evenly spread, each with its place in the whole."""
    count = min(limit, len(rows)) if limit else len(rows)
    places = [number * len(rows) // count for number in range(count)]
    return [(place, rows[place]) for place in places]


def asking(service: str, path: str) -> Ask:
    """The call that asks a model on an endpoint or of the developer API; `path` up to the model's name."""

    def ask(example: Example, most: int) -> Answer:
        body = {**contents(example), "generationConfig": {"temperature": 0, "maxOutputTokens": most}}
        told = rest.call(
            "POST", service, f"{path}:generateContent", body=body, timeout_s=PATIENCE_S, try_s=PATIENCE_S / 2
        )
        return heard(told)

    return ask


def contents(example: Example) -> dict[str, Any]:
    """The prompt of an example as the body of a `generateContent` call."""
    system = [turn.text for turn in example.prompt if turn.role == "system"]
    body: dict[str, Any] = {
        "contents": [
            {"role": "model" if turn.role == "assistant" else "user", "parts": [{"text": turn.text}]}
            for turn in example.prompt
            if turn.role != "system"
        ]
    }
    if system:
        body["systemInstruction"] = {"parts": [{"text": "\n".join(system)}]}
    return body


def heard(told: Mapping[str, Any]) -> Answer:
    """The answer in a GenerateContentResponse.

    Raises:
        InvalidArgument: there is none, since the prompt or the answer was blocked; says by what.
    """
    candidate = (told.get("candidates") or [{}])[0]
    parts = (candidate.get("content") or {}).get("parts") or []
    finish = str(candidate.get("finishReason") or "")
    if not parts and finish not in ("STOP", "MAX_TOKENS"):
        blocked = (told.get("promptFeedback") or {}).get("blockReason") or finish or "no candidate"
        raise errors.InvalidArgument(f"the model gave no answer: {blocked}", status=400)
    text = "".join(str(part.get("text") or "") for part in parts if not part.get("thought"))
    return Answer(text=text, finish={"STOP": "stop", "MAX_TOKENS": "length"}.get(finish, finish.lower()))


def _part(
    uri: str,
    rows: Sequence[tuple[int, Example]],
    pool: ThreadPoolExecutor,
    answered: Callable[[int, Example], dict[str, Any]],
) -> list[dict[str, Any]]:
    """The rows of one part: as they were kept, or asked for now, and kept unless one of them failed."""
    try:
        return [json.loads(line) for line in objects.read_bytes(uri).splitlines()]
    except errors.NotFound:
        asked: list[Future[dict[str, Any]]] = [pool.submit(answered, index, example) for index, example in rows]
    try:
        done = [each.result() for each in asked]
    except BaseException:
        # What has not begun need not; the pool waits for the rest.
        for each in asked:
            each.cancel()
        raise
    if not any(row.get("error") for row in done):
        objects.write_bytes(uri, _lines(done))
    return done


def _row(index: int, example: Example, ask: Ask, most: int) -> dict[str, Any]:
    row: dict[str, Any] = {
        "index": index,
        "input": example.prompt[-1].text if example.prompt else "",
        "expected": example.response,
        "loss": None,
        "tokens": None,
        "correct": None,
    }
    try:
        answer = ask(example, most)
    except (errors.NotPermitted, errors.NotFound):
        raise
    except errors.ServiceError as error:
        return {**row, "prediction": "", "finish": "error", "error": str(error)}
    return {**row, "prediction": answer.text, "finish": answer.finish}


def _digest(engine: str, wanted: Prediction) -> str:
    what = [1, engine, wanted.model, wanted.data_digest, wanted.limit]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:40]


def _lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


class _Pace:
    """Lets calls begin evenly, at most so many a minute; 0: as they come."""

    def __init__(self, per_minute: int) -> None:
        self._gap_s = 60.0 / per_minute if per_minute else 0.0
        self._lock = threading.Lock()
        self._next = time.monotonic()

    def wait(self) -> None:
        """Returns when the next call may begin."""
        with self._lock:
            now = time.monotonic()
            begin = max(now, self._next)
            self._next = begin + self._gap_s
        time.sleep(begin - now)
