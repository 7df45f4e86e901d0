"""What is known of an object without reading it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class ObjectInfo:
    """One object, as its store describes it."""

    uri: str
    size: int
    """Bytes."""
    crc32c: str
    """As Cloud Storage writes it: the big-endian checksum in base64. `''` in a listing of files, which reads none."""
    generation: int
    """Grows with every replacement: Cloud Storage's generation, a file's modification time in nanoseconds."""
    created: datetime
    """When these bytes got there, by the store's clock (UTC)."""
    server_time: datetime
    """The store's clock when it said so (UTC): age is `server_time - created`, and no local clock is in it.

    Cloud Storage tells it in whole seconds, so that an age can come out up to a second too small, and below zero.
    """
