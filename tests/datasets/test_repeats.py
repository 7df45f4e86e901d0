"""Repetitions, contradictions and leakage are counted exactly, however many there are of one input."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.datasets import data
from tuneline import datasets
from tuneline.datasets import repeats, rows

pair = st.tuples(st.sampled_from("abcde"), st.sampled_from("xyz"), st.booleans())


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows are many: groups are taken in parts."""
    for module, name, value in ((repeats, "TOGETHER", 3), (rows, "PARTITION", 6), (rows, "HELD", 7)):
        monkeypatch.setattr(module, name, value)


def _line(asked: str, answer: str, spaced: bool) -> str:
    return json.dumps({"prompt": asked, "completion": answer}, separators=(", ", ": ") if spaced else (",", ":"))


@settings(max_examples=80, deadline=None)
@given(st.lists(pair, min_size=1, max_size=40), st.lists(pair, min_size=1, max_size=10))
def test_every_repetition_is_found_at_its_line(given_pairs: list[tuple], others: list[tuple]) -> None:
    """What is counted and named is what comparing each line with each would find."""
    lines = [_line(*one) for one in given_pairs]
    with tempfile.TemporaryDirectory() as folder:
        held = data.write(Path(folder), [_line(*one) for one in others], name="held.jsonl")
        report = datasets.check(data.write(Path(folder), lines), against=held)
    exact, named, outputs = 0, [], {}
    for number, ((asked, answer, _), line) in enumerate(zip(given_pairs, lines, strict=True), 1):
        before = lines.index(line) + 1
        first = outputs.setdefault(asked, (number, answer))
        if before < number:
            exact += 1
            named.append(("D601", number, f"the same as line {before}"))
        elif first[0] < number:
            code, what = ("D602", "and output ") if first[1] == answer else ("D603", "")
            more = "" if first[1] == answer else ", with another output"
            named.append((code, number, f"the same input {what}as line {first[0]}{more}"))
    found = [(f.code, f.line, f.message) for f in report.findings if f.code in ("D601", "D602", "D603")]
    assert sorted(found) == sorted(named)
    assert report.duplicates == {"exact": exact, "input": len(lines) - len(outputs)}
    answers = {(asked, answer) for asked, answer, _ in given_pairs}
    assert report.contradictions == sum(sum(a == asked for a, _ in answers) > 1 for asked in outputs)
    asked_there = {asked for asked, _, _ in others}
    assert report.leakage == {"examples": sum(asked in asked_there for asked, _, _ in given_pairs)}


def test_within_one_line_the_column_tells_where(tmp_path: Path) -> None:
    """Of an array on one line the places of both are told by their columns."""
    body = json.dumps([json.loads(_line("a", "x", True))] * 2).encode()
    (found,) = [f for f in datasets.check(data.write(tmp_path, body)).findings if f.code == "D601"]
    second = body.rindex(b"{") + 1
    assert (found.line, found.column, found.message) == (1, second, "the same as line 1, column 2")
