"""Whatever bytes a file holds, a check ends with findings on the right lines; the fast path and the exact one agree."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.datasets import data
from tuneline import datasets
from tuneline.datasets import formats, scan
from tuneline.datasets.containers import JSONL, Layout, layout, records
from tuneline.datasets.findings import Findings
from tuneline.datasets.inspect import inspect
from tuneline.datasets.record import Record
from tuneline.datasets.shapes import NotPlain, shapes
from tuneline.datasets.survey import Survey, input_key
from tuneline.errors import TunelineError

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

texts = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["", " ", "\n", '"', "\\", '\\"', '\\\\"', "}", '{"a"', "\u2028", "\x1e", "é", "🙂", "NaN"]),
)
keys = st.sampled_from(
    ["input_text", "output_text", "messages", "author", "content", "role", "parts", "text", "contents", "context", "x"]
)
values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), texts, st.sampled_from(["user", "model", "assistant", "system"])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=8,
)


def _check(body: bytes, **options: Any) -> datasets.Report:
    with tempfile.TemporaryDirectory() as folder:
        return datasets.check(data.write(Path(folder), body), **options)


@QUICK
@given(st.binary(max_size=400))
def test_any_bytes_give_a_report(body: bytes) -> None:
    """No bytes crash a check, and no finding points behind the file."""
    # What begins like gzip and is none is an error of its own: see test_bad_input.
    report = _check(body if body[:2] != b"\x1f\x8b" else body[2:])
    assert all(0 <= item.line <= body.count(b"\n") + 1 for item in report.findings)
    json.dumps(report.to_dict())


@QUICK
@given(st.lists(values, max_size=6), st.sampled_from(["\n", "\r\n", "\n\n", " ", ",\n"]))
def test_any_values_in_any_layout_give_a_report(items: list[Any], between: str) -> None:
    """Values of any shape, one a line or not, never crash a check."""
    _check(between.join(json.dumps(item) for item in items).encode("utf-8", "surrogatepass"))


STRANGE = (
    *("instruction", "input", "output", "context", "response", "system", "history", "conversations", "items", "prompt"),
    *("completion", "question", "answers", "answer", "ideal", "chosen", "rejected", "preferred_output", "options"),
    *("non_preferred_output", "messages", "from", "value", "role", "content", "text", "label", "Q", "A"),
)
strange = st.recursive(
    st.one_of(st.none(), st.integers(), st.sampled_from(["", " ", "a", "human", "gpt", "user", "assistant", "system"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(STRANGE), inner, min_size=1, max_size=5)
    ),
    max_leaves=12,
)


@QUICK
@given(st.lists(st.dictionaries(st.sampled_from(STRANGE), strange, min_size=1, max_size=6), min_size=1, max_size=4))
def test_whatever_stands_in_the_fields_of_others_gives_a_report(items: list[dict[str, Any]]) -> None:
    """Fields of other people's formats, filled in any way, never crash a check or a conversion."""
    with tempfile.TemporaryDirectory() as folder:
        path = data.write(Path(folder), items)
        report = datasets.check(path)
        assert report.examples == len(items)
        for to in ("gemini", "preference"):
            try:
                done = datasets.convert(path, to, f"{folder}/{to}.jsonl")
            except TunelineError:
                continue
            assert done.examples == len(items)
            copy = datasets.check(f"{folder}/{to}.jsonl")
            assert (copy.format, [item.message for item in copy.findings if item.severity == "error"]) == (to, [])


MUTATIONS: list[Callable[[bytes, random.Random], bytes]] = [
    lambda line, rng: line[: rng.randrange(len(line))],
    lambda line, rng: line[: (at := rng.randrange(len(line)))] + line[at + 1 :],
    lambda line, rng: line[: (at := rng.randrange(len(line)))] + bytes([rng.randrange(1, 256)]) + line[at + 1 :],
    lambda line, rng: (
        line[: (at := rng.randrange(len(line)))] + rng.choice([b'"', b"}", b"{", b",", b"\\", b"]", b" "]) + line[at:]
    ),
    lambda line, rng: line.replace(b'"user"', rng.choice([b'"model"', b'"USER"', b"1", b"null", b'""'])),
    lambda line, rng: line.replace(b'"text"', rng.choice([b'"txt"', b'"parts"', b'""'])),
    lambda line, rng: line + rng.choice([b"}", line, b" ", b"\r", b",", b"\x00"]),
    lambda line, rng: b" " + line,
]


def _verdict(line: bytes, form: str) -> bool:
    """Whether the exact path finds nothing wrong with a line that is not blank."""
    return inspect(Record(data=line, offset=0, line=1), form, Findings()).sound


