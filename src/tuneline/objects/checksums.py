"""CRC32C, the checksum that Cloud Storage keeps of every object."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import BinaryIO

BLOCK = 1 << 20


def crc32c(blocks: Iterable[bytes]) -> str:
    """The checksum of the blocks together, in base64 of its four big-endian bytes."""
    import google_crc32c

    value = 0
    for block in blocks:
        value = google_crc32c.extend(value, block)
    return base64.b64encode(value.to_bytes(4, "big")).decode()


def blocks(stream: BinaryIO) -> Iterable[bytes]:
    """The stream in blocks of 1 MiB."""
    while block := stream.read(BLOCK):
        yield block
