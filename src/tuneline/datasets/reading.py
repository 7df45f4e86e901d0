"""Reading a dataset as examples, whatever its format and container."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from tuneline.datasets import formats
from tuneline.datasets.containers import Layout, layout, records
from tuneline.datasets.findings import Findings
from tuneline.datasets.foreign import foreign
from tuneline.datasets.inspect import inspect, sniff
from tuneline.datasets.model import SYSTEM, Example, Preference, Turn
from tuneline.datasets.sources import Source, open_source, refuse
from tuneline.datasets.syntax import decode, parse
from tuneline.datasets.walked import Walked
from tuneline.errors import DatasetError, Problem, UsageError

SNIFFED = 200
"""Examples that are looked at to tell the format."""


def detect_format(uri: str) -> str:
    """The dataset's format by its first examples: one of `formats.FORMATS`, or `unknown`.

    Raises `DatasetError` where there is no readable file.
    """
    with open_source(uri) as source:
        return form_of(source, layout(source.fd, source.size))


def form_of(source: Source, where: Layout) -> str:
    """The format of an open dataset."""
    if where.is_something_else:
        return formats.UNKNOWN
    return sniff(list(islice(records(source.fd, source.size, where), SNIFFED)))


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """What is to be said of a dataset of no known format."""

    what: str
    hint: str
    line: int
    """Of the first example."""
    convertible: tuple[str, ...]
    """The formats that `tuneline convert` makes of it."""


def unknown(source: Source, where: Layout) -> Unknown:
    """What the examples are, by the first of them, and what to do about it."""
    first: dict[str, object] = {}
    line = 1
    for record in islice(records(source.fd, source.size, where), SNIFFED):
        value, fault = parse(decode(record.data)[0])
        if fault is None and isinstance(value, dict):
            first, line = value, record.line
            break
    theirs = foreign(first)
    if theirs is None:
        keys = ", ".join(repr(key[:40]) for key in list(first)[:8]) or "none"
        hint = f"write one of {', '.join(formats.FORMATS)}: docs/datasets.md shows them"
        return Unknown(
            what=f"no known format; the first example's keys are {keys}", hint=hint, line=line, convertible=()
        )
    what = f"no known format: the examples are {theirs.name}"
    if not theirs.kind:
        return Unknown(what=what, hint=theirs.way, line=line, convertible=())
    pairs = tuple(name for name in formats.FORMATS if name != formats.PREFERENCE)
    convertible = (formats.PREFERENCE,) if theirs.preference else pairs
    hint = f"tuneline convert {source.uri} --to {convertible[0]} -o NEW.jsonl reads them"
    return Unknown(what=what, hint=hint, line=line, convertible=convertible)


def refuse_unknown(source: Source, where: Layout) -> DatasetError:
    """The error of a dataset of no known format."""
    found = unknown(source, where)
    return refuse(source.uri, found.what, found.hint)


def known_format(name: str) -> str:
    """The name, if it is a format's; raises `UsageError` with the nearest one."""
    if name in formats.FORMATS:
        return name
    from difflib import get_close_matches

    near = get_close_matches(name, formats.FORMATS, n=1)
    fix = f"did you mean {near[0]!r}?" if near else f"one of {', '.join(formats.FORMATS)}"
    raise UsageError([Problem(where="format", what=f"{name!r} is no known format", fix=fix)])


def read_examples(uri: str, *, format: str | None = None, default_context: str = "") -> Iterator[Example]:
    """Every example in order, in a stream.

    `default_context` becomes the system turn of examples that have none. Of a preference set the response is the
    preferred one; `read_preferences` gives both. Raises `DatasetError` with all problems of the file (errors, not
    warnings); sound examples before the first problem have been yielded by then.
    """
    for walked, line in _sound(uri, known_format(format) if format else ""):
        yield as_example(walked.turns, line, default_context)


def read_preferences(uri: str, *, default_context: str = "") -> Iterator[Preference]:
    """Every example of a preference set in order, in a stream: the prompt, the preferred and the rejected response.

    `default_context` becomes the system turn of prompts that have none. Raises `DatasetError` as `read_examples` does,
    and where the set is no preference set.
    """
    for walked, line in _sound(uri, only=formats.PREFERENCE):
        example = as_example(walked.turns, line, default_context)
        yield Preference(prompt=example.prompt, preferred=example.response, rejected=walked.rejected, line=line)


def _sound(uri: str, form: str = "", *, only: str = "") -> Iterator[tuple[Walked, int]]:
    """Each example with its line, up to the first problem; then `DatasetError` with all of them."""
    with open_source(uri) as source:
        where = layout(source.fd, source.size)
        if where.is_something_else:
            raise refuse(uri, f"this is {where.is_something_else}", "export the data as JSON lines in UTF-8")
        form = form or form_of(source, where)
        if form == formats.UNKNOWN:
            raise refuse_unknown(source, where)
        if only and form != only:
            raise refuse(uri, f"this is {form}, where a {only} set is needed", "docs/datasets.md shows the format")
        findings = Findings()
        number = 0
        for record in records(source.fd, source.size, where):
            number += 1
            seen = inspect(record, form, findings)
            if seen.walked is not None and not findings.errors:
                yield seen.walked, record.line
        if not number:
            raise refuse(uri, "the file holds no example", "check what wrote it")
        if source.changed():
            raise refuse(uri, "the file changed while it was read", "try again once nothing writes to it")
        if findings.errors:
            raise dataset_error(uri, findings)


def as_example(turns: list[Turn], line: int, default_context: str) -> Example:
    """The turns as an example, with the default context where they have no system turn."""
    if default_context and turns[0].role != SYSTEM:
        turns = [Turn(role=SYSTEM, text=default_context), *turns]
    return Example(turns=tuple(turns), line=line)


def dataset_error(uri: str, findings: Findings) -> DatasetError:
    """All errors found, as one exception: those kept in full, the others as a number."""
    errors = [item for item in findings.all() if item.severity == "error"]
    problems = [
        Problem(where=f"{uri}:{item.line}:{item.column}" if item.line else uri, what=item.message, fix=item.hint)
        for item in errors
    ]
    if findings.errors > len(errors):
        more = findings.errors - len(errors)
        problems.append(
            Problem(
                where=uri, what=f"and {more:,} more of the same kinds", fix=f"see them with: tuneline validate {uri}"
            )
        )
    return DatasetError(problems)
