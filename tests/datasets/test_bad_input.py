"""What nobody should feed to a checker: each a clear finding or error, soon, within bounded memory."""

from __future__ import annotations

import gzip
import json
import os
import socket
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from tests.datasets import data
from tuneline import datasets
from tuneline.datasets import sources
from tuneline.datasets.findings import Findings
from tuneline.datasets.reading import as_example
from tuneline.datasets.scan import scan
from tuneline.errors import DatasetError

MEMORY_MB = 400
"""Of a process that checks the worst of files: the interpreter, numpy, and some times the longest line that is read."""


def _check_apart(path: str) -> tuple[dict, int]:
    """(report, peak memory in MB) of a check in a process of its own."""
    # Not ru_maxrss: that counts the parent's memory at the fork as well.
    code = (
        "import json, re, sys; from tuneline import datasets; r = datasets.check(sys.argv[1]).to_dict(); "
        "peak = re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read()); "
        "print(json.dumps([r, int(peak[1]) // 1024]))"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, check=True, timeout=120)
    report, peak = json.loads(done.stdout)
    return report, peak


def test_a_gigabyte_without_newline_is_one_finding(tmp_path: Path) -> None:
    """A line of a gigabyte is passed over, counted, and never held."""
    path = tmp_path / "long.jsonl"
    with path.open("wb") as file:
        file.write(data.lines([data.palm_text(0)]) + b'{"input_text": "' + b"x" * 4096)
        file.truncate(1 << 30)
    report, peak = _check_apart(str(path))
    assert report["counts"]["D109"] == 1
    assert [item["line"] for item in report["findings"] if item["code"] == "D109"] == [2]
    assert peak < MEMORY_MB


def test_the_longest_line_that_is_read_takes_bounded_memory(tmp_path: Path) -> None:
    """Fifteen megabytes in one example, with a field too many so that it is looked at closely, stay within bounds."""
    line = json.dumps({"input_text": "é" * (15 << 17), "output_text": "b" * (2 << 20), "more": [1] * 100_000})
    path = data.write(tmp_path, [*[data.palm_text(n) for n in range(12)], line])
    report, peak = _check_apart(path)
    assert report["counts"]["D303"] == 1
    assert peak < MEMORY_MB


def test_two_hundred_thousand_brackets_are_too_deep(tmp_path: Path) -> None:
    """No depth of nesting exhausts the stack, in a line or as the whole file."""
    deep = "[" * 200_000 + "]" * 200_000
    line = '{"input_text": "a", "output_text": ' + deep + "}"
    report = datasets.check(data.write(tmp_path, [*[data.palm_text(n) for n in range(12)], line]))
    assert [item.line for item in report.findings if item.code == "D205"] == [13]
    for body in (deep, "[" * 200_000, '{"a":' * 200_000, line, "[" + line + "]"):
        assert not datasets.check(data.write(tmp_path, body.encode())).valid


def test_a_number_of_a_million_digits_is_read_over(tmp_path: Path) -> None:
    """A million digits cost no minute and no crash; where a text belongs, the type is wrong."""
    for number in ("9" * 1_000_000, "1e" + "9" * 1_000_000, "0." + "1" * 1_000_000):
        line = '{"input_text": ' + number + ', "output_text": "b"}'
        report = datasets.check(data.write(tmp_path, [*[data.palm_text(n) for n in range(12)], line]))
        assert not report.valid
        assert {item.line for item in report.findings if item.severity == "error"} == {13}


def _bomb(path: Path, size: int) -> None:
    packer = zlib.compressobj(9, wbits=31)
    with path.open("wb") as file:
        for _ in range(size >> 20):
            file.write(packer.compress(bytes(1 << 20)))
        file.write(packer.flush())


def test_a_gzip_bomb_is_refused_early(tmp_path: Path) -> None:
    """A file that grows a thousandfold is refused after 64 MiB, and says so."""
    path = tmp_path / "bomb.jsonl.gz"
    _bomb(path, 300 << 20)
    with pytest.raises(DatasetError, match="gzip bomb"):
        datasets.check(str(path))


def test_a_set_of_one_repeated_line_is_no_bomb(tmp_path: Path) -> None:
    """A compressed file of nothing but duplicates is read."""
    path = tmp_path / "same.jsonl.gz"
    line = json.dumps(data.gemini(1)).encode() + b"\n"
    path.write_bytes(gzip.compress(line * 3000))
    assert datasets.check(str(path)).duplicates["exact"] == 2999


