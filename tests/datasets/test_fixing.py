"""A corrected copy is valid where the rest was; every change is told, and the original stays as it is."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.datasets import data
from tuneline import datasets
from tuneline.datasets.fixing import steps
from tuneline.datasets.places import step
from tuneline.errors import DatasetError, UsageError


def _changes(done: datasets.Fixed) -> list[tuple[int, str, str]]:
    with Path(done.changes_uri).open() as file:
        return [(change["line"], change["code"], change["action"]) for change in map(json.loads, file)]


def test_all_that_can_be_put_right_is(tmp_path: Path) -> None:
    """One file with everything wrong becomes a valid one, and each change has its line."""
    sound = [json.dumps(data.gemini(n)) for n in range(100, 112)]
    odd = {
        "systemInstruction": {"role": "user", "parts": {"text": "s"}},
        "contents": [{"role": "USER", "parts": {"text": "q"}, "x y": 1}, {"role": "model", "parts": [{"text": "a"}]}],
        "extra": {"a": [1]},
    }
    lines = [*sound, "", json.dumps(odd), sound[0], "{broken", json.dumps(data.gemini(3)).replace("answer 3", " ")]
    body = b"\xef\xbb\xbf" + "\r\n".join(lines).encode() + b"\r\n"
    source = data.write(tmp_path, gzip.compress(body), "data.jsonl.gz")
    before = Path(source).read_bytes()
    done = datasets.fix(source, str(tmp_path / "fixed.jsonl"))
    assert (done.kept, done.left_out) == (13, 3)
    changes = _changes(done)
    assert {(0, "D104", "removed"), (0, "D112", "rewritten"), (13, "D106", "removed")} <= set(changes)
    assert {(15, "D601", "left out"), (16, "D201", "left out"), (17, "D404", "left out")} <= set(changes)
    assert sum(change[:2] == (14, "D303") for change in changes) == 2
    assert sum(change[:2] == (14, "D305") for change in changes) == 4
    report = datasets.check(str(tmp_path / "fixed.jsonl"))
    assert report.valid
    assert set(report.counts) == {"D502"}
    last = json.loads((tmp_path / "fixed.jsonl").read_text().splitlines()[-1])
    assert last["contents"][0] == {"role": "user", "parts": [{"text": "q"}]}
    assert last["systemInstruction"] == {"parts": [{"text": "s"}]}
    assert Path(source).read_bytes() == before
    assert "13 examples written, 3 left out" in datasets.render_changes(done)


def test_a_sound_file_is_not_changed(tmp_path: Path) -> None:
    """Without anything to put right there is no change, and the values are the same."""
    values = [data.gemini_call(n) for n in range(10)]
    done = datasets.fix(data.write(tmp_path, values), str(tmp_path / "fixed.jsonl"))
    assert (done.kept, done.left_out, _changes(done)) == (10, 0, [])
    assert [json.loads(line) for line in (tmp_path / "fixed.jsonl").read_text().splitlines()] == values


def test_nothing_is_written_over_or_guessed(tmp_path: Path) -> None:
    """The dataset itself is no place for the copy, and an unknown format is not corrected."""
    source = data.write(tmp_path, [data.palm_text(1)])
    with pytest.raises(UsageError, match="itself"):
        datasets.fix(source, source)
    with pytest.raises(DatasetError, match="no known format"):
        datasets.fix(data.write(tmp_path, [{"a": 1}]), str(tmp_path / "x.jsonl"))


def test_paths_are_read_back() -> None:
    """A path as findings write it leads back to its keys."""
    for way in (["a", 0, "b_c"], ["x y", "it's", 'q"', 12], ["\\", "é", "$"]):
        path = "$"
        for key in way:
            path = step(path, key)
        assert steps(path) == way
