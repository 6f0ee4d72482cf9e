"""docs/reference/cli.md, from the commands themselves: usage, what it does, arguments, options, an example."""

from __future__ import annotations

import re
from collections.abc import Iterator

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

INTRO = """\
# The command line

Generated from the commands; `headrace COMMAND --help` says the same. `headrace --install-completion` lets the shell
complete commands, options, and the names of topics, views and pipelines.

Exit codes: 0 done; 1 the manifest is wrong, a check differs, or an event or a letter was refused; 2 wrong usage;
3 a part could not be had or reached; 130 Ctrl-C; 143 SIGTERM.
"""


def render_reference(app: typer.Typer) -> str:
    """Markdown: a table of the commands, then each."""
    commands = list(_commands(get_command(app), ()))
    lines = [INTRO, "| command | what it does |", "|---|---|"]
    lines += [f"| [`{' '.join(path)}`](#{_anchor(path)}) | {_escaped(_first(command))} |" for path, command in commands]
    for path, command in commands:
        lines += ["", *_section(path, command)]
    return "\n".join(lines) + "\n"


def _commands(command: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], TyperCommand]]:
    """Every command that does something, in the order of `--help`."""
    if isinstance(command, TyperGroup):
        for name, child in command.commands.items():
            yield from _commands(child, (*path, name))
    elif isinstance(command, TyperCommand):
        yield path, command


def _section(path: tuple[str, ...], command: TyperCommand) -> Iterator[str]:
    yield f"## headrace {' '.join(path)}"
    yield " ".join((command.help or "").split())
    arguments = [param for param in command.params if isinstance(param, TyperArgument)]
    options = [param for param in command.params if isinstance(param, TyperOption) and not param.hidden]
    usage = " ".join(["headrace", *path, *(_argument(argument) for argument in arguments), "[OPTION]…"])
    yield ""
    yield "```"
    yield usage
    yield "```"
    told = [(f"`{_name(argument)}`", argument.help) for argument in arguments]
    told = [(name, help_) for name, help_ in told if help_]
    told += [(_option(option), _help(option)) for option in options if "--help" not in option.opts]
    if told:
        yield ""
        yield "| | |"
        yield "|---|---|"
        yield from (f"| {name} | {_escaped(' '.join((help_ or '').split()))} |" for name, help_ in told)
    if command.epilog:
        yield ""
        label, _, examples = command.epilog.partition(": ")
        yield f"{label}:"
        yield "```"
        yield from examples.split(" | headrace ")[:1]
        yield from (f"headrace {example}" for example in examples.split(" | headrace ")[1:])
        yield "```"


def _argument(argument: TyperArgument) -> str:
    return _name(argument) if argument.required else f"[{_name(argument)}]"


def _name(argument: TyperArgument) -> str:
    return argument.metavar or str(argument.name).upper()


def _option(option: TyperOption) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    metavar = "" if option.is_flag else f" `{option.metavar or 'N'}`"
    return names + metavar


def _help(option: TyperOption) -> str:
    default = option.default
    shown = "" if option.is_flag or default in (None, "", ()) or callable(default) else f" Default: {default}."
    return f"{option.help or ''}{' Required.' if option.required else ''}{shown}"


def _first(command: TyperCommand) -> str:
    return re.split(r"(?<=[.;:])\s", " ".join((command.help or "").split()))[0].rstrip(".;:")


def _anchor(path: tuple[str, ...]) -> str:
    return "-".join(["headrace", *path])


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
