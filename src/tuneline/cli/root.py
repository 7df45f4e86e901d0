"""The root of the command line: which commands there are, and what an error looks like.

Nothing of a command is imported before it is called, so that `tuneline --help` answers at once.
"""

from __future__ import annotations

import importlib
import sys

import click

from tuneline._version import __version__
from tuneline.errors import TunelineError

COMMANDS = {
    "validate": "check a dataset: every problem, its place and the fix",
    "convert": "write a dataset in another format",
    "split": "split off an evaluation set",
    "plan": "say what a run would do and cost, or every reason why not",
    "compile": "write the compiled templates, with the image of your choice",
    "run": "run a template: submit, watch, report",
    "submit": "submit a template, without watching",
    "runs": "list, show, watch and cancel pipeline runs",
    "jobs": "list, show, watch, cancel and delete tuning jobs, and test what they made",
    "schedules": "make, list, pause, resume, run and delete schedules of runs",
    "catalog": "show models, regions and slices",
    "local": "the local Vertex AI",
    "clean": "remove what old runs have left in a staging folder",
    "config": "show the settings that hold here",
    "doctor": "look at the environment and say what is missing",
}
"""Command → its line in the help. Each lives in `tuneline.cli.<command>` as `command`."""

INTERRUPTED = 130


class Root(click.Group):
    """Finds a command's module by its name, and imports it only then."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        return importlib.import_module(f"tuneline.cli.{name}").command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS:
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            ctx.fail(
                f"there is no command {args[0]!r}"
                + (f"; did you mean {near[0]!r}?" if near else "; see tuneline --help")
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tuneline")
def cli() -> None:
    """Fine-tuning pipelines for Vertex AI that run on a laptop first.

    Data goes to standard output, talk to standard error. Exit codes: 0 done, 1 the run or job
    failed, 2 usage, 3 dataset invalid, 4 not permitted, 5 quota or capacity, 6 gate not passed,
    7 over the cost limit, 8 time out with the job still running, 130 interrupted.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with the exit code that its help promises."""
    try:
        code = cli.main(args=arguments, prog_name="tuneline", standalone_mode=False)
    except click.exceptions.Abort:
        code = INTERRUPTED
    except KeyboardInterrupt:
        code = INTERRUPTED
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except TunelineError as error:
        click.echo(f"tuneline: {error}", err=True)
        code = error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        code = 1
    sys.exit(code if isinstance(code, int) else 0)