@pytest.mark.parametrize("form", data.MAKERS)
def test_one_mutation_in_a_valid_file_is_found_on_its_line_or_harmless(form: str) -> None:
    """In 60 lines with one mutated, errors are on that line alone, exactly where the exact path says so."""
    rng = random.Random(f"{form} 7")
    for _ in range(60):
        lines = [json.dumps(data.MAKERS[form](n)).encode() for n in range(60)]
        at = rng.randrange(60)
        mutated = rng.choice(MUTATIONS)(lines[at], rng).replace(b"\n", b" ")
        lines[at] = mutated
        report = _check(b"\n".join(lines) + b"\n", format=form)
        bad = {item.line for item in report.findings if item.severity == "error"}
        blank = not mutated.strip()
        sound = blank or _verdict(mutated, form)
        assert bad == (set() if sound else {at + 1}), mutated
        assert report.examples == 60 - blank


def _exact(body: bytes, form: str) -> Survey:
    """The survey by the exact path alone."""
    with tempfile.TemporaryFile() as file:
        file.write(body)
        file.flush()
        gathered = Survey(form, kept=1000)
        for record in records(file.fileno(), len(body), Layout(container=JSONL)):
            gathered.add(record)
        return gathered


def _fast(body: bytes, form: str) -> Survey:
    with tempfile.TemporaryFile() as file:
        file.write(body)
        file.flush()
        return scan.scan(file.fileno(), 0, len(body), form=form, kept=1000)


def _rows(survey: Survey) -> list[tuple[int, ...]]:
    # The carriage return belongs to neither, and only the fast path counts it to the line.
    rows = [tuple(int(v) for n, v in enumerate(row) if n != 1) for batch in survey.rows.batches() for row in batch]
    keys = [int(key) for keys in survey.rows.key_batches() for key in keys]
    return [(key, *row) for key, row in zip(keys, rows, strict=True)]


def _same(body: bytes, form: str) -> None:
    _equal(_exact(body, form), _fast(body, form))


def _equal(one: Survey, other: Survey) -> None:
    assert _rows(one) == _rows(other)
    assert one.findings.counts == other.findings.counts
    assert one.findings.all() == other.findings.all()
    for field in ("records", "turns", "authors", "with_system", "with_functions", "classes"):
        assert getattr(one, field) == getattr(other, field), field


def _conversation(form: str, system: str, said: list[str]) -> dict[str, Any]:
    roles = [("user", "model")[n % 2] for n in range(len(said))]
    if form == "gemini":
        contents = [{"role": r, "parts": [{"text": t}]} for r, t in zip(roles, said, strict=True)]
        role = {"role": "system"} if len(system) % 2 else {}
        return ({"systemInstruction": role | {"parts": [{"text": system}]}} if system else {}) | {"contents": contents}
    names = {"model": "model" if form == "gemini-1.0-messages" else "assistant", "user": "user"}
    if form == "palm-chat":
        chat = {"messages": [{"author": names[r], "content": t} for r, t in zip(roles, said, strict=True)]}
        return chat | ({"context": system} if system else {})
    messages = [{"role": names[r], "content": t} for r, t in zip(roles, said, strict=True)]
    return {"messages": [*([{"role": "system", "content": system}] if system else []), *messages]}


@QUICK
@given(
    st.sampled_from(["gemini", "palm-chat", "openai-messages", "gemini-1.0-messages"]),
    st.lists(st.tuples(texts, st.lists(texts, min_size=1, max_size=5)), min_size=1, max_size=8),
    st.booleans(),
    st.sampled_from([b"\n", b"\r\n", b"\n\n"]),
)
def test_fast_and_exact_agree_on_conversations(
    form: str, said: list[tuple[str, list[str]]], ascii_only: bool, newline: bytes
) -> None:
    """Rows, counts and findings are the same by both paths, whatever the texts hold."""
    lines = [json.dumps(_conversation(form, s, t), ensure_ascii=ascii_only) for s, t in said]
    _same(newline.join(line.encode("utf-8", "surrogatepass") for line in lines) + b"\n", form)


@QUICK
@given(
    st.sampled_from(["palm-text", "gemini-api", "prompt-completion"]),
    st.lists(st.tuples(texts, texts), min_size=1, max_size=8),
    st.booleans(),
)
def test_fast_and_exact_agree_on_pairs(form: str, pairs: list[tuple[str, str]], ascii_only: bool) -> None:
    """The same for the flat formats."""
    first, second = formats.MARKS[form]
    lines = [json.dumps({first: a, second: b}, ensure_ascii=ascii_only) for a, b in pairs]
    _same("\n".join(lines).encode("utf-8", "surrogatepass"), form)


