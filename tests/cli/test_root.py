"""The command line starts fast, names mistakes, and leaves with the exit code that its help promises."""

import subprocess
import sys

import pytest

from tuneline import errors
from tuneline.cli.root import main


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "tuneline", *arguments], capture_output=True, text=True, timeout=60)


def test_help_imports_no_cloud_and_no_array_library():
    code = "import sys; from tuneline.cli.root import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    heavy = "google.auth google.api_core google.protobuf grpc kfp numpy jax requests rich yaml jinja2"
    code += f"print(sorted(set('{heavy}'.split()) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_an_unknown_command_is_refused_with_the_nearest_name():
    done = run("rnu")
    assert done.returncode == 2
    assert "did you mean 'run'" in done.stderr


def test_an_unknown_option_is_a_usage_error():
    done = run("run", "tune-large-model", "--lokal")
    assert done.returncode == 2
    assert "--local" in done.stderr


@pytest.mark.parametrize(
    "error", [errors.UsageError([]), errors.DatasetError([]), errors.OverCostLimit("x"), errors.StillRunning("x")]
)
def test_an_error_of_ours_becomes_its_own_exit_code(error, monkeypatch, capsys):
    from tuneline.cli import root

    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(root.cli, "main", fail)
    with pytest.raises(SystemExit) as left:
        main([])
    assert left.value.code == error.exit_code
    assert str(error) in capsys.readouterr().err
