"""crc32c as Cloud Storage writes it, in pieces that can be computed apart and joined."""

from __future__ import annotations

import base64
from functools import lru_cache

_POLYNOMIAL = 0x82F63B78


class Crc32c:
    """A running crc32c."""

    def __init__(self) -> None:
        import google_crc32c

        self._extend = google_crc32c.extend
        self.value = 0

    def update(self, data: bytes) -> None:
        self.value = self._extend(self.value, data)

    def base64(self) -> str:
        return encode(self.value)


def encode(value: int) -> str:
    """The checksum as Cloud Storage gives it: base64 of the big-endian four bytes."""
    return base64.b64encode(value.to_bytes(4, "big")).decode()


def combine(first: int, second: int, second_length: int) -> int:
    """The crc32c of two pieces of data from theirs, as zlib's crc32_combine does it: the first is carried over
    `second_length` zero bytes by a matrix over GF(2), squared for each bit of the length."""
    bit = 0
    while second_length:
        if second_length & 1:
            first = _times(_zeros(bit), first)
        second_length >>= 1
        bit += 1
    return first ^ second


@lru_cache(maxsize=64)
def _zeros(bit: int) -> tuple[int, ...]:
    """The matrix that carries a checksum over 2**bit zero bytes."""
    if bit == 0:
        matrix = (_POLYNOMIAL, *(1 << n for n in range(31)))
        for _ in range(3):
            matrix = tuple(_times(matrix, row) for row in matrix)
        return matrix
    half = _zeros(bit - 1)
    return tuple(_times(half, row) for row in half)


def _times(matrix: tuple[int, ...], vector: int) -> int:
    total, row = 0, 0
    while vector:
        if vector & 1:
            total ^= matrix[row]
        vector >>= 1
        row += 1
    return total
