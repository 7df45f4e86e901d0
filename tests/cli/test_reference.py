"""Every command explains itself, in its help and on the page of commands, and the two are the same."""

import subprocess
import sys
from pathlib import Path

import pytest

from tuneline.cli.reference import commands
from tuneline.cli.root import COMMANDS, cli

ALL = list(commands(cli, ("tuneline",)))


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) for path, _ in ALL])
def test_a_command_has_a_help_and_each_option_a_line(path, command):
    assert command.help
    for parameter in command.params:
        if parameter.param_type_name == "option" and parameter.name not in ("form", "format"):
            assert parameter.help, f"{' '.join(path)}: {parameter.opts} has no help"


def test_the_page_of_commands_is_made_from_them():
    """In a process of its own: click keeps the names of a command's help option from the first use of it."""
    made = subprocess.run([sys.executable, "-m", "tuneline.cli.reference"], capture_output=True, text=True, check=True)
    assert Path("docs/command-line.md").read_text() == made.stdout, "run `make docs`"


def test_the_root_lists_each_command_that_it_can_call():
    assert {path[1] for path, _ in ALL if len(path) == 2} == set(COMMANDS)
