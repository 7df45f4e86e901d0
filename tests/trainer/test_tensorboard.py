"""Event files hold the six documented names, slash included, in records that a reader can check."""

from __future__ import annotations

import struct

import google_crc32c

from tuneline.trainer import tensorboard


def records(data: bytes) -> list[bytes]:
    """The events of a file; each checksum is verified by unmasking it, the other way round than the writer."""
    out = []
    while data:
        head, rest = data[:8], data[12:]
        (length,) = struct.unpack("<Q", head)
        for part, stored in ((head, data[8:12]), (rest[:length], rest[length : length + 4])):
            (masked,) = struct.unpack("<I", stored)
            rotated = (masked - 0xA282EAD8) & 0xFFFFFFFF
            assert ((rotated << 15) | (rotated >> 17)) & 0xFFFFFFFF == google_crc32c.value(part)
        out.append(rest[:length])
        data = rest[length + 4 :]
    return out


def test_the_file_begins_with_its_version() -> None:
    """wall_time is field 1, file_version field 3."""
    (event,) = records(tensorboard.first_record(1.5))
    assert event == b"\x09" + struct.pack("<d", 1.5) + b"\x1a\x0dbrain.Event:2"


def test_scalars_keep_their_leading_slash() -> None:
    """A scalar is a value with tag and simple_value; the step is a varint."""
    (event,) = records(tensorboard.scalars_record(2.0, 300, {"/eval_total_loss": 0.25}))
    value = b"\x0a\x10/eval_total_loss" + b"\x15" + struct.pack("<f", 0.25)
    summary = b"\x0a" + bytes([len(value)]) + value
    assert event == b"\x09" + struct.pack("<d", 2.0) + b"\x10\xac\x02" + b"\x2a" + bytes([len(summary)]) + summary


def test_the_names_are_the_documented_ones() -> None:
    """Three of training, three of evaluation."""
    kinds = ("total_loss", "fraction_of_correct_next_step_preds", "num_predictions")
    assert set(tensorboard.NAMES) == {f"/{part}_{kind}" for part in ("train", "eval") for kind in kinds}
