"""A dataset in another format, or in JSON lines: all is carried over, or the lines that cannot be are named."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import msgspec
import orjson

from tuneline.datasets import formats
from tuneline.datasets.containers import JSONL, layout, records
from tuneline.datasets.findings import KEPT, Findings, finding
from tuneline.datasets.inspect import inspect
from tuneline.datasets.model import ASSISTANT, SYSTEM, USER, Turn
from tuneline.datasets.reading import dataset_error, form_of, known_format, unknown
from tuneline.datasets.record import Record
from tuneline.datasets.scan import Scan
from tuneline.datasets.shapes import Batch
from tuneline.datasets.sources import open_source, refuse
from tuneline.datasets.typed import (
    GeminiApi,
    GeminiPair,
    ModelContent,
    PalmText,
    PromptCompletion,
    TextPart,
    UserContent,
)
from tuneline.datasets.walked import Walked
from tuneline.datasets.writing import new_file
from tuneline.errors import DatasetError, Problem, UsageError

if TYPE_CHECKING:
    import numpy as np

FIELD = "the field "
_INDEX = re.compile(r"\[\d+\]")


@dataclass(frozen=True, kw_only=True)
class Converted:
    """What a conversion did."""

    source_format: str
    format: str
    examples: int
    left_behind: dict[str, int]
    """Path of a field that is no part of an example → how many had it."""


def convert(
    uri: str,
    to: str,
    output: str,
    *,
    format: str | None = None,
    default_context: str = "",
    drop: Collection[str] = (),
) -> Converted:
    """Writes the dataset at `output` in format `to`, one example a line.

    `default_context` becomes the system text of examples that have none. Raises `DatasetError` that names every line
    which is invalid or holds something that `to` has no place for (further turns, a system text, functions, files, a
    rejected answer); then nothing is written. Fields that are no part of an example (an id, a category) stay behind.
    Of the formats of others those are taken that `foreign` has a kind for; fields of them that nobody here can know are
    refused like the rest, unless `drop` names them.
    """
    to = known_format(to)
    with open_source(uri) as source, new_file(output, made_from=uri) as file:
        where = layout(source.fd, source.size)
        if where.is_something_else:
            raise refuse(uri, f"this is {where.is_something_else}", "export the data as JSON lines in UTF-8")
        form = known_format(format) if format else form_of(source, where)
        if form == formats.UNKNOWN:
            found = unknown(source, where)
            if not found.convertible:
                raise refuse(uri, found.what, found.hint)
            if to not in found.convertible:
                fix = f"choose {' or '.join(found.convertible)}"
                raise UsageError([Problem(where="--to", what=f"{found.what}, not {to}", fix=fix)])
        elif to == formats.PREFERENCE and form != to:
            raise UsageError([Problem(where="--to", what="a preference needs a rejected answer", fix="add one first")])
        work = _Converting(source.fd, form, to, file, default_context, drop)
        if where.container == JSONL:
            work.run(where.start, source.size)
        else:
            for record in records(source.fd, source.size, where):
                work.single(record)
        if source.changed():
            raise refuse(uri, "the file changed while it was read", "try again once nothing writes to it")
        work.raise_problems(uri)
        if not work.written:
            raise refuse(uri, "the file holds no example", "check what wrote it")
        return Converted(source_format=form, format=to, examples=work.written, left_behind=dict(work.left_behind))


class _Converting(Scan):
    """Writes each line in the target format."""

    def __init__(
        self, fd: int, form: str, to: str, file: BinaryIO, default_context: str, drop: Collection[str]
    ) -> None:
        super().__init__(fd, form)
        self.form, self.to, self.file, self.context, self.drop = form, to, file, default_context, drop
        self.findings = Findings(KEPT)
        self.lost: dict[str, list[list[int]]] = {}
        """What there is no place for → the lines, as first and last of each run of examples."""
        self.last: tuple[int, str] = (0, "")
        self.written = 0
        self.left_behind: Counter[str] = Counter()
        if form in (to, formats.PREFERENCE) or to not in _PAIRS or default_context:
            # The typed shapes hold what a pair needs and no more: no rejected answer.
            self.shapes = []
        self._encode = msgspec.json.Encoder().encode_lines

    def plain(self, batch: Batch, offsets: np.ndarray, lengths: np.ndarray, line: int) -> None:
        if batch.input_characters is not None:
            for offset, length, number in zip(
                offsets.tolist(), lengths.tolist(), range(line, line + len(offsets)), strict=True
            ):
                self.single(record_at(self.fd, offset, length, number))
            return
        self.file.write(self._encode(_PAIRS[self.to](batch.keys, batch.outputs)))
        self.written += len(batch.keys)

    def single(self, record: Record) -> None:
        seen = inspect(record, self.form, self.findings)
        if not seen.sound or seen.walked is None:
            return
        if self.form == self.to and not self.context:
            self._put(seen.value)
            return
        turns = seen.walked.turns
        if not turns:
            what = "an example of no known format, unlike the first"
            self.findings.add(finding("D108", what, line=record.line, column=record.column, hint="leave it out"))
            return
        lost = lacking(seen.walked, self.to, self.context, self.drop)
        if lost:
            self._lose(record.line, lost)
            return
        self.last = (record.line, "")
        self.left_behind.update([*seen.walked.beside, *seen.walked.unread])
        self.left_behind.update(_INDEX.sub("[]", path) for code, path, *_ in seen.walked.problems if code == "D303")
        if self.context and turns[0].role != SYSTEM:
            turns = [Turn(role=SYSTEM, text=self.context), *turns]
        self._put(write_example(turns, self.to, seen.walked.rejected))

    def _put(self, value: object) -> None:
        self.file.write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE))
        self.written += 1

    def _lose(self, line: int, what: str) -> None:
        runs = self.lost.setdefault(what, [])
        if runs and self.last == (runs[-1][1], what):
            runs[-1][1] = line
        else:
            runs.append([line, line])
        self.last = (line, what)

    def raise_problems(self, uri: str) -> None:
        """Raises one error with all lines that are invalid or lose something."""
        problems = list(dataset_error(uri, self.findings).problems) if self.findings.errors else []
        for what, runs in self.lost.items():
            fix = f"leave these lines out, or choose a format with a place for it ({formats.GEMINI} has most)"
            if what.startswith(FIELD):
                fix = f"is it part of the question? Join them; if it is none, --drop {what.removeprefix(FIELD)}"
            where, named = f"{uri}:{runs[0][0]}", f"{self.to} has no place for {what}: {_lines(runs)}"
            problems.append(Problem(where=where, what=named, fix=fix))
        if problems:
            raise DatasetError(problems, title="the dataset cannot be converted")


def _lines(runs: list[list[int]]) -> str:
    """Lines in words: `line 3`, `lines 1 to 300, 310, 312 to 400`."""
    shown = [str(first) if first == last else f"{first} to {last}" for first, last in runs[:KEPT]]
    more = f" and {len(runs) - KEPT:,} more runs of lines" if len(runs) > KEPT else ""
    return ("line " if len(runs) == 1 and runs[0][0] == runs[0][1] else "lines ") + ", ".join(shown) + more


def record_at(fd: int, offset: int, length: int, line: int) -> Record:
    """A line read again by its place."""
    import os

    return Record(data=os.pread(fd, length, offset), offset=offset, line=line)


def lacking(walked: Walked, to: str, context: str, drop: Collection[str]) -> str:
    """What of an example the format `to` has no place for, in words; '' where it carries all of it."""
    roles = [turn.role for turn in walked.turns]
    unread = [name for name in walked.unread if name not in drop]
    if unread:
        return FIELD + unread[0]
    if walked.rejected and to != formats.PREFERENCE:
        return "a rejected answer"
    if walked.functions:
        return "functions"
    if walked.media:
        return "files"
    if walked.resolution:
        return "mediaResolution"
    if to in (formats.PALM_TEXT, formats.GEMINI_API, formats.PROMPT_COMPLETION):
        if SYSTEM in roles or context:
            return "a system text"
        if len(roles) > 2:
            return f"{len(roles)} turns"
    if to == formats.PALM_CHAT:
        spoken = [role for role in roles if role != SYSTEM]
        if any(role != (USER, ASSISTANT)[n % 2] for n, role in enumerate(spoken)):
            return "two turns of one author in a row"
    return ""


def write_example(turns: list[Turn], to: str, rejected: str = "") -> dict[str, object]:
    """The turns as one example of the format, which has a place for them; `rejected` is of a preference."""
    system = next((turn.text for turn in turns if turn.role == SYSTEM), "")
    spoken = [turn for turn in turns if turn.role != SYSTEM]
    if to in formats.MARKS:
        first, second = formats.MARKS[to]
        return {first: spoken[0].text, second: spoken[-1].text}
    if to == formats.PALM_CHAT:
        chat: dict[str, object] = {"messages": [{"author": turn.role, "content": turn.text} for turn in spoken]}
        return chat | ({"context": system} if system else {})
    if to in (formats.OPENAI, formats.GEMINI_1_0):
        names = {ASSISTANT: "model" if to == formats.GEMINI_1_0 else "assistant"}
        return {"messages": [{"role": names.get(turn.role, turn.role), "content": turn.text} for turn in turns]}
    instruction = {"systemInstruction": {"parts": [{"text": system}]}} if system else {}
    contents = [_content(turn.role, turn.text) for turn in spoken]
    if to == formats.PREFERENCE:
        answers = [(spoken[-1].text, 1), (rejected, 0)]
        completions = [{"score": score, "completion": _content(ASSISTANT, text)} for text, score in answers]
        return {**instruction, "contents": contents[:-1], "completions": completions}
    return {**instruction, "contents": contents}


def _content(role: str, text: str) -> dict[str, object]:
    return {"role": "model" if role == ASSISTANT else "user", "parts": [{"text": text}]}


def _gemini_pairs(inputs: list[str], outputs: list[str]) -> list[GeminiPair]:
    return [
        GeminiPair(
            contents=(
                UserContent(role="user", parts=(TextPart(text=prompt),)),
                ModelContent(role="model", parts=(TextPart(text=answer),)),
            )
        )
        for prompt, answer in zip(inputs, outputs, strict=True)
    ]


_PAIRS: dict[str, Callable[[list[str], list[str]], list]] = {
    formats.GEMINI: _gemini_pairs,
    formats.PALM_TEXT: lambda inputs, outputs: list(map(PalmText, inputs, outputs)),
    formats.GEMINI_API: lambda inputs, outputs: list(map(GeminiApi, inputs, outputs)),
    formats.PROMPT_COMPLETION: lambda inputs, outputs: list(map(PromptCompletion, inputs, outputs)),
}
"""Writers of plain pairs, a batch at a time."""
