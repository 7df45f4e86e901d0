"""Promise: a tuning job trains on the sound rows of its set, and says of every other one why it was dropped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.local.behaviours.tuning import PAIRS, content, preferences, supervised
from tuneline.errors import DatasetError
from tuneline.local.tuning import samples
from tuneline.local.tuning.data import distribution, take

SOUND = supervised(PAIRS[:12])
BROKEN: list[tuple[Any, str]] = [
    ("{", "JSON"),
    ({"contents": []}, "contents"),
    ({"contents": [content("user", "a"), content("model", " ")]}, "the text is empty"),
    ({"contents": [content("model", "a")]}, "not the user's"),
    ({"contents": [content("user", "word " * 140_000), content("model", "b")]}, "131,072"),
    ({"contents": [content("user", "a"), {"role": "robot", "parts": [{"text": "b"}]}]}, "robot"),
]


def write(path: Path, rows: list[Any]) -> str:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return str(path)


@pytest.mark.parametrize(("row", "says"), BROKEN)
def test_a_row_that_cannot_be_used_is_dropped_with_its_reason(tmp_path: Path, row: Any, says: str) -> None:
    """Counted from 1, as the service counts; the others are kept byte for byte."""
    uri = write(tmp_path / "set.jsonl", [*SOUND[:5], row, *SOUND[5:]])
    found = take(uri, tmp_path / "rows.jsonl", model="gemini-2.5-flash", preference=False)
    assert [number for number, _ in found.dropped] == [6]
    assert says in found.dropped[0][1]
    assert (found.examples, found.read) == (12, 13)
    assert [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()] == SOUND
    assert found.to_dict()["indices"] == [6]


@pytest.mark.parametrize(
    ("rows", "preference", "says"),
    [
        ([], False, "the file is empty"),
        ([row for row, _ in BROKEN if isinstance(row, dict)], False, "rows were dropped"),
        ([{"input_text": "a", "output_text": "b"}] * 12, False, "palm-text"),
        (SOUND, True, "preference is needed"),
        (preferences(), False, "preference, where"),
        ([json.dumps(SOUND)], False, "one a line"),
    ],
)
def test_a_set_of_which_nothing_is_left_fails(tmp_path: Path, rows: list[Any], preference: bool, says: str) -> None:
    """So does one in another format, with every reason."""
    uri = write(tmp_path / "set.jsonl", rows)
    with pytest.raises(DatasetError) as refused:
        take(uri, tmp_path / "rows.jsonl", model="gemini-2.5-flash", preference=preference)
    assert says in str(refused.value)
    assert not (tmp_path / "rows.jsonl").exists()


def test_the_limits_of_the_model_are_those_of_the_whole_set(tmp_path: Path) -> None:
    """Too few rows for an old Gemini, too large a validation set for any."""
    few = write(tmp_path / "few.jsonl", SOUND)
    with pytest.raises(DatasetError, match="16"):
        take(few, tmp_path / "rows.jsonl", model="gemini-1.0-pro-002", preference=False)
    many = write(tmp_path / "many.jsonl", [supervised([(f"a{n}", "b")])[0] for n in range(5001)])
    with pytest.raises(DatasetError, match="5,000"):
        take(many, tmp_path / "rows.jsonl", model="gemini-2.5-flash", preference=False, evaluation_of=few)


def test_a_missing_object_says_how_to_put_it_there(tmp_path: Path) -> None:
    """Nothing is fetched from the real cloud."""
    with pytest.raises(DatasetError, match=r"nothing is fetched.*tuneline local put FILE"):
        take(str(tmp_path / "none.jsonl"), tmp_path / "rows.jsonl", model="gemini-2.5-flash", preference=False)


@pytest.mark.parametrize("preference", [False, True])
def test_rows_that_stand_in_for_the_public_samples_are_sound(tmp_path: Path, preference: bool) -> None:
    """In both formats; none of the validation rows is trained on."""
    sets = []
    for validation in (False, True):
        samples.write(tmp_path / "sample.jsonl", preference=preference, validation=validation)
        found = take(
            str(tmp_path / "sample.jsonl"), tmp_path / "rows.jsonl", model="gemini-2.5-flash", preference=preference
        )
        assert not found.dropped
        sets.append({json.loads(line)["contents"][0]["parts"][0]["text"] for line in (tmp_path / "rows.jsonl").open()})
    assert len(sets[0] | sets[1]) == len(samples.WORDS) - 1
    assert not sets[0] & sets[1]


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=200))
def test_the_figures_of_a_distribution_agree(values: list[int]) -> None:
    """Every value is in one bucket, the sum is the sum, and quantiles are ordered."""
    found = distribution(values)
    assert found["sum"] == sum(values)
    assert sum(bucket["count"] for bucket in found["buckets"]) == len(values)
    assert found["min"] <= found["p5"] <= found["median"] <= found["p95"] <= found["max"]
    assert found["min"] <= found["mean"] + 1e-9
