"""Files of other people's making: each is said to be what it is, once, and nothing is said that is not so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.datasets import data
from tuneline import datasets
from tuneline.datasets import formats
from tuneline.datasets.foreign import foreign
from tuneline.errors import DatasetError, UsageError

PROMPT, ANSWER = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}

FOREIGN: dict[str, dict[str, Any]] = {
    "Alpaca": {"instruction": "a", "input": "", "output": "b"},
    "Dolly": {"instruction": "a", "context": "", "response": "b", "category": "c"},
    "ShareGPT": {"id": "1", "conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]},
    "early ShareGPT": {"id": "1", "items": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]},
    "TRL's DPO": {"prompt": "a", "chosen": "b", "rejected": "c"},
    "OpenAI's DPO": {"input": {"messages": [PROMPT]}, "preferred_output": [ANSWER], "non_preferred_output": [ANSWER]},
    "lists of messages": {"prompt": [PROMPT], "completion": [ANSWER]},
    "SQuAD": {"id": "1", "context": "a", "question": "b", "answers": {"text": ["c"]}},
    "question and answer": {"question": "a", "answer": "b"},
    "OpenAI's evals": {"input": [PROMPT], "ideal": "b"},
    "input and output": {"input": "a", "output": "b"},
    "prompt and response": {"prompt": "a", "response": "b"},
    "labelled texts": {"text": "a", "label": "b"},
    "batch requests": {"custom_id": "1", "method": "POST", "body": {"messages": [PROMPT]}},
    "batch prediction": {"request": {"contents": []}},
    "dataset viewer": {"row_idx": 1, "row": {"prompt": "a"}},
    "OpenAssistant": {"message_id": "1", "parent_id": None, "text": "a", "role": "prompter"},
    "Self-Instruct": {"id": "seed_task_0", "instruction": "a", "instances": [{"input": "", "output": "b"}]},
    "instruction, input, answer": {"instruction": "a", "input": "", "answer": "b"},
    "labelled records": {"first": "a", "second": "b", "label": "c"},
    "to choose from": {"question": "a", "options": ["b", "c"], "answer": "A"},
    "Q and A": {"Q": "a", "A": "b"},
    "texts under texts": {f"how about {n}": "b" for n in range(6)},
    "HumanEval": {"task_id": "1", "prompt": "def f():", "canonical_solution": "    pass"},
    "pre-training": {"text": "a"},
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_format_of_others_is_one_error_with_its_name_and_the_way_out(name: str, tmp_path: Path) -> None:
    """Such lines are one error, at the first, which names the format and says what to write instead."""
    text = json.dumps(FOREIGN[name])
    report = datasets.check(data.write(tmp_path, [text.replace('"a"', f'"a {n}"') for n in range(15)]))
    assert (report.format, report.container, report.errors) == ("unknown", "jsonl", 1)
    (found,) = [item for item in report.findings if item.severity == "error"]
    assert found.code == "D108"
    assert found.line == 1
    assert name in found.message
    assert found.hint


SPOKEN = [("system", "s"), ("user", "q {n}"), ("assistant", "r {n}")]


def _said(*turns: tuple[str, str]) -> list[dict[str, str]]:
    return [{"role": role, "content": text} for role, text in turns]


READ: list[tuple[dict[str, Any], list[tuple[str, str]], str]] = [
    ({"instruction": "q {n}", "input": "", "output": "r {n}", "text": "all of it"}, SPOKEN[1:], "gemini"),
    ({"instruction": "q", "input": "{n}", "output": "r"}, [("user", "q\n\n{n}"), ("assistant", "r")], "gemini"),
    ({"instruction": "q {n}", "system": "s", "history": [], "output": "r {n}"}, SPOKEN, "gemini"),
    (
        {"instruction": "q {n}", "history": [["a", "b"]], "output": "r {n}"},
        [("user", "a"), ("assistant", "b"), *SPOKEN[1:]],
        "gemini",
    ),
    ({"instruction": "q", "context": "{n}", "response": "r"}, [("user", "q\n\n{n}"), ("assistant", "r")], "gemini"),
    (
        {
            "conversations": [
                {"from": "system", "value": "s"},
                {"from": "human", "value": "q {n}"},
                {"from": "gpt", "value": "r {n}"},
            ]
        },
        SPOKEN,
        "openai-messages",
    ),
    ({"prompt": _said(*SPOKEN[:2]), "completion": _said(SPOKEN[2])}, SPOKEN, "gemini"),
    (
        {"context": "c", "question": "q {n}", "answers": {"text": ["r {n}", "x"], "answer_start": [0, 0]}},
        [("user", "c\n\nq {n}"), ("assistant", "r {n}")],
        "gemini",
    ),
    ({"input": _said(*SPOKEN[:2]), "ideal": "r {n}"}, SPOKEN, "openai-messages"),
    ({"Q": "q {n}", "A": "r {n}"}, SPOKEN[1:], "palm-text"),
    ({"system": "s", "user": "q {n}", "assistant": "r {n}"}, SPOKEN, "gemini"),
    (
        {"context": "c", "question": "q {n}", "answer": "r {n}"},
        [("user", "c\n\nq {n}"), ("assistant", "r {n}")],
        "prompt-completion",
    ),
    ({"prompt": "q {n}", "canonical_solution": "r {n}"}, SPOKEN[1:], "gemini-api"),
    ({"prompt": "q {n}", "chosen": "r {n}", "rejected": "x"}, SPOKEN[1:], "preference"),
    (
        {"prompt": "q {n}", "chosen": _said(*SPOKEN[1:]), "rejected": _said(SPOKEN[1], ("assistant", "x"))},
        SPOKEN[1:],
        "preference",
    ),
    (
        {
            "input": {"messages": _said(*SPOKEN[:2])},
            "preferred_output": _said(SPOKEN[2]),
            "non_preferred_output": _said(("assistant", "x")),
        },
        SPOKEN,
        "preference",
    ),
]


@pytest.mark.parametrize(("value", "turns", "to"), READ)
def test_what_says_plainly_what_is_asked_and_answered_is_converted(
    value: dict[str, Any], turns: list[tuple[str, str]], to: str, tmp_path: Path
) -> None:
    """The turns of the copy are those of the original; the command that makes it stands in the hint."""
    texts = [json.dumps({"id": "x", **value}).replace("{n}", str(n)) for n in range(25)]
    source, output = data.write(tmp_path, texts), str(tmp_path / "out.jsonl")
    (found,) = [item for item in datasets.check(source).findings if item.code == "D108"]
    assert f"tuneline convert {source} --to " in found.hint
    done = datasets.convert(source, to, output)
    assert (done.source_format, done.examples, done.left_behind) == ("unknown", 25, {"id": 25})
    read = [[(t.role, t.text) for t in example.turns] for example in datasets.read_examples(output)]
    assert read == [[(role, text.replace("{n}", str(n))) for role, text in turns] for n in range(25)]
    if to == "preference":
        assert {example.rejected for example in datasets.read_preferences(output)} == {"x"}


def test_a_prompt_that_ends_with_the_model_is_no_prompt(tmp_path: Path) -> None:
    """Of a pair of answers the prompt is the user's: else its copy would be one that nobody takes."""
    values = [{"prompt": _said(*SPOKEN[1:]), "chosen": f"r {n}", "rejected": "x"} for n in range(3)]
    path, output = data.write(tmp_path, values), tmp_path / "out.jsonl"
    assert datasets.check(path).counts["D402"] == 3
    with pytest.raises(DatasetError, match="does not end with the user's turn"):
        datasets.convert(path, "preference", str(output))
    assert not output.exists()


