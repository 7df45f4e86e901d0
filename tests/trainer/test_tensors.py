"""Safetensors files are read and written as the format's own library does, one tensor at a time."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors import numpy as library

from tuneline.errors import UsageError
from tuneline.trainer.tensors import read_file, read_folder, write_file

KINDS = {"F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16}
numbers = arrays.arrays(np.float32, arrays.array_shapes(max_dims=3, max_side=4), elements=st.floats(-8, 8, width=16))
written = st.dictionaries(st.text("abc._0", min_size=1, max_size=8), st.tuples(st.sampled_from(list(KINDS)), numbers))


@given(written)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_ways_with_the_library(tmp_path: Path, tensors: dict[str, tuple[str, np.ndarray]]) -> None:
    """What we write the library reads, and what it writes we read: same names, types and numbers."""
    typed = {name: array.astype(KINDS[kind]) for name, (kind, array) in tensors.items()}
    ours, theirs = tmp_path / "ours.safetensors", tmp_path / "theirs.safetensors"
    with ours.open("wb") as stream:
        shapes = {name: (kind, array.shape) for name, (kind, array) in tensors.items()}
        write_file(stream, shapes, typed.values())
    library.save_file(typed, theirs)
    loaded = library.load_file(ours)
    found = read_file(theirs)
    assert set(loaded) == set(found) == set(tensors)
    for name, (kind, _) in tensors.items():
        assert found[name].kind == kind
        for array in (loaded[name], found[name].read()):
            assert array.dtype == typed[name].dtype
            np.testing.assert_array_equal(array, typed[name])


@pytest.mark.parametrize(
    "content", [b"", b"\x05\x00\x00\x00\x00\x00\x00\x00{}", b"\xff" * 40, (2).to_bytes(8, "little") + b"[]"]
)
def test_a_broken_file_is_named(tmp_path: Path, content: bytes) -> None:
    """An empty, cut or foreign file is refused by its path."""
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(UsageError, match=r"model\.safetensors"):
        read_folder(tmp_path)


def test_a_file_cut_in_its_data_is_named(tmp_path: Path) -> None:
    """A download that broke off is found out when the tensor is read."""
    path = tmp_path / "model.safetensors"
    library.save_file({"a": np.ones((4, 4), np.float32)}, path)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(UsageError, match="ends before its last tensor"):
        read_file(path)["a"].read()
