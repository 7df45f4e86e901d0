"""sha256, and crc32c as Cloud Storage writes it, of a file that is read in blocks."""

from __future__ import annotations

import base64
import hashlib
import os

READ = 1 << 18
"""Bytes read at once: they stay in the processor's cache for both sums."""


class Crc32c:
    """A running crc32c."""

    def __init__(self) -> None:
        import google_crc32c

        self._extend = google_crc32c.extend
        self.value = 0

    def update(self, data: bytes) -> None:
        self.value = self._extend(self.value, data)

    def base64(self) -> str:
        """As Cloud Storage gives it: base64 of the big-endian four bytes."""
        return base64.b64encode(self.value.to_bytes(4, "big")).decode()


class Sums:
    """Checksums of a file out of blocks of it, in order, which may leave some out: a byte order mark, a line too long
    to be read, what another process reads. crc32c, and sha256 where it is asked for."""

    def __init__(self, fd: int, *, sha: bool) -> None:
        self.fd, self.at = fd, 0
        self._crc = Crc32c()
        self._sha = hashlib.sha256() if sha else None

    def take(self, offset: int, data: memoryview) -> None:
        """A block that begins at `offset`; what was left out before it is read."""
        self.up_to(offset)
        self._add(bytes(data))

    def up_to(self, offset: int) -> None:
        """Reads what was left out before `offset`."""
        while self.at < offset:
            data = os.pread(self.fd, min(READ, offset - self.at), self.at)
            if not data:
                return
            self._add(data)

    def sha256(self) -> str:
        """In hexadecimal digits; '' if it was not asked for."""
        return self._sha.hexdigest() if self._sha else ""

    def crc32c(self) -> str:
        """As Cloud Storage gives it."""
        return self._crc.base64()

    def _add(self, data: bytes) -> None:
        if self._sha:
            self._sha.update(data)
        self._crc.update(data)
        self.at += len(data)
