"""Splitting off an evaluation set: seeded, equal inputs kept on one side, every class in its share."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from tuneline.datasets.checking import Surveyed, survey
from tuneline.datasets.containers import JSONL
from tuneline.datasets.findings import KEPT
from tuneline.datasets.reading import dataset_error
from tuneline.datasets.rows import EXAMPLE
from tuneline.datasets.sources import local_path, open_source, refuse
from tuneline.datasets.writing import new_file
from tuneline.errors import Problem, UsageError

if TYPE_CHECKING:
    import numpy as np

WINDOW = 1 << 20
PER_CLASS = 5
"""Different inputs for each class, on average, from which the classes' shares are kept."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """What a split wrote."""

    train_uri: str
    evaluation_uri: str
    train: int
    evaluation: int
    stratified: bool
    seed: int


def parse_share(text: str) -> Callable[[int], int]:
    """`200` or `10%` as a function from the number of examples to that of the evaluation set.

    Raises `UsageError` for anything else.
    """
    try:
        if text.endswith("%"):
            share = float(text[:-1]) / 100
            if 0 < share < 1:
                return lambda n: max(1, round(n * share))
        elif int(text) > 0:
            number = int(text)
            return lambda n: number
    except ValueError:
        pass
    raise UsageError(
        [Problem(where="--eval", what=f"{text!r} is no size", fix="write a number (200) or a share (10%)")]
    )


def split(uri: str, evaluation: str, folder: str, *, seed: int = 0, format: str | None = None) -> Split:
    """Writes `train.jsonl` and `evaluation.jsonl` to the folder (made if local and absent).

    `evaluation` is a number of examples or a share (`10%`). Examples of equal input stay together, so the number may be
    missed by the size of one such group. Where the outputs are few classes, each gives its share. The same seed gives
    the same split. Raises `DatasetError` where the dataset is invalid, `UsageError` where the number is too large.
    """
    wanted = parse_share(evaluation)
    with open_source(uri) as source:
        read = survey(source, form=format, kept=KEPT)
        if read.where.is_something_else:
            raise refuse(uri, f"this is {read.where.is_something_else}", "export the data as JSON lines in UTF-8")
        if read.survey.findings.errors:
            raise dataset_error(uri, read.survey.findings)
        n = read.survey.rows.count
        if wanted(n) >= n:
            what = f"{wanted(n):,} of {n:,} examples leave none to train on"
            raise UsageError([Problem(where="--eval", what=what, fix="ask for fewer")])
        chosen, stratified = _choose(read, wanted(n), seed)
        if not 0 < int(chosen.sum()) < n:
            what = "the examples are of so few different inputs that no part of them can be set apart"
            raise UsageError([Problem(where=uri, what=what, fix="see them with tuneline validate, and add others")])
        if local_path(folder) is not None:
            Path(local_path(folder) or "").mkdir(parents=True, exist_ok=True)
        paths = [f"{folder.rstrip('/')}/{name}.jsonl" for name in ("train", "evaluation")]
        with new_file(paths[0], made_from=uri) as train, new_file(paths[1], made_from=uri) as held:
            _write(read, chosen, train, held)
            if source.changed():
                raise refuse(uri, "the file changed while it was read", "try again once nothing writes to it")
        number = int(chosen.sum())
        read.survey.rows.close()
    return Split(
        train_uri=paths[0],
        evaluation_uri=paths[1],
        train=n - number,
        evaluation=number,
        stratified=stratified,
        seed=seed,
    )


def _choose(read: Surveyed, wanted: int, seed: int) -> tuple[np.ndarray, bool]:
    """A mask of the evaluation set, and whether it was drawn class by class."""
    import numpy as np

    keys = np.concatenate(list(read.survey.rows.key_batches()))
    ordered = np.sort(keys)
    if np.any(ordered[1:] == ordered[:-1]):
        _, groups = np.unique(keys, return_inverse=True)
    else:
        groups = np.arange(len(keys))
    rng = np.random.default_rng(seed)
    classes = read.survey.classes
    # Inputs, not examples: a class whose examples are all the same one cannot give its share of them.
    stratify = bool(classes) and len(classes or ()) > 1 and int(groups.max()) + 1 >= PER_CLASS * len(classes or ())
    if not stratify:
        return _draw(groups, np.arange(len(keys)), wanted, rng), False
    labels = _labels(read)
    # A group of equal inputs goes by its first example's class, so that contradictions stay on one side too.
    first = np.full(groups.max() + 1, len(keys))
    np.minimum.at(first, groups, np.arange(len(keys)))
    labels = labels[first[groups]]
    chosen = np.zeros(len(keys), dtype=bool)
    kinds, numbers = np.unique(labels, return_counts=True)
    shares = numbers * wanted / len(keys)
    quota = np.floor(shares).astype(int)
    for place in np.argsort(quota - shares, kind="stable")[: wanted - int(quota.sum())]:
        quota[place] += 1
    for kind, number in zip(kinds, quota.tolist(), strict=True):
        members = np.flatnonzero(labels == kind)
        chosen |= _draw(groups, members, number, rng)
    return chosen, True


