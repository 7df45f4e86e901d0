"""A conversion carries all of an example over, or names the lines where it cannot, and then writes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.datasets import data
from tuneline import datasets
from tuneline.errors import DatasetError, UsageError


def _turns(path: str) -> list[tuple[tuple[str, str], ...]]:
    return [tuple((t.role, t.text) for t in example.turns) for example in datasets.read_examples(path)]


PAIR_FORMATS = [form for form in data.MAKERS if form != "preference"]


@pytest.mark.parametrize("to", PAIR_FORMATS)
@pytest.mark.parametrize("form", PAIR_FORMATS)
def test_every_format_reads_the_same_after_conversion(form: str, to: str, tmp_path: Path) -> None:
    """From each format to each other that has a place for its texts, the turns stay what they are."""
    values = [data.MAKERS[form](n) for n in range(40)]
    source, output = data.write(tmp_path, values), str(tmp_path / "out.jsonl")
    has_system = form in ("gemini", "openai-messages")
    flat = to in ("palm-text", "gemini-api", "prompt-completion")
    if has_system and flat and form != to:
        with pytest.raises(DatasetError, match="no place for a system text"):
            datasets.convert(source, to, output)
        assert not Path(output).exists()
        return
    done = datasets.convert(source, to, output)
    assert (done.source_format, done.format, done.examples) == (form, to, 40)
    assert _turns(output) == _turns(source)
    report = datasets.check(output)
    assert (report.format, report.container, report.valid) == (to, "jsonl", True)


def test_texts_survive_whatever_they_hold(tmp_path: Path) -> None:
    """Quotation marks, line separators, emoji and braces come through the fast path unchanged."""
    odd = ['"', "\\", '\\"', "\u2028", "🙂é", "{}\n}{", "\x7f", "a\tb\r\n"]
    values = [{"input_text": a + "x", "output_text": b + "y"} for a in odd for b in odd]
    source, output = data.write(tmp_path, values), str(tmp_path / "out.jsonl")
    datasets.convert(source, "gemini", output)
    assert _turns(output) == _turns(source)


def test_what_has_no_place_is_named_by_line(tmp_path: Path) -> None:
    """Functions, files, further turns and rejected answers are errors of their lines, not losses."""
    long = data.gemini_1_0(1)["messages"] * 2
    cases: list[tuple[list[Any], str, str]] = [
        ([data.gemini_call(1)], "openai-messages", "functions"),
        ([data.gemini_file(1)], "openai-messages", "files"),
        ([{"messages": long}], "palm-text", "4 turns"),
        ([data.preference(1)], "gemini", "a rejected answer"),
    ]
    for number, (values, to, what) in enumerate(cases):
        maker = {3: data.preference, 2: data.gemini_1_0}.get(number, data.gemini)
        if number < 3 and to == "palm-text":
            sound = [data.gemini_1_0(n) for n in range(5)]
        else:
            sound = [maker(n) for n in range(5)]
        output = str(tmp_path / "out.jsonl")
        with pytest.raises(DatasetError) as caught:
            datasets.convert(data.write(tmp_path, [*sound, *values]), to, output)
        (problem,) = caught.value.problems
        assert what in problem.what
        assert problem.what.endswith("lines 1 to 6" if number == 3 else "line 6")
        assert not Path(output).exists()


def test_the_same_format_keeps_every_field(tmp_path: Path) -> None:
    """An array of examples with functions and files becomes JSON lines of the same values."""
    values = [data.gemini_call(1), data.gemini_file(2), data.gemini(3)]
    source = data.write(tmp_path, json.dumps(values, indent=2).encode(), "data.json")
    output = tmp_path / "out.jsonl"
    datasets.convert(source, "gemini", str(output))
    assert [json.loads(line) for line in output.read_text().splitlines()] == values


def test_the_default_context_is_written(tmp_path: Path) -> None:
    """Examples without a system text get the default one, others keep theirs."""
    values = [data.palm_chat(1), data.palm_chat(2) | {"context": "own"}]
    output = str(tmp_path / "out.jsonl")
    datasets.convert(data.write(tmp_path, values), "gemini", output, default_context="default")
    assert [turns[0] for turns in _turns(output)] == [("system", "default"), ("system", "own")]


def test_invalid_lines_stop_a_conversion(tmp_path: Path) -> None:
    """A broken line is named, and nothing is written; neither is the dataset itself ever written over."""
    source = data.write(tmp_path, [data.palm_text(1), "{broken", {"input_text": "x"}])
    with pytest.raises(DatasetError) as caught:
        datasets.convert(source, "gemini", str(tmp_path / "out.jsonl"))
    assert len(caught.value.problems) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.jsonl"]
    with pytest.raises(UsageError, match="itself"):
        datasets.convert(source, "gemini", source)
    with pytest.raises(UsageError, match="rejected"):
        datasets.convert(data.write(tmp_path, [data.palm_text(1)]), "preference", str(tmp_path / "out.jsonl"))