@pytest.mark.parametrize("damage", ["cut", "flipped", "not gzip"])
def test_damaged_gzip_is_named(damage: str, tmp_path: Path) -> None:
    """A compressed file that ends early, or has a wrong bit, is an error that says so."""
    whole = bytearray(gzip.compress(data.lines([data.palm_text(n) for n in range(50)])))
    if damage == "cut":
        whole = whole[: len(whole) // 2]
    elif damage == "flipped":
        whole[len(whole) // 2] ^= 0xFF
    else:
        whole = bytearray(b"\x1f\x8b" + bytes(40))
    path = data.write(tmp_path, bytes(whole), "data.jsonl.gz")
    with pytest.raises(DatasetError, match="gzip"):
        datasets.check(path)


def test_places_that_are_no_files_are_named(tmp_path: Path) -> None:
    """A folder, a FIFO, a socket, a device, a missing file, an odd scheme: each by its own name, none waited for."""
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        cases = {
            str(tmp_path): "a folder",
            str(tmp_path / "fifo"): "a FIFO",
            str(tmp_path / "socket"): "cannot be opened|a socket",
            "/dev/zero": "a device",
            str(tmp_path / "none" / "x.jsonl"): "no such file",
            "": "no such file",
            "a\0b": "cannot be opened",
            "s3://bucket/key": "gs://",
        }
        for uri, words in cases.items():
            with pytest.raises(DatasetError, match=words):
                datasets.check(uri)


@pytest.fixture
def nobody() -> Iterator[None]:
    """Root may read everything: for a while this process is nobody."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    yield
    if root:
        os.seteuid(0)


def test_an_unreadable_file_is_named(nobody: None) -> None:
    """A file without permission is an error that says what to do."""
    with tempfile.TemporaryDirectory() as folder:
        path = data.write(Path(folder), [data.palm_text(1)])
        os.chmod(path, 0)
        with pytest.raises(DatasetError, match="may not be read"):
            datasets.check(path)


def test_an_empty_file_is_one_error(tmp_path: Path) -> None:
    """Nothing, white space and a lone byte order mark hold no example."""
    for body in (b"", b"\n\n", b" ", b"\xef\xbb\xbf", b"[]", b'{"examples": []}'):
        report = datasets.check(data.write(tmp_path, body))
        assert not report.valid, body
        assert "D101" in report.counts, body


OTHERS = {
    "a Parquet file": b"PAR1" + bytes(50),
    "a zip archive": b"PK\x03\x04" + bytes(50),
    "UTF-16": '{"input_text": "a"}\n'.encode("utf-16"),
    "CSV": b"input,output\na,b\nc,d\n",
    "tabs": b"input\toutput\na\tb\nc\td\n",
    "HTML": b"<!DOCTYPE html><html><body>Sign in</body></html>",
    "Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12\n",
    "pickle": b"\x80\x04\x95" + bytes(30),
    "plain text": b"Once upon a time\nthere was no JSON\n",
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_kinds_of_file_are_named_for_what_they_are(name: str, tmp_path: Path) -> None:
    """One finding with the kind, instead of one for each line; reading and converting say the same."""
    path = data.write(tmp_path, OTHERS[name])
    report = datasets.check(path)
    assert report.container == "broken"
    assert report.counts == {"D102": 1}
    assert name.split()[-1].lower() in report.findings[0].message.lower()
    for act in (lambda: list(datasets.read_examples(path)), lambda: datasets.fix(path, str(tmp_path / "out"))):
        with pytest.raises(DatasetError):
            act()


def test_a_file_that_changes_while_it_is_read_is_told(tmp_path: Path) -> None:
    """Growing, shrinking, replacing and deleting the file under the reader are each noticed."""
    changes = {
        "grown": lambda path: path.open("ab").write(b"{}\n"),
        "shrunk": lambda path: os.truncate(path, 100),
        "replaced": lambda path: (
            path.with_suffix(".new").write_bytes(b"{}\n"),
            path.with_suffix(".new").replace(path),
        ),
        "gone": lambda path: path.unlink(),
    }
    for name, change in changes.items():
        path = Path(data.write(tmp_path, [data.palm_text(n) for n in range(2000)], f"{name}.jsonl"))
        with sources.open_source(str(path)) as source:
            assert not source.changed()
            change(path)
            assert source.changed(), name
            scan(source.fd, 0, source.size, form="palm-text", kept=10)


def test_a_report_of_a_file_written_to_meanwhile_is_not_valid(tmp_path: Path) -> None:
    """Somebody appends all through the check: it ends, with that finding."""
    path = Path(data.write(tmp_path, [data.gemini(n) for n in range(20_000)]))
    stop = False

    def append() -> None:
        while not stop:
            with path.open("ab") as file:
                file.write(data.lines([data.gemini(1)]))

    writer = Thread(target=append)
    writer.start()
    try:
        report = datasets.check(str(path))
    finally:
        stop = True
        writer.join()
    assert report.counts["D110"] == 1
    assert not report.valid


def test_a_file_that_is_left_alone_has_not_changed(tmp_path: Path) -> None:
    """Being read, and having a neighbour written, is no change."""
    path = data.write(tmp_path, [data.gemini(n) for n in range(2000)])
    data.write(tmp_path, [data.gemini(1)], "neighbour.jsonl")
    assert "D110" not in datasets.check(path).counts


def test_memory_is_flat_in_the_size_of_the_set(tmp_path: Path) -> None:
    """Five times the lines take hardly more memory."""
    line = json.dumps(data.palm_text(1))
    peaks = []
    for number in (20_000, 100_000):
        path = tmp_path / f"{number}.jsonl"
        path.write_text("".join(f"{line.replace('asks', f'asks {n}')}\n" for n in range(number)))
        peaks.append(_check_apart(str(path))[1])
    assert peaks[1] < peaks[0] + 60


def test_nothing_is_said_of_the_whole_of_a_handful(tmp_path: Path) -> None:
    """Of one example no rule about sets speaks."""
    report = datasets.check(data.write(tmp_path, [data.prompt_completion(1)]))
    assert report.valid
    assert report.counts == {}
    assert as_example([*next(iter(datasets.read_examples(report.uri))).turns], 1, "ctx").turns[0].role == "system"
    assert Findings().all() == []
