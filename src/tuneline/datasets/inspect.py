"""One record, from its bytes to findings and turns: the exact path that every unusual line takes."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tuneline.datasets import formats
from tuneline.datasets.findings import Finding, Findings, finding
from tuneline.datasets.places import Places, scan
from tuneline.datasets.record import Record
from tuneline.datasets.syntax import Fault, decode, depth_fault, parse
from tuneline.datasets.walk import Walked, walk


@dataclass(frozen=True, kw_only=True)
class Inspected:
    """What a record turned out to be."""

    value: object
    """The parsed JSON; None where it is none."""
    walked: Walked | None
    """None where the text could not be parsed."""
    sound: bool
    """Whether nothing about it is an error."""


def inspect(record: Record, form: str, findings: Findings) -> Inspected:
    """Parses and walks a record; every fault and problem becomes a finding at its place."""
    if record.stray:
        shown = record.data[:40].decode("utf-8", "replace")
        value, fault = parse(record.data.decode("utf-8", "replace"))
        if fault is None and not isinstance(value, dict):
            findings.add(finding("D207", f"{shown!r} between the examples is no object", line=record.line))
        else:
            findings.add(
                finding(
                    "D201",
                    f"{shown!r} stands between the examples" if shown else "the list of examples is not closed",
                    line=record.line,
                    column=1,
                )
            )
        return Inspected(value=None, walked=None, sound=False)
    if record.too_long:
        findings.add(finding("D109", f"the line is {record.too_long:,} bytes long", line=record.line))
        return Inspected(value=None, walked=None, sound=False)
    text, fault = decode(record.data)
    if fault is None:
        value, fault = parse(text)
        if fault is None:
            fault = depth_fault(text)
    if fault is not None:
        findings.add(_located(fault, record, text))
        return Inspected(value=None, walked=None, sound=False)
    errors = findings.errors
    places: Places | None = None
    if _has_duplicate_key(text):
        places = scan(text)
        for path, position in places.duplicates:
            line, column = place(record, text, position)
            key = path.rsplit(".", 1)[-1]
            findings.add(
                finding("D202", f"the key {key!r} occurs twice in its object", line=line, column=column, path=path)
            )
    walked = walk(value, form)
    for code, path, message, hint, severity in walked.problems:
        line, column = record.line, 1
        if findings.wants(code):
            places = places or scan(text)
            line, column = place(record, text, places.find(path))
        findings.add(finding(code, message, line=line, column=column, path=path, hint=hint, severity=severity))
    return Inspected(value=value, walked=walked, sound=findings.errors == errors)


class _Duplicate(Exception):
    """Some object names a key twice."""


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Duplicate
    return found


# Numbers stay text: a million digits would cost a minute, or be refused.
_STRICT = json.JSONDecoder(object_pairs_hook=_unique, parse_int=str, parse_float=str)


def _has_duplicate_key(text: str) -> bool:
    """Whether some object of a valid text names a key twice."""
    try:
        _STRICT.decode(text)
    except _Duplicate:
        return True
    except RecursionError:
        return bool(scan(text).duplicates)
    return False


def place(record: Record, text: str, position: int) -> tuple[int, int]:
    """Line and column (from 1) in the file of a character of the record's text."""
    before = text.count("\n", 0, position)
    if before:
        return record.line + before, position - text.rfind("\n", 0, position)
    return record.line, position + record.column


def _located(fault: Fault, record: Record, text: str) -> Finding:
    line, column = place(record, text, fault.position)
    return finding(fault.code, fault.message, line=line, column=column, path=fault.path, hint=fault.hint)


def sniff(records: list[Record]) -> str:
    """The format that most of the records have; `unknown` where none has any."""
    values = []
    for record in records:
        if record.data and not record.stray:
            value, fault = parse(record.data.decode("utf-8", "replace"))
            if fault is None:
                values.append(value)
    return formats.vote(values)
