"""Every format and container is recognised by its content and read as the same examples."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from tuneline import datasets
from tuneline.datasets import Example, Preference, Turn
from tuneline.errors import DatasetError, UsageError


def _example(line: int, *turns: tuple[str, str]) -> Example:
    return Example(turns=tuple(Turn(role=role, text=text) for role, text in turns), line=line)


FORMATS = {
    "palm-text": {"input_text": "one", "output_text": "two"},
    "gemini-api": {"text_input": "one", "output": "two"},
    "prompt-completion": {"prompt": "one", "completion": "two"},
    "palm-chat": {"messages": [{"author": "user", "content": "one"}, {"author": "assistant", "content": "two"}]},
    "openai-messages": {"messages": [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]},
    "gemini-1.0-messages": {"messages": [{"role": "user", "content": "one"}, {"role": "model", "content": "two"}]},
    "gemini": {
        "contents": [{"role": "user", "parts": [{"text": "one"}]}, {"role": "model", "parts": [{"text": "two"}]}]
    },
    "preference": {
        "contents": [{"role": "user", "parts": [{"text": "one"}]}],
        "completions": [
            {"completion": {"role": "model", "parts": [{"text": "two"}]}, "score": 1},
            {"completion": {"role": "model", "parts": [{"text": "three"}]}, "score": 0},
        ],
    },
}


@pytest.mark.parametrize("form", FORMATS)
def test_each_format_is_told_by_its_keys_and_read(form: str, tmp_path: Path) -> None:
    """One line in each format reads as the same two turns."""
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps(FORMATS[form]) + "\n")
    assert datasets.detect_format(str(path)) == form
    assert list(datasets.read_examples(str(path))) == [_example(1, ("user", "one"), ("assistant", "two"))]


PAIRS = [{"input_text": f"in {n}", "output_text": f'out "{n}" \\ }}]\n{{['} for n in range(3)]
CONTAINERS = {
    "jsonl": "\n".join(map(json.dumps, PAIRS)) + "\n",
    "jsonl without final newline": "\n".join(map(json.dumps, PAIRS)),
    "jsonl with blank lines": "\n\n".join(map(json.dumps, PAIRS)) + "\n \n",
    "jsonl with CRLF": "\r\n".join(map(json.dumps, PAIRS)) + "\r\n",
    "jsonl with BOM": "\ufeff" + "\n".join(map(json.dumps, PAIRS)),
    "json-array": json.dumps(PAIRS),
    "json-array, pretty": "\n" + json.dumps(PAIRS, indent=2) + "\n",
    "json-object": json.dumps({"training_examples": PAIRS}),
    "json-object, pretty": json.dumps({"note": "[", "training_examples": PAIRS}, indent=1),
    "json-object, createTunedModel": json.dumps(
        {"display_name": "x", "tuning_task": {"training_data": {"examples": {"examples": PAIRS}}}}
    ),
    "concatenated": "".join(map(json.dumps, PAIRS)),
    "concatenated, pretty": "\n".join(json.dumps(pair, indent=4) for pair in PAIRS),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_each_container_gives_the_same_examples(name: str, tmp_path: Path) -> None:
    """Lines, arrays, wrapping objects and values one after the other hold the same three examples."""
    path = tmp_path / "data.json"
    path.write_bytes(CONTAINERS[name].encode())
    read = list(datasets.read_examples(str(path)))
    assert [(e.turns[0].text, e.response) for e in read] == [(p["input_text"], p["output_text"]) for p in PAIRS]
    report = datasets.check(str(path))
    assert report.container == name.split(" ")[0].strip(",")
    assert report.examples == 3


def test_lines_are_numbered_in_the_file(tmp_path: Path) -> None:
    """Blank lines count, and so do the lines of a pretty-printed value."""
    path = tmp_path / "data.json"
    path.write_text("\n\n" + json.dumps(PAIRS[0]) + "\n\n" + json.dumps(PAIRS[1]))
    assert [e.line for e in datasets.read_examples(str(path))] == [3, 5]
    path.write_text(json.dumps(PAIRS, indent=1))
    assert [e.line for e in datasets.read_examples(str(path))] == [2, 6, 10]


def test_gzip_is_read_as_what_it_holds(tmp_path: Path) -> None:
    """A compressed file, also of several members, reads as the plain one."""
    path = tmp_path / "data.jsonl.gz"
    lines = [json.dumps(pair).encode() + b"\n" for pair in PAIRS]
    path.write_bytes(gzip.compress(lines[0]) + gzip.compress(lines[1] + lines[2]))
    assert len(list(datasets.read_examples(str(path)))) == 3
    assert datasets.check(str(path)).counts["D112"] == 1


def test_default_context_is_overridden_by_an_examples_own(tmp_path: Path) -> None:
    """The default context is the system turn of examples without one."""
    chat = FORMATS["palm-chat"]
    path = tmp_path / "chat.jsonl"
    path.write_text(json.dumps(chat) + "\n" + json.dumps(chat | {"context": "own"}) + "\n")
    first, second = datasets.read_examples(str(path), default_context="default")
    assert first.turns[0] == Turn(role="system", text="default")
    assert second.turns[0] == Turn(role="system", text="own")


def test_all_problems_come_in_one_error(tmp_path: Path) -> None:
    """A file with three bad lines is refused once, with three places."""
    path = tmp_path / "data.jsonl"
    path.write_text('{"input_text": "a", "output_text": "b"}\n{"input_text": "a"}\n{nope}\n{"output_text": ""}\n')
    with pytest.raises(DatasetError) as caught:
        list(datasets.read_examples(str(path)))
    places = {problem.where.removeprefix(f"{path}:").split(":")[0] for problem in caught.value.problems}
    assert places == {"2", "3", "4"}


def test_what_is_no_readable_file_is_refused_by_name(tmp_path: Path) -> None:
    """A missing file, a folder and a FIFO each get their own words, and none is waited for."""
    (tmp_path / "train.jsonl").write_text("{}")
    os.mkfifo(tmp_path / "pipe")
    for name, words in (("trian.jsonl", "did you mean"), ("", "a folder"), ("pipe", "a FIFO")):
        with pytest.raises(DatasetError, match=words):
            datasets.check(str(tmp_path / name))
    with pytest.raises(UsageError, match="did you mean 'palm-text'"):
        datasets.check(str(tmp_path / "train.jsonl"), format="palmtext")


def test_a_preference_set_is_read_with_both_responses(tmp_path: Path) -> None:
    """Prompt, preferred and rejected response come out in any order of the completions; other sets are refused."""
    plain, turned = (
        FORMATS["preference"],
        {**FORMATS["preference"], "completions": FORMATS["preference"]["completions"][::-1]},
    )
    turned["systemInstruction"] = {"parts": [{"text": "be brief"}]}
    path = tmp_path / "data.jsonl"
    path.write_text(f"{json.dumps(plain)}\n{json.dumps(turned)}\n")
    one, two = datasets.read_preferences(str(path))
    assert one == Preference(prompt=(Turn(role="user", text="one"),), preferred="two", rejected="three", line=1)
    assert two.prompt == (Turn(role="system", text="be brief"), Turn(role="user", text="one"))
    assert (two.preferred, two.rejected, two.line) == ("two", "three", 2)
    with_context, _ = datasets.read_preferences(str(path), default_context="ctx")
    assert with_context.prompt[0] == Turn(role="system", text="ctx")
    path.write_text(json.dumps(FORMATS["gemini"]))
    with pytest.raises(DatasetError, match="this is gemini"):
        list(datasets.read_preferences(str(path)))
