"""A split loses nothing, leaks nothing, is the same for the same seed, and keeps the classes' shares."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.datasets import data
from tuneline import datasets
from tuneline.errors import DatasetError, UsageError


def _lines(uri: str) -> list[str]:
    return Path(uri).read_text().splitlines()


def test_a_split_is_the_whole_in_two_parts(tmp_path: Path) -> None:
    """Every line is on one side, as it was and in its order; the number is as asked."""
    values = [data.gemini(n) for n in range(200)]
    source = data.write(tmp_path, values)
    done = datasets.split(source, "30", str(tmp_path / "out"), seed=4)
    train, held = _lines(done.train_uri), _lines(done.evaluation_uri)
    assert (len(train), len(held)) == (done.train, done.evaluation) == (170, 30)
    whole = _lines(source)
    assert sorted(train + held) == sorted(whole)
    assert [line for line in whole if line in set(held)] == held
    assert datasets.check(done.train_uri, against=done.evaluation_uri).leakage == {"examples": 0}


def test_the_seed_decides(tmp_path: Path) -> None:
    """The same seed gives the same files, another one others."""
    source = data.write(tmp_path, [data.palm_text(n) for n in range(100)])
    runs = [
        _lines(datasets.split(source, "20%", str(tmp_path / str(n)), seed=seed).evaluation_uri)
        for n, seed in enumerate((1, 1, 2))
    ]
    assert len(runs[0]) == 20
    assert runs[0] == runs[1] != runs[2]


def test_equal_inputs_stay_together(tmp_path: Path) -> None:
    """However often an input comes, with whatever output, it is on one side only."""
    values = [{"input_text": f"q {n % 40}", "output_text": f"a {n}"} for n in range(400)]
    done = datasets.split(data.write(tmp_path, values), "25%", str(tmp_path / "out"))
    sides = [{json.loads(line)["input_text"] for line in _lines(uri)} for uri in (done.train_uri, done.evaluation_uri)]
    assert not sides[0] & sides[1]
    assert done.evaluation == 100


def test_few_classes_keep_their_shares(tmp_path: Path) -> None:
    """A class of a tenth has a tenth of the evaluation set too."""
    labels = ["no"] * 450 + ["yes"] * 500 + ["rare"] * 50
    values = [{"prompt": f"case {n}", "completion": label} for n, label in enumerate(labels)]
    done = datasets.split(data.write(tmp_path, values), "10%", str(tmp_path / "out"))
    assert done.stratified
    counts = Counter(json.loads(line)["completion"] for line in _lines(done.evaluation_uri))
    assert counts == {"no": 45, "yes": 50, "rare": 5}


def test_a_set_of_mere_duplicates_is_split_as_near_as_can_be(tmp_path: Path) -> None:
    """Of 300 lines that are 18 over and over, a tenth is two of the 18, not none; of one alone nothing can be split."""
    values = [{"input_text": f"q {n % 18}", "output_text": f"a {n % 18}"} for n in range(300)]
    done = datasets.split(data.write(tmp_path, values), "10%", str(tmp_path / "out"))
    assert 30 <= done.evaluation <= 34
    assert datasets.check(done.train_uri, against=done.evaluation_uri).leakage == {"examples": 0}
    with pytest.raises(UsageError, match="so few different inputs"):
        datasets.split(data.write(tmp_path, values[:1] * 50), "10%", str(tmp_path / "none"))


@pytest.mark.parametrize("kind", ["array", "crlf", "blank lines", "no newline at the end"])
def test_every_container_splits_into_json_lines(kind: str, tmp_path: Path) -> None:
    """Arrays and uneven line ends come out as plain lines."""
    values = [data.palm_chat(n) for n in range(50)]
    plain = data.lines(values)
    bodies = {
        "array": json.dumps(values, indent=1).encode(),
        "crlf": plain.replace(b"\n", b"\r\n"),
        "blank lines": plain.replace(b"\n", b"\n\n"),
        "no newline at the end": plain[:-1],
    }
    done = datasets.split(data.write(tmp_path, bodies[kind]), "10", str(tmp_path / "out"))
    both = Path(done.train_uri).read_bytes() + Path(done.evaluation_uri).read_bytes()
    assert b"\r" not in both
    assert sorted(json.dumps(json.loads(line)) for line in both.splitlines()) == sorted(map(json.dumps, values))


def test_impossible_splits_are_refused(tmp_path: Path) -> None:
    """Odd sizes, sizes that leave nothing, and invalid sets are errors; no folder is left behind."""
    source = data.write(tmp_path, [data.palm_text(n) for n in range(20)])
    for size in ("0", "-3", "ten", "0%", "100%", "20", "1e9%"):
        with pytest.raises(UsageError):
            datasets.split(source, size, str(tmp_path / "out"))
    broken = data.write(tmp_path, [data.palm_text(1), "{"], "broken.jsonl")
    with pytest.raises(DatasetError):
        datasets.split(broken, "1", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
