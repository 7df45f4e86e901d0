"""TensorBoard event files, written by hand: common writers strip the leading slash of the documented metric names.

A record is a length (uint64), its masked CRC-32C, the event, its masked CRC-32C; an event is a small protobuf
(`tensorboard/compat/proto/event.proto`): wall_time = 1 (double), step = 2 (int64), file_version = 3, summary = 5.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

NAMES = (
    "/train_total_loss",
    "/train_fraction_of_correct_next_step_preds",
    "/train_num_predictions",
    "/eval_total_loss",
    "/eval_fraction_of_correct_next_step_preds",
    "/eval_num_predictions",
)


def first_record(time: float) -> bytes:
    """The record with which every file begins."""
    return _record(_double(1, time) + _bytes(3, b"brain.Event:2"))


def scalars_record(time: float, step: int, scalars: Mapping[str, float]) -> bytes:
    """The record of some scalars at a step."""
    values = b"".join(
        _bytes(1, _bytes(1, name.encode()) + b"\x15" + struct.pack("<f", value)) for name, value in scalars.items()
    )
    return _record(_double(1, time) + b"\x10" + _varint(step) + _bytes(5, values))


def _record(event: bytes) -> bytes:
    length = struct.pack("<Q", len(event))
    return length + _masked(length) + event + _masked(event)


def _masked(data: bytes) -> bytes:
    import google_crc32c

    crc = google_crc32c.value(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def _varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def _bytes(field: int, value: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(value)) + value


def _double(field: int, value: float) -> bytes:
    return bytes([field << 3 | 1]) + struct.pack("<d", value)
