"""Local objects are ordinary files that others can read, and nothing unfinished ever shows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tuneline import errors, objects
from tuneline.objects import files


def test_a_file_has_the_permissions_that_the_user_gives_new_files(tmp_path: Path) -> None:
    objects.write_bytes(str(tmp_path / "x"), b"x")
    plain = tmp_path / "plain"
    plain.write_bytes(b"x")
    assert (tmp_path / "x").stat().st_mode == plain.stat().st_mode


def test_a_folder_is_no_object(tmp_path: Path) -> None:
    with pytest.raises(errors.NotFound):
        objects.stat(str(tmp_path))
    assert not objects.exists(str(tmp_path))


def test_a_relative_path_is_listed_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    objects.write_bytes("run/a.json", b"1")
    objects.write_bytes("b", b"2")
    assert [o.uri for o in objects.list("run/")] == ["run/a.json"]
    assert [o.uri for o in objects.list("b")] == ["b"]


def test_a_listing_looks_only_where_the_prefix_leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("run-1/a", "run-1/deep/b", "other/c"):
        objects.write_bytes(str(tmp_path / name), b"1")
    looked: list[str] = []
    scandir = os.scandir
    monkeypatch.setattr(files.os, "scandir", lambda path: looked.append(str(path)) or scandir(path))
    found = [o.uri for o in objects.list(str(tmp_path / "run-"))]
    assert found == [str(tmp_path / "run-1/a"), str(tmp_path / "run-1/deep/b")]
    assert [path for path in looked if "other" in path] == []


def test_a_link_that_leads_in_a_circle_is_not_followed(tmp_path: Path) -> None:
    objects.write_bytes(str(tmp_path / "run/a"), b"1")
    (tmp_path / "run/again").symlink_to(tmp_path / "run")
    assert [o.uri for o in objects.list(f"{tmp_path}/run/")] == [str(tmp_path / "run/a")]


def test_listing_a_file_as_if_it_were_a_folder_is_an_error_and_not_an_empty_listing(tmp_path: Path) -> None:
    objects.write_bytes(str(tmp_path / "x"), b"1")
    with pytest.raises(errors.NotFound):
        list(objects.list(f"{tmp_path}/x/"))


def test_a_writer_killed_in_the_middle_leaves_the_old_object_and_a_clean_listing(tmp_path: Path) -> None:
    target = tmp_path / "x"
    objects.write_bytes(str(target), b"old")
    code = f"""
import os, signal
from tuneline.objects import files
def blocks():
    yield b"new " * 1000
    os.kill(os.getpid(), signal.SIGKILL)
files.write({str(target)!r}, blocks())
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert objects.read_bytes(str(target)) == b"old"
    assert [o.uri for o in objects.list(f"{tmp_path}/")] == [str(target)]
    assert len(os.listdir(tmp_path)) == 2  # what the killed writer left is on the disk and not in the listing
