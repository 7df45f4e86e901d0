"""What stands in for Google's public sample datasets, so that public samples run where nothing is fetched.

The bucket `cloud-samples-data` is the real cloud's, and not here. A job that names an object of it which nobody has put
into the local object store gets rows of our own: the number that comes next, in words. The job's description says so.
"""

from __future__ import annotations

import json
from pathlib import Path

BUCKET = "gs://cloud-samples-data/"
_ONES = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
WORDS = [*_ONES, *_TEENS, *(f"{ten} {one}".strip() for ten in _TENS for one in ("", *_ONES))]
"""One to ninety-nine."""
EVERY = 5
"""One row in so many is for validation."""


def write(path: Path, *, preference: bool, validation: bool) -> None:
    """Write the rows in the format of the method; training and validation rows are never the same."""
    rows = []
    for number in range(len(WORDS) - 1):
        if (number % EVERY == 0) == validation:
            rows.append(_row(WORDS[number], WORDS[number + 1], WORDS[number - 1], preference))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _row(prompt: str, answer: str, other: str, preference: bool) -> dict[str, object]:
    def content(role: str, text: str) -> dict[str, object]:
        return {"role": role, "parts": [{"text": text}]}

    if not preference:
        return {"contents": [content("user", prompt), content("model", answer)]}
    scored = [{"completion": content("model", text), "score": score} for text, score in ((answer, 1), (other, 0))]
    return {"contents": [content("user", prompt)], "completions": scored}
