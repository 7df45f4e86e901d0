"""A corrected copy: what can be put right without guessing is, what cannot is left out, and every change is told.

Put right: byte order mark, CR LF, blank lines, gzip, arrays and other containers, unknown fields, unusual spellings.
Left out: lines that occur before, empty turns, and every line with an error that only its author can repair.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import xxhash

from tuneline.datasets import formats
from tuneline.datasets.catalogue import ERROR
from tuneline.datasets.containers import JSONL, Layout, layout, records
from tuneline.datasets.findings import Findings
from tuneline.datasets.inspect import inspect
from tuneline.datasets.reading import form_of, known_format, unknown
from tuneline.datasets.record import Record
from tuneline.datasets.sources import Source, open_source, refuse
from tuneline.datasets.writing import new_file

REMOVED, REWRITTEN, LEFT_OUT = "removed", "rewritten", "left out"

_STEP = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+)\]|\[('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")\]")


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that the copy has otherwise."""

    line: int
    """Of the original; 0 for the whole file."""
    code: str
    action: str
    """`removed` (a field, a mark), `rewritten`, or `left out` (the example)."""
    path: str
    what: str

    def to_dict(self) -> dict[str, object]:
        return {"line": self.line, "code": self.code, "action": self.action, "path": self.path, "what": self.what}


@dataclass
class Fixed:
    """What was written, and what was changed."""

    kept: int = 0
    left_out: int = 0
    changes: Counter[str] = field(default_factory=Counter)
    """Code → changes of that kind."""
    changes_uri: str = ""
    """JSON lines, one a change."""


def fix(uri: str, output: str, *, format: str | None = None) -> Fixed:
    """Writes the corrected copy at `output`, and every change as a line of `output` + `.changes.jsonl`.

    Of another's format that can be read the copy is in that format too. Raises `DatasetError` where there is nothing
    to correct (no readable file, no JSON, no format that anybody knows), `UsageError` where `output` is the dataset.
    """
    done = Fixed(changes_uri=f"{output}.changes.jsonl")
    with (
        open_source(uri) as source,
        new_file(output, made_from=uri) as file,
        new_file(done.changes_uri, made_from=uri) as log,
    ):
        where = layout(source.fd, source.size)
        if where.is_something_else:
            raise refuse(uri, f"this is {where.is_something_else}", "export the data as JSON lines in UTF-8")
        form = known_format(format) if format else form_of(source, where)
        if form == formats.UNKNOWN and not (found := unknown(source, where)).convertible:
            raise refuse(uri, found.what, found.hint)
        for value, changes in _corrected(source, where, form):
            for change in changes:
                done.changes[change.code] += 1
                log.write(orjson.dumps(change.to_dict(), option=orjson.OPT_APPEND_NEWLINE))
            if value is not None:
                done.kept += 1
                file.write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE))
            done.left_out += any(change.action == LEFT_OUT for change in changes)
        if source.changed():
            raise refuse(uri, "the file changed while it was read", "try again once nothing writes to it")
    return done


def _corrected(source: Source, where: Layout, form: str) -> Iterator[tuple[object | None, list[Change]]]:
    """(value to write or None, changes) of the file as a whole, then of each example."""
    whole = []
    if where.bom:
        whole.append(Change(line=0, code="D104", action=REMOVED, path="", what="the byte order mark"))
    if source.compressed:
        whole.append(Change(line=0, code="D112", action=REWRITTEN, path="", what="gzip, as plain text"))
    if where.container != JSONL:
        whole.append(Change(line=0, code="D107", action=REWRITTEN, path="", what=f"{where.container}, as JSON lines"))
    yield None, whole
    seen: set[int] = set()
    last = 0
    for record in records(source.fd, source.size, where):
        changes = []
        if where.container == JSONL:
            changes = [
                Change(line=line, code="D106", action=REMOVED, path="", what="a blank line")
                for line in range(last + 1, record.line)
            ]
            if record.data.endswith(b"\r"):
                changes.append(Change(line=record.line, code="D105", action=REWRITTEN, path="", what="CR LF, as LF"))
            last = record.line
        if changes:
            yield None, [change for change in changes if change.code == "D106"]
        value, more = _example(record, form, seen)
        yield value, more + [change for change in changes if change.code == "D105"]


def _example(record: Record, form: str, seen: set[int]) -> tuple[object | None, list[Change]]:
    line = record.line
    # 128 bits: two different lines of one digest are not to be expected in the life of the universe.
    digest = xxhash.xxh3_128_intdigest(record.data.rstrip(b"\r\n \t"))
    findings = Findings(1000)
    found = inspect(record, form, findings)
    fatal = [item for item in findings.all() if item.severity == ERROR]
    if fatal:
        first = fatal[0]
        return None, [Change(line=line, code=first.code, action=LEFT_OUT, path=first.path, what=first.message)]
    if digest in seen:
        return None, [Change(line=line, code="D601", action=LEFT_OUT, path="", what="a line that occurs before")]
    seen.add(digest)
    value: Any = found.value
    changes = []
    for item in findings.all():
        if item.code == "D303" and _remove(value, item.path):
            changes.append(Change(line=line, code="D303", action=REMOVED, path=item.path, what=item.message))
        elif item.code == "D305" and _usual(value, item.path):
            changes.append(Change(line=line, code="D305", action=REWRITTEN, path=item.path, what=item.message))
    return value, changes


def steps(path: str) -> list[str | int]:
    """The keys and indexes of a path such as `$.contents[0]['a key']`."""
    found: list[str | int] = []
    for name, index, quoted in _STEP.findall(path):
        if quoted:
            import ast

            found.append(ast.literal_eval(quoted))
        else:
            found.append(int(index) if index else name)
    return found


def _reach(value: Any, path: str) -> tuple[Any, str | int | None]:
    """The object that holds the last step of the path, and that step; None where it is not there any more."""
    way = steps(path)
    for step in way[:-1]:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None, None
    return value, way[-1] if way else None


def _remove(value: Any, path: str) -> bool:
    holder, key = _reach(value, path)
    if not isinstance(holder, dict) or key not in holder:
        return False
    del holder[key]
    return True


def _usual(value: Any, path: str) -> bool:
    """Puts one unusual spelling right."""
    holder, key = _reach(value, path)
    if not isinstance(holder, dict) or key not in holder:
        return False
    given = holder[key]
    if key == "role" and path.startswith(("$.systemInstruction", "$.system_instruction")):
        del holder[key]
    elif key in ("role", "author") and isinstance(given, str):
        holder[key] = given.lower()
    elif key == "parts" and isinstance(given, dict):
        holder[key] = [given]
    elif key == "content" and isinstance(given, list):
        holder[key] = "\n".join(part["text"] for part in given)
    else:
        return False
    return True


def render_changes(done: Fixed) -> str:
    """The changes as a few lines of text."""
    from tuneline.datasets.catalogue import CHECKS

    lines = [f"{done.kept:,} examples written, {done.left_out:,} left out"]
    lines += [f"  {code} {CHECKS[code].name}: {number:,}" for code, number in sorted(done.changes.items())]
    return "\n".join([*lines, f"every change: {done.changes_uri}"])