def test_content_is_checked_whoever_s_the_format_is(tmp_path: Path) -> None:
    """Repetitions, contradictions, empty answers and leakage are told of Alpaca's records as of any."""
    values = [{"instruction": f"q {n}", "input": "", "output": f"r {n}"} for n in range(30)]
    values += [values[0], {**values[1], "output": "other"}, {**values[2], "output": " "}]
    held = data.write(tmp_path, [values[3], {"instruction": "new", "output": "r"}], name="held.jsonl")
    report = datasets.check(data.write(tmp_path, values), against=held)
    assert {code: report.counts.get(code) for code in ("D108", "D404", "D601", "D603", "D604")} == {
        "D108": 1,
        "D404": 1,
        "D601": 1,
        "D603": 1,
        "D604": 1,
    }
    assert report.leakage == {"examples": 1}
    assert report.statistics["read"] == 32


def test_a_field_that_nobody_knows_is_not_lost(tmp_path: Path) -> None:
    """What may be part of the question stops the conversion; its lines are named."""
    values = [{"question": f"q {n}", "hint": "think", "answer": "r"} for n in range(5)]
    output = tmp_path / "out.jsonl"
    with pytest.raises(DatasetError, match=r"no place for the field hint: lines 1 to 5.*--drop hint"):
        datasets.convert(data.write(tmp_path, values), "gemini", str(output))
    done = datasets.convert(data.write(tmp_path, values), "gemini", str(tmp_path / "dropped.jsonl"), drop=["hint"])
    assert done.left_behind == {"hint": 5}
    values = [{"question": f"q {n}", "answer": "r"} for n in range(5)] + [{"name": "x"}]
    with pytest.raises(DatasetError, match="unlike the first"):
        datasets.convert(data.write(tmp_path, values), "gemini", str(output))
    with pytest.raises(UsageError, match="question and answer records, not preference"):
        datasets.convert(data.write(tmp_path, values), "preference", str(output))
    assert not output.exists()