@QUICK
@given(
    st.lists(
        st.tuples(texts, texts, st.sampled_from([0, 1]), texts, st.sampled_from([0, 1, 0.0])), min_size=1, max_size=6
    ),
    st.booleans(),
)
def test_fast_and_exact_agree_on_preferences(given: list[tuple[str, str, int, str, float]], system: bool) -> None:
    """The same for prompts with two scored responses, in either order, with equal scores or texts among them."""
    lines = []
    for prompt, one, score, other, second in given:
        example = _conversation("gemini", "rule" if system else "", [prompt]) | {
            "completions": [
                {"completion": {"role": "model", "parts": [{"text": text}]}, "score": number}
                for text, number in ((one, score), (other, second))
            ]
        }
        lines.append(json.dumps(example))
    _same("\n".join(lines).encode(), "preference")


@QUICK
@given(
    st.sampled_from(list(data.MAKERS)),
    st.lists(st.one_of(st.integers(0, 9), values), min_size=1, max_size=12),
    st.sampled_from([None, 1]),
    st.sampled_from(["[,]", " \n "]),
)
def test_fast_and_exact_agree_on_arrays(form: str, items: list[Any], indent: int | None, around: str) -> None:
    """Elements of an array, and values one after the other, have the rows and findings of the exact path."""
    first, between, last = around
    lines = [json.dumps(data.MAKERS[form](v) if isinstance(v, int) else v, indent=indent) for v in items]
    body = (first + between.join(lines) + last).encode("utf-8", "surrogatepass")
    with tempfile.TemporaryFile() as file:
        file.write(body)
        file.flush()
        where = layout(file.fileno(), len(body))
        exact = Survey(form, kept=1000)
        found = list(records(file.fileno(), len(body), where))
        for record in found:
            exact.add(record)
        fast = scan.scan_values(file.fileno(), found, form=form, kept=1000)
    _equal(exact, fast)


PIECES = [
    b'{"input_text":"a","output_text":"b"}',
    b'{"input_text":"a"',
    b',"output_text":"b"}',
    b"{}",
    b'"}',
    b'{"input_text":',
    b'"a","output_text":"b"}',
    b"",
    b"[]",
    b'{"input_text":"a","output_text":"b"}' * 2,
    b'{"input_text":"a","output_text":"\\ud800"}',
    b'{"input_text":"a","input_text":"\\"","output_text":"\xff"}',
    b'{"input_text":"a","input_text":"a","output_text":"b"}',
    b'{"input_text":"a\x01","output_text":"b"}',
    b'{"input_text":"\\\\","output_text":"b"}',
    b'{"input_text":"\\\\\\"","output_text":"\\\\"}',
    b" ",
    b"\r",
]


@QUICK
@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_fast_and_exact_agree_on_broken_lines(lines: list[bytes]) -> None:
    """Values over two lines, two on one, keys twice and bad escapes are told by both paths alike."""
    _same(b"\n".join(lines), "palm-text")


@pytest.mark.parametrize("form", [name for name in data.MAKERS if shapes(name)])
def test_shapes_read_what_the_walk_reads(form: str) -> None:
    """For every format a typed shape takes the plain example, with the same key, output and quotation marks."""
    line = orjson.dumps(data.MAKERS[form](3))
    walked = inspect(Record(data=line, offset=0, line=1), form, Findings()).walked
    assert walked is not None
    for shape in shapes(form):
        try:
            batch = shape.take([shape.decoder.decode(line)])
        except (NotPlain, ValueError):
            continue
        assert batch.keys == [input_key(walked.turns)]
        assert batch.outputs == [walked.turns[-1].text]
        assert batch.quotes == line.count(b'"')
        assert batch.authors == walked.authors
        return
    pytest.fail("no shape took the plain example")


def test_every_cut_of_a_file_into_ranges_gives_the_same_survey() -> None:
    """Wherever a file is cut, the merged survey is that of the whole."""
    lines = [json.dumps(data.gemini(n)).encode() for n in range(40)]
    lines[7], lines[20], lines[21] = b"{bad", b"", lines[3]
    body = b"\n".join(lines)
    whole = _fast(body, "gemini")
    rng = random.Random(5)
    with tempfile.TemporaryFile() as file:
        file.write(body)
        file.flush()
        for _ in range(40):
            from tuneline.datasets.lines import line_start

            cuts = sorted({0, len(body), *(line_start(file.fileno(), rng.randrange(len(body))) for _ in range(4))})
            merged = Survey("gemini", kept=1000)
            for low, high in pairwise(cuts):
                merged.merge(scan.scan(file.fileno(), low, high, form="gemini", kept=1000))
            assert _rows(merged) == _rows(whole)
            assert merged.findings.all() == whole.findings.all()
            assert (merged.lines, merged.blank, merged.first_blank) == (40, 1, 21)
