"""Lists of objects: prefix, delimiter, pages, offsets, globs and versions.

https://cloud.google.com/storage/docs/json_api/v1/objects/list. Names are in the order of their UTF-8 bytes, which is
the order of SQLite's text; a whole "folder" that collapses into a prefix is passed over in one step.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tuneline.local.storage.errors import invalid
from tuneline.local.storage.exchange import Request
from tuneline.local.storage.store import Resource, Store, loaded

MAX_PAGE = 1000
_LAST = (1 << 62) - 1


@dataclass(frozen=True, kw_only=True)
class Query:
    """What a list asks for; `limit` counts items and prefixes together."""

    bucket: str
    prefix: str = ""
    delimiter: str = ""
    start: str = ""
    end: str = ""
    glob: str = ""
    versions: bool = False
    trailing: bool = False
    """Items that end in the delimiter are told as items too, not only as prefixes."""
    limit: int = MAX_PAGE
    after: str = ""
    """The page token: what the page before ended with."""


@dataclass(frozen=True, kw_only=True)
class Page:
    items: list[Resource]
    prefixes: list[str]
    next_token: str


def of_query(request: Request, bucket: str) -> Query:
    limit = request.number("maxResults")
    if limit is not None and limit < 0:
        raise invalid(f"Invalid value for maxResults: {limit} is negative.", location="maxResults")
    glob, delimiter = request.first("matchGlob"), request.first("delimiter")
    if glob and delimiter not in ("", "/"):
        raise invalid("With matchGlob the delimiter must be '/' or absent.", location="delimiter")
    return Query(
        bucket=bucket,
        prefix=request.first("prefix"),
        delimiter=delimiter,
        start=request.first("startOffset"),
        end=request.first("endOffset"),
        glob=glob,
        versions=request.flag("versions"),
        trailing=request.flag("includeTrailingDelimiter"),
        limit=min(limit or MAX_PAGE, MAX_PAGE),
        after=request.first("pageToken"),
    )


def page(store: Store, query: Query) -> Page:
    """One page of what a query asks for, and the token of the next ('' after the last)."""
    store.bucket(query.bucket)
    items: list[Resource] = []
    prefixes: list[str] = []
    last = ("", 0)
    for entry in _entries(store, query):
        if len(items) + len(prefixes) >= query.limit:
            return Page(items=items, prefixes=prefixes, next_token=_token(*last))
        if isinstance(entry, str):
            prefixes.append(entry)
            last = (entry, -1)
        else:
            items.append(entry)
            # Replaced between two pages, an object must not be told twice; with versions, every one is told.
            last = (entry["name"], int(entry["generation"]) if query.versions else _LAST)
    return Page(items=items, prefixes=prefixes, next_token="")


def _entries(store: Store, query: Query) -> Iterator[Resource | str]:
    """Items and prefixes in order, from where the page begins."""
    matches = re.compile(_expression(query.glob), re.S).fullmatch if query.glob else None
    stop, told = successor(query.prefix), ""
    position: tuple[str, int] | None = (max(query.prefix, query.start), -1)
    if query.after:
        after = _position(query.after)
        told = _folder(after[0], query)
        # A page that ended with a prefix may have ended below the start: `a/` of `a/b`, where the list starts there.
        position = max(position, after)
    only_live = "" if query.versions else "AND live = 1"
    statement = (
        f"SELECT name, generation, resource FROM objects WHERE bucket = ? AND (name, generation) > (?, ?) {only_live} "
        "ORDER BY name, generation"
    )
    while position is not None:
        rows = store.index.scan(statement, query.bucket, *position)
        position = None
        for row in rows:
            name = row["name"]
            if (stop and name >= stop) or (query.end and name >= query.end):
                break
            if matches and not matches(name):
                continue
            folder = _folder(name, query)
            if not folder:
                yield loaded(row)
                continue
            if folder != told:
                told = folder
                yield folder
            if name == folder and query.trailing:
                yield loaded(row)
            else:  # nothing more is told of this folder: go on behind it
                position = (successor(folder), -1) if successor(folder) else None
                break
        rows.close()


def _folder(name: str, query: Query) -> str:
    """The prefix that an object collapses into; '' where it stands for itself."""
    at = name.find(query.delimiter, len(query.prefix)) if query.delimiter else -1
    return name[: at + len(query.delimiter)] if at >= 0 else ""


def successor(prefix: str) -> str:
    """The least text that is greater than everything that begins with `prefix`; '' if there is none."""
    for at in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[at]) + 1
        if code == 0xD800:  # surrogates are no characters
            code = 0xE000
        if code <= 0x10FFFF:
            return prefix[:at] + chr(code)
    return ""


def _token(name: str, generation: int) -> str:
    return base64.urlsafe_b64encode(f"{generation} {name}".encode()).decode()


def _position(token: str) -> tuple[str, int]:
    try:
        generation, _, name = base64.urlsafe_b64decode(token).decode().partition(" ")
        return name, int(generation)
    except ValueError as error:
        raise invalid(f"Invalid page token: '{token[:60]}'.", location="pageToken") from error


def _expression(glob: str) -> str:
    """A glob as an expression: `*` and `?` stop at slashes, `**` does not; `[a-z]`, `[!a]`, `{one,two}`, `\\`."""
    out, at, depth = "", 0, 0
    while at < len(glob):
        here = glob[at]
        at += 1
        if here == "*":
            if glob[at : at + 1] == "*":
                at += 1
                if glob[at : at + 1] == "/" and (at == 2 or glob[at - 3] == "/"):  # `**/` matches no folder too
                    at += 1
                    out += "(?:.*/)?"
                else:
                    out += ".*"
            else:
                out += "[^/]*"
        elif here == "?":
            out += "[^/]"
        elif here == "[" and (end := glob.find("]", at + 1 + (glob[at : at + 1] in ("!", "^")))) > 0:
            negated = glob[at] in "!^"
            members = re.sub(r"([\\\[\]&~|^])", r"\\\1", glob[at + negated : end])
            out += f"(?!/)[{'^' if negated else ''}{members}]"
            at = end + 1
        elif here == "{" and "}" in glob[at:]:
            depth += 1
            out += "(?:"
        elif here == "," and depth:
            out += "|"
        elif here == "}" and depth:
            depth -= 1
            out += ")"
        elif here == "\\" and at < len(glob):
            out += re.escape(glob[at])
            at += 1
        else:
            out += re.escape(here)
    try:
        re.compile(out)
    except re.error as error:
        raise invalid(f"Invalid matchGlob '{glob[:80]}': {error}.", location="matchGlob") from error
    return out
