"""One record of a file: an example, before anybody knows whether it is one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Record:
    """The bytes of one example and where they stand."""

    data: bytes
    offset: int
    line: int
    column: int = 1
    """1-based byte of the line where it begins: 1 but for arrays and the like."""
    too_long: int = 0
    """Its length, where it was too long to be read; `data` is then empty."""
    stray: bool = False
    """What stands between the values of an array, and is none."""
