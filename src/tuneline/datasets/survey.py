"""What one range of a file holds: findings, counts and rows, gathered record by record, and joined range by range."""

from __future__ import annotations

from codecs import utf_16_le_encode
from collections import Counter
from typing import TYPE_CHECKING

import xxhash

from tuneline.datasets import formats
from tuneline.datasets.findings import Findings, finding
from tuneline.datasets.model import ASSISTANT, SYSTEM, USER, Turn
from tuneline.datasets.record import Record
from tuneline.datasets.rows import EXAMPLE, RAW, Rows

if TYPE_CHECKING:
    from tuneline.datasets.inspect import Inspected

MAX_CLASSES = 100
"""Distinct outputs up to which a set is looked at as a classification."""
SHORT = 256
"""Characters up to which a key is hashed as UTF-8 whatever it holds."""
MAX_LABEL = 200
"""Characters of the longest label."""


def input_key(turns: list[Turn] | tuple[Turn, ...]) -> str:
    """All but the response, as one text: equal exactly where two examples ask the same.

    The text alone for one plain prompt; else every turn with its role, parted by a character that texts do not use.
    """
    if len(turns) == 2 and turns[0].role == USER:
        return turns[0].text
    return "\x1e".join(f"{turn.role}\x1f{turn.text}" for turn in turns[:-1])


def key_bytes(key: str) -> bytes:
    """The key as bytes, the same for the same key: UTF-8, but UTF-16 for long ones that are not ASCII, which Python
    writes in two thirds of the time."""
    return key.encode() if len(key) <= SHORT or key.isascii() else utf_16_le_encode(key)[0]


def key_hash(key: str) -> int:
    """64 bits of the key."""
    return xxhash.xxh3_64_intdigest(key_bytes(key))


def raw_hash(data: bytes) -> int:
    """64 bits of a record that could not be read as an example; apart from the keys of those that could."""
    return xxhash.xxh3_64_intdigest(data, seed=1)


class Survey:
    """Everything gathered from the records seen so far."""

    def __init__(self, form: str, *, kept: int, rows: Rows | None = None) -> None:
        self.form = form
        self.findings = Findings(kept)
        self.rows = rows or Rows()
        self.records = 0
        self.lines = 0
        self.turns = 0
        self.authors = 0
        self.with_system = 0
        self.with_functions = 0
        self.media: Counter[str] = Counter()
        self.walked = 0
        """Records that were looked at one by one."""
        self.blank = 0
        self.first_blank = 0
        self.crlf = 0
        self.classes: Counter[str] | None = Counter()
        """Output → examples with it; None once there are too many for classes."""
        self.resolutions: dict[str, list[int]] = {}
        """mediaResolution → [examples, line of the first]."""

    def add(self, record: Record) -> Inspected:
        """Inspects one record the exact way and takes it in."""
        # Not imported where all records are plain: another process should start fast.
        from tuneline.datasets.inspect import inspect

        seen = inspect(record, self.form, self.findings)
        if record.stray:
            return seen
        self.records += 1
        walked = seen.walked
        if walked is not None:
            self.authors += walked.authors
            self.with_functions += walked.functions
            if walked.resolution or walked.media:
                self._resolution(walked.resolution or "unset", record.line)
            for mime, _, _ in walked.media:
                self.media[mime.split("/", 1)[0] if "/" in mime else "unknown"] += 1
            self._media_limits(walked.media, record)
        turns = walked.turns if walked is not None else []
        if seen.sound and len(turns) >= 2 and turns[-1].role == ASSISTANT:
            self._example(turns, record)
        elif record.data:
            data = record.data.rstrip(b"\r\n \t")
            self.rows.append(raw_hash(data), record.offset, len(record.data), record.line, 0, 0, record.column, RAW)
        return seen

    def _example(self, turns: list[Turn], record: Record) -> None:
        key = input_key(turns)
        self.turns += sum(turn.role != SYSTEM for turn in turns)
        self.with_system += turns[0].role == SYSTEM
        output = turns[-1].text
        self.rows.append(
            key_hash(key),
            record.offset,
            len(record.data),
            record.line,
            sum(len(turn.text) for turn in turns[:-1]),
            len(output),
            record.column,
            EXAMPLE,
        )
        self.count_classes([output])

    def count_classes(self, outputs: list[str]) -> None:
        """Counts short outputs, until there are too many different ones."""
        if self.classes is not None:
            if max(map(len, outputs), default=0) > MAX_LABEL:
                self.classes = None
                return
            self.classes.update(outputs)
            if len(self.classes) > MAX_CLASSES:
                self.classes = None

    def _resolution(self, value: str, line: int) -> None:
        entry = self.resolutions.setdefault(value, [0, line])
        entry[0] += 1

    def _media_limits(self, media: list[tuple[str, str, str]], record: Record) -> None:
        from tuneline.datasets.limits import media_problems

        if media and self.form == formats.GEMINI:
            for code, path, message in media_problems(media):
                self.findings.add(finding(code, message, line=record.line, column=1, path=path))

    def merge(self, other: Survey) -> None:
        """Takes over a later range; its lines are counted from its own beginning."""
        offset = self.lines
        self.findings.merge(
            other.findings.all(), dict(other.findings.counts), other.findings.errors, line_offset=offset
        )
        self.rows.adopt(other.rows, offset)
        self.records += other.records
        self.turns += other.turns
        self.authors += other.authors
        self.with_system += other.with_system
        self.with_functions += other.with_functions
        self.media.update(other.media)
        if other.blank and not self.blank:
            self.first_blank = other.first_blank + offset
        self.blank += other.blank
        self.walked += other.walked
        self.crlf += other.crlf
        if self.classes is not None and other.classes is not None:
            self.classes.update(other.classes)
            if len(self.classes) > MAX_CLASSES:
                self.classes = None
        else:
            self.classes = None
        for value, (number, line) in other.resolutions.items():
            entry = self.resolutions.setdefault(value, [0, line + offset])
            entry[0] += number
        self.lines += other.lines
