"""New files of JSON lines: whole or not at all, and never over the one they are made from."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tuneline.datasets.sources import local_path
from tuneline.errors import Problem, UsageError

BUFFER = 1 << 16


@contextmanager
def new_file(uri: str, *, made_from: str) -> Iterator[BinaryIO]:
    """A file to write to, that gets its name (or is uploaded) when the block ends without an error.

    Raises `UsageError` where it would replace what it is made from.
    """
    path = local_path(uri)
    if _same(uri, made_from):
        raise UsageError(
            [Problem(where=uri, what="this is the dataset itself, which is never changed", fix="give another name")]
        )
    folder = Path(path).parent if path is not None else Path(tempfile.gettempdir())
    if path is not None and not folder.is_dir():
        raise UsageError([Problem(where=uri, what=f"there is no folder {folder}", fix="make it first")])
    fd, temporary = tempfile.mkstemp(prefix=".tuneline-", dir=folder)
    try:
        with os.fdopen(fd, "wb", buffering=BUFFER) as file:
            yield file
        if path is not None:
            # mkstemp makes files for their owner alone; a dataset is read by others like any file.
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(temporary, 0o666 & ~mask)
            os.replace(temporary, path)
        else:
            from tuneline import objects

            objects.upload_file(temporary, uri)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def _same(uri: str, other: str) -> bool:
    one, two = local_path(uri), local_path(other)
    if one is None or two is None:
        return uri == other
    return os.path.exists(one) and os.path.exists(two) and os.path.samefile(one, two)
