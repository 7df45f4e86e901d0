"""The page of every command, made from the commands themselves (`make docs`)."""

from __future__ import annotations

from collections.abc import Iterator

import click

from tuneline.cli.root import cli

HEAD = """# The command line

Made from the commands' own help by `make docs`; a test holds the two together. Codes: [exit-codes.md](exit-codes.md).
"""


def commands(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below and including this one, with the words that call it."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found:
                yield from commands(found, (*path, name))


def page() -> str:
    """The whole page as Markdown."""
    parts = [HEAD]
    for path, command in commands(cli, ("tuneline",)):
        context = click.Context(
            command,
            info_name=" ".join(path),
            terminal_width=100,
            max_content_width=100,
            help_option_names=cli.context_settings["help_option_names"],  # as every command has them from the root
        )
        level = "##" if len(path) <= 2 else "###"
        parts.append(f"{level} {' '.join(path)}\n\n```\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    click.echo(page(), nl=False)