def _draw(groups: np.ndarray, members: np.ndarray, wanted: int, rng: np.random.Generator) -> np.ndarray:
    """Whole groups among the members, in random order, until about as many examples as wanted are drawn."""
    import numpy as np

    sizes = np.bincount(groups[members])
    ids = np.flatnonzero(sizes)
    order, taken = ids[rng.permutation(len(ids))], np.zeros(len(sizes), dtype=bool)
    if len(ids) == len(members):
        taken[order[:wanted]] = True
    else:
        _take_whole(order, sizes, wanted, taken)
    mask = np.zeros(len(groups), dtype=bool)
    mask[members] = taken[groups[members]]
    return mask


def _take_whole(order: np.ndarray, sizes: np.ndarray, wanted: int, taken: np.ndarray) -> None:
    """Marks the groups that are taken, where they are of several sizes."""
    total = 0
    # A group that would overshoot is passed over; later, smaller ones fill up.
    for group, size in zip(order.tolist(), sizes[order].tolist(), strict=True):
        if total + size <= wanted:
            taken[group] = True
            total += size
            if total == wanted:
                return
    # The smallest of those left goes in too, where a little too many are nearer than too few.
    left = sorted(order[~taken[order]].tolist(), key=lambda group: (sizes[group], group))
    if len(left) > 1 and total + sizes[left[0]] - wanted < wanted - total:
        taken[left[0]] = True


def _labels(read: Surveyed) -> np.ndarray:
    """The class of each example, as a number."""
    import numpy as np

    numbers: dict[str, int] = {}
    labels = []
    for batch in read.survey.rows.batches():
        for row in batch:
            output = read.reader.example(row)[2] if int(row["kind"]) == EXAMPLE else ""
            labels.append(numbers.setdefault(output, len(numbers)))
    return np.array(labels)


def _write(read: Surveyed, chosen: np.ndarray, train: BinaryIO, held: BinaryIO) -> None:
    """Copies each example to its side: in JSON lines the bytes as they are, else the value on one line."""
    base, copy = 0, _copy if read.where.container == JSONL else _write_out
    for batch in read.survey.rows.batches():
        copy(read, batch, chosen[base : base + len(batch)], train, held)
        base += len(batch)


def _write_out(read: Surveyed, batch: np.ndarray, side: np.ndarray, train: BinaryIO, held: BinaryIO) -> None:
    for row, evaluation in zip(batch, side.tolist(), strict=True):
        value = orjson.loads(read.reader.data(row))
        (held if evaluation else train).write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE))


def _copy(read: Surveyed, batch: np.ndarray, side: np.ndarray, train: BinaryIO, held: BinaryIO) -> None:
    """Copies lines, those that begin in one window of the file at once."""
    import numpy as np

    starts = batch["offset"].astype(np.int64)
    ends = starts + batch["length"]
    # Neighbours on one side, with nothing but a newline between them, are one piece.
    breaks = (side[1:] != side[:-1]) | (starts[1:] != ends[:-1] + 1) | (starts[1:] // WINDOW != starts[:-1] // WINDOW)
    firsts = np.concatenate([[0], np.flatnonzero(breaks) + 1])
    starts, ends, side = starts[firsts], ends[np.append(firsts[1:], len(batch)) - 1], side[firsts]
    windows = np.flatnonzero(starts[1:] // WINDOW != starts[:-1] // WINDOW) + 1
    for low, high in pairwise([0, *windows.tolist(), len(starts)]):
        start = int(starts[low])
        # Of a file that has become shorter this is less: the caller asks whether it changed.
        data = os.pread(read.source.fd, int(ends[high - 1]) - start, start)
        for file, here in ((train, ~side[low:high]), (held, side[low:high])):
            places = np.stack((starts[low:high][here], ends[low:high][here]), axis=1) - start
            if lines := b"".join([data[first:last] + b"\n" for first, last in places.tolist()]):
                # Within JSON a carriage return is white space: in texts it is written \\r.
                file.write(lines.replace(b"\r", b"") if b"\r" in lines else lines)


def describe(done: Split) -> dict[str, Any]:
    """The split as JSON values."""
    return {
        "train": {"uri": done.train_uri, "examples": done.train},
        "evaluation": {"uri": done.evaluation_uri, "examples": done.evaluation},
        "stratified": done.stratified,
        "seed": done.seed,
    }
