"""How a file holds its examples: one a line, in an array, in a wrapping object, or one after the other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from tuneline.datasets import formats
from tuneline.datasets.lines import MAX_LINE, Lines, LongLine, blocks
from tuneline.datasets.record import Record
from tuneline.datasets.structure import Span, spans

JSONL, ARRAY, OBJECT, CONCATENATED, BROKEN = "jsonl", "json-array", "json-object", "concatenated", "broken"
HEAD = 1 << 20
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The container, where its examples begin, and what was noticed on the way."""

    container: str
    start: int = 0
    """Byte after the byte order mark; for an array, after its bracket."""
    line: int = 1
    column: int = 1
    bom: bool = False
    is_something_else: str = ""
    """What the file is, if not JSON."""
    wrapper: str = ""
    """Path of the list in a wrapping object."""


_MAGIC = (
    (b"PK\x03\x04", "a zip archive (or a spreadsheet, which is one)"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"Obj\x01", "an Avro file"),
    (b"%PDF", "a PDF document"),
    (b"SQLite format 3", "an SQLite database"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x80\x04\x95", "a Python pickle"),
    (b"\xff\xfe", "text in UTF-16 (little endian)"),
    (b"\xfe\xff", "text in UTF-16 (big endian)"),
    (b"\x7fELF", "a program"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"version https://git-lfs", "a Git LFS pointer, not the data"),
)


def layout(fd: int, size: int) -> Layout:
    """Looks at the first megabyte and says how the file is laid out."""
    head = os.pread(fd, HEAD, 0)
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return Layout(container=BROKEN, is_something_else=name)
    bom = head.startswith(BOM)
    start = len(BOM) if bom else 0
    body = head[start:]
    stripped = body.lstrip()
    if not stripped:
        return Layout(container=JSONL if size <= HEAD else BROKEN, start=start, bom=bom)
    if body[:200].count(0) > 20:
        return Layout(container=BROKEN, bom=bom, is_something_else="binary data, or text in UTF-16")
    whole = size <= HEAD
    container, wrapper = _kind(stripped, whole)
    if container in (ARRAY, OBJECT):
        opening = start + len(body) - len(stripped)
        opening += _list_offset(stripped, wrapper)
        before = head[start:opening]
        newline = before.rfind(b"\n")
        column = (len(before) - newline - 1 if newline >= 0 else opening) + 1
        line = before.count(b"\n") + 1
        return Layout(container=container, start=opening + 1, line=line, column=column + 1, bom=bom, wrapper=wrapper)
    other = _text_kind(stripped) if container == JSONL else ""
    return Layout(container=BROKEN if other else container, start=start, bom=bom, is_something_else=other)


def _parsed(data: bytes) -> object | None:
    try:
        return orjson.loads(data)
    except (orjson.JSONDecodeError, RecursionError):
        return None


def _kind(body: bytes, whole: bool) -> tuple[str, str]:
    """(container, path of the wrapped list) of a body without leading white space."""
    first, _, rest = body.partition(b"\n")
    value = _parsed(first)
    more = bool(rest.strip()) or not whole
    if isinstance(value, dict):
        wrapper = "" if more else _wrapper(first, value)
        return (OBJECT, wrapper) if wrapper else (JSONL, "")
    if isinstance(value, list):
        return (JSONL if more else ARRAY), ""
    if value is not None:
        return JSONL, ""
    if body[:1] == b"[":
        # A broken line of JSON lines that begins with a bracket is not the beginning of an array of objects.
        return (ARRAY if body[1:].lstrip()[:1] in (b"{", b"]", b"[", b"") else JSONL), ""
    if body[:1] != b"{":
        return JSONL, ""
    if whole and (everything := _parsed(body)) is not None:
        wrapper = _wrapper(body, everything)
        return (OBJECT, wrapper) if wrapper else (CONCATENATED, "")
    wrapper = _wrapper(body, None)
    if wrapper:
        return OBJECT, wrapper
    return (CONCATENATED if _runs_on(body) else JSONL), ""


def _wrapper(body: bytes, value: object) -> str:
    """Dotted path of the list of examples in a wrapping object; '' if it wraps nothing."""
    if value is not None and formats.of(value) != formats.UNKNOWN:
        return ""
    for keys in formats.WRAPPERS:
        if value is None:
            if _list_offset(body, ".".join(keys)):
                return ".".join(keys)
            continue
        inner = value
        for key in keys:
            inner = inner.get(key) if isinstance(inner, dict) else None
        if isinstance(inner, list) and all(isinstance(item, dict) for item in inner):
            return ".".join(keys)
    return ""


def _list_offset(body: bytes, wrapper: str) -> int:
    """Byte of the bracket that opens the wrapped list, 0 where there is none (or nothing wraps)."""
    if not wrapper:
        return 0
    from tuneline.datasets.places import scan

    text = body.decode("utf-8", "replace")
    at = scan(text).at.get("$." + wrapper)
    return len(text[:at].encode()) if at is not None and text[at] == "[" else 0


def _runs_on(body: bytes) -> bool:
    """Whether the first values are whole JSON that ends elsewhere than at a line's end."""
    depth_end = _first_value_end(body)
    if depth_end == 0:
        return False
    value = _parsed(body[:depth_end])
    if value is None:
        return False
    # Over several lines, or with a second value behind it on its line.
    return b"\n" in body[:depth_end] or body[depth_end:].lstrip(b" \t\r,")[:1] == b"{"


def _first_value_end(body: bytes) -> int:
    depth, in_string, skip = 0, False, False
    for position, byte in enumerate(body):
        if skip:
            skip = False
        elif in_string:
            if byte == 0x5C:
                skip = True
            elif byte == 0x22:
                in_string = False
        elif byte == 0x22:
            in_string = True
        elif byte in b"{[":
            depth += 1
        elif byte in b"}]":
            depth -= 1
            if depth <= 0:
                return position + 1
    return 0


def _text_kind(body: bytes) -> str:
    """The name of a text that is plainly no JSON, from its first lines; '' where it may be broken JSON lines."""
    lines = [line.strip() for line in body[:20_000].split(b"\n")[:20] if line.strip()]
    if any(line[:1] in (b"{", b"[") for line in lines):
        return ""
    if any(_parsed(line) is not None for line in lines):
        return ""
    first = lines[0].lower() if lines else b""
    if first.startswith((b"<!doctype", b"<html", b"<?xml", b"<error")):
        return "an HTML or XML document (a saved error or login page?)"
    if first.startswith(b"---") or (first.endswith(b":") and b"{" not in first):
        return "YAML"
    for separator, name in ((b"\t", "a table separated by tabs"), (b",", "a table separated by commas (CSV)")):
        columns = {line.count(separator) for line in lines[:5]}
        if len(lines) > 1 and min(columns) >= 1 and (len(columns) == 1 or separator == b","):
            return name
    return "plain text"


def records(fd: int, size: int, where: Layout) -> Iterator[Record]:
    """Every example's bytes, in order; blank lines are passed over."""
    if where.container in (ARRAY, OBJECT):
        yield from _elements(fd, where)
    elif where.container == CONCATENATED:
        yield from _values(fd, where)
    else:
        yield from _lines(fd, size, where)


def _lines(fd: int, size: int, where: Layout) -> Iterator[Record]:
    line = 1
    for block in blocks(fd, where.start, size):
        if isinstance(block, LongLine):
            yield Record(data=b"", offset=block.offset, line=line, too_long=block.length)
            line += 1
            continue
        assert isinstance(block, Lines)
        offset = block.offset
        lines = block.data[: block.length]
        for data in lines.split(b"\n"):
            if data and not data.isspace():
                yield Record(data=data, offset=offset, line=line)
            offset += len(data) + 1
            line += 1
        # split() gives an empty piece after the last newline, which is no line.
        line -= lines.endswith(b"\n")


def _read(fd: int, span: Span) -> Record:
    if span.length > MAX_LINE:
        return Record(data=b"", offset=span.offset, line=span.line, column=span.column, too_long=span.length)
    return Record(data=os.pread(fd, span.length, span.offset), offset=span.offset, line=span.line, column=span.column)


def _values(fd: int, where: Layout) -> Iterator[Record]:
    end, line = where.start, 1
    for span in spans(fd, where.start):
        yield from _stray(fd, end, span.offset, line, b" \t\r\n,")
        yield _read(fd, span)
        end, line = span.offset + span.length, span.line
    yield from _stray(fd, end, end + HEAD, line, b" \t\r\n,")


def _elements(fd: int, where: Layout) -> Iterator[Record]:
    end, line = where.start, where.line
    for span in spans(fd, where.start, line=where.line, column=where.column):
        yield from _stray(fd, end, span.offset, line, b" \t\r\n,")
        yield _read(fd, span)
        end, line = span.offset + span.length, span.line
    tail = os.pread(fd, HEAD, end)
    before = tail.split(b"]", 1)[0]
    if b"]" not in tail or before.strip(b" \t\r\n,"):
        text = before.strip(b" \t\r\n,")[:1000]
        yield Record(data=text, offset=end, line=line + before.count(b"\n"), stray=True)


def _stray(fd: int, start: int, end: int, line: int, allowed: bytes) -> Iterator[Record]:
    """What stands between two values, if it is more than a comma and white space."""
    gap = os.pread(fd, min(end - start, HEAD), start)
    text = gap.strip(allowed)
    if text:
        lead = len(gap) - len(gap.lstrip(allowed))
        yield Record(data=text[:1000], offset=start + lead, line=line + gap[:lead].count(b"\n"), stray=True)
