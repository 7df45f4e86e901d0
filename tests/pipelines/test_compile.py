"""Compiling is byte-stable, and what is committed is what the sources say."""

from pathlib import Path

import pytest

from components.image import IMAGE
from pipelines import stubs
from pipelines.compile import COMPONENTS, PIPELINES, write

COMPILED = Path(__file__).resolve().parents[2] / "compiled"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compiled")
    write(folder)
    return folder


def masked(path: Path) -> str:
    """A compiled file but for the version of the SDK that wrote it."""
    return "".join(line for line in path.read_text().splitlines(True) if not line.startswith("sdkVersion:"))


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_committed_files_are_those_of_the_sources(fresh):
    """Run `make compile` after a change of components/ or pipelines/."""
    assert names(COMPILED) == names(fresh)
    assert len(names(fresh)) == len(COMPONENTS) + len(PIPELINES)
    for name in names(fresh):
        assert masked(COMPILED / name) == masked(fresh / name), name


def test_compiling_twice_gives_the_same_bytes_and_leaves_no_stale_file(fresh, tmp_path):
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "gone.yaml").write_text("")
    write(tmp_path)
    assert names(tmp_path) == names(fresh)
    for name in names(fresh):
        assert (tmp_path / name).read_bytes() == (fresh / name).read_bytes()


def test_the_committed_image_is_the_default(monkeypatch):
    assert IMAGE == "tuneline/tuneline-python:0.1.0"
    assert all(f"image: {IMAGE}" in path.read_text() for path in COMPILED.rglob("*.yaml"))


@pytest.mark.parametrize("kind", ["components", "pipelines"])
def test_the_type_stubs_are_those_of_the_compiled_files(kind):
    stub = stubs.text(kind, COMPILED)
    assert (stubs.SOURCE / f"{kind}.pyi").read_text() == stub
    compile(stub, f"{kind}.pyi", "exec")


def test_the_library_knows_nothing_of_the_authoring_code():
    """components/ and pipelines/ are not installed; the library may not import them."""
    sources = Path(stubs.SOURCE).rglob("*.py")
    for source in sources:
        lines = source.read_text().splitlines()
        assert not [
            line for line in lines if line.startswith(("from components", "from pipelines", "import pipelines"))
        ]
