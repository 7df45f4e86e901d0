"""What the tests of tuning jobs share: small sets, and waiting for a job."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

PROJECT = "proj-tuning"
WHERE = f"projects/{PROJECT}/locations/us-central1"
BUCKET = "gs://tuneline-local"
WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
PAIRS = list(pairwise(WORDS)) * 3


def content(role: str, text: str) -> dict[str, Any]:
    """One turn in Gemini's format."""
    return {"role": role, "parts": [{"text": text}]}


def supervised(pairs: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    """Examples in Gemini's format."""
    return [{"contents": [content("user", a), content("model", b)]} for a, b in pairs]


def preferences() -> list[dict[str, Any]]:
    """Preference examples: the next number is preferred to the one before."""
    numbers = range(1, len(WORDS) - 1)
    return [
        {
            "contents": [content("user", WORDS[n])],
            "completions": [
                {"completion": content("model", WORDS[n + 1]), "score": 1},
                {"completion": content("model", WORDS[n - 1]), "score": 0},
            ],
        }
        for n in numbers
    ]


def put(vertex: Any, name: str, rows: Iterable[Any]) -> str:
    """Upload rows (a text is a line as it stands); answers their URI."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path = "/upload/storage/v1/b/tuneline-local/o?uploadType=media&name="
    vertex.request("POST", path + name, "\n".join(lines).encode())
    return f"{BUCKET}/{name}"


def ended(client: Any, job: Any, *, patience_s: float = 180) -> Any:
    """The job once it has ended."""
    deadline = time.monotonic() + patience_s
    while not job.has_ended:
        assert time.monotonic() < deadline, job
        time.sleep(0.2)
        job = client.tunings.get(name=job.name)
    return job


def succeeded(client: Any, job: Any) -> Any:
    """The job once it has succeeded."""
    job = ended(client, job)
    assert job.state.name == "JOB_STATE_SUCCEEDED", job.error
    return job