def test_no_known_format_is_taken_for_anothers() -> None:
    """What the services here take is never called foreign."""
    for make in data.MAKERS.values():
        assert foreign(make(1)) is None
    assert all(formats.of(value) == formats.UNKNOWN for value in FOREIGN.values())


def _errors(tmp_path: Path, values: list[Any]) -> dict[str, int]:
    report = datasets.check(data.write(tmp_path, values))
    codes = {item.code for item in report.findings if item.severity == "error"}
    return {code: report.counts[code] for code in codes}


@pytest.mark.parametrize(
    ("form", "wrong"),
    [
        ("gemini", "assistant"),
        ("palm-chat", "bot"),
        ("openai-messages", "Chatbot"),
        ("gemini-1.0-messages", "assistant"),
    ],
)
def test_a_wrong_name_of_the_model_is_one_error_an_example(form: str, wrong: str, tmp_path: Path) -> None:
    """A role of another vendor is told; that the turn is therefore not the model's is not told again."""
    values = []
    for n in range(30):
        text = json.dumps(data.MAKERS[form](n))
        for key in ("role", "author"):
            for right in ("model", "assistant"):
                text = text.replace(f'"{key}": "{right}"', f'"{key}": "{wrong}"')
        values.append(text)
    if form == "gemini-1.0-messages":
        # With that name it is the other format of messages, and sound.
        assert _errors(tmp_path, values) == {}
    else:
        assert _errors(tmp_path, values) == {"D304": 30}


TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {}}}]
CALL = {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "look"}}]}
RESULT = {"role": "tool", "tool_call_id": "c", "content": "1"}


@pytest.mark.parametrize(
    "example",
    [
        {"messages": [PROMPT, CALL, RESULT, ANSWER], "tools": TOOLS},
        {"messages": [PROMPT, CALL], "tools": TOOLS, "parallel_tool_calls": False},
        {"messages": [PROMPT, {"role": "assistant", "function_call": {"name": "f"}}], "functions": [{"name": "f"}]},
    ],
)
def test_an_example_that_calls_functions_is_one_error(example: dict[str, Any], tmp_path: Path) -> None:
    """Functions in messages are told once an example, not once for each key that belongs to them."""
    assert _errors(tmp_path, [example] * 20) == {"D510": 20}


def test_openai_s_own_roles_and_weights_are_sound(tmp_path: Path) -> None:
    """`developer` is a system message, and a weight is a field of OpenAI's."""
    messages = [{"role": "developer", "content": "x"}, PROMPT, {**ANSWER, "weight": 1}]
    assert _errors(tmp_path, [{"messages": messages}] * 20) == {}
    example = next(datasets.read_examples(data.write(tmp_path, [{"messages": messages}])))
    assert example.turns[0].role == "system"


def test_a_system_text_beside_the_messages_is_never_lost(tmp_path: Path) -> None:
    """As Anthropic (a text) and Bedrock (a list of texts) have it: an error, no field that --fix drops."""
    for system in ("be brief", [{"text": "be brief"}]):
        assert _errors(tmp_path, [{"system": system, "messages": [PROMPT, ANSWER]}] * 20) == {"D405": 20}


def test_what_was_encoded_twice_is_no_table(tmp_path: Path) -> None:
    """Lines that are JSON strings of JSON are each told, with the cure."""
    path = data.write(tmp_path, [json.dumps(json.dumps(data.palm_text(n))) for n in range(20)])
    report = datasets.check(path)
    assert report.counts == {"D207": 20}
    assert report.container == "jsonl"
    assert "encoded twice" in report.findings[0].hint


def test_a_comma_after_every_example_has_its_own_hint(tmp_path: Path) -> None:
    """An array without its brackets is told for what it is."""
    path = data.write(tmp_path, b",\n".join(json.dumps(data.palm_text(n)).encode() for n in range(20)))
    found = datasets.check(path).findings[0]
    assert (found.code, found.line) == ("D201", 1)
    assert "comma at the end" in found.hint


def test_lines_in_another_encoding_are_lines(tmp_path: Path) -> None:
    """Latin-1 is an error a line; the container is what it is."""
    path = data.write(tmp_path, b'{"prompt": "\xe9t\xe9", "completion": "b"}\n' * 12)
    report = datasets.check(path)
    assert (report.container, report.counts["D103"]) == ("jsonl", 12)
