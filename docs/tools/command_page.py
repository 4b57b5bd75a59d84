"""The reference of the command line, from its parsers, written when the site is built."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from madad.cli.arguments import STAGE
from madad.cli.main import parser

HEAD = """# Commands

`madad COMMAND --help` prints the same as this page. `madad run` and `madad report` hand their other arguments on to `snakemake`.
`eval "$(madad completion bash)"` lets the shell complete commands and options. The status is 0 where a command succeeded, 1 where
it could not do its work, and 2 where its arguments are wrong.
"""
STEPS = """## madad stage

The steps of the workflow, which the rules call; nobody needs to call them by hand, except those that write pages of this
documentation (`cards`, `metrics`, `reruns`). `madad stage STEP --help` explains one.
"""


def write(path: Path) -> None:
    """Write the page if its text changed."""
    text = page()
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def page() -> str:
    """Return the page as Markdown."""
    blocks = [HEAD]
    for name, command in _subcommands(parser()).items():
        blocks += [STEPS, *_steps(command)] if name == STAGE else _command(f"madad {name}", command, 2)
    return "\n".join(blocks) + "\n"


def _command(name: str, command: argparse.ArgumentParser, level: int) -> Iterator[str]:
    """Yield what a command does, how it is called, its arguments and its subcommands."""
    yield f"{'#' * level} {name}\n\n{_prose(command.description)}\n"
    below = _subcommands(command)
    if not below:
        yield f"```text\n{_usage(name, command)}\n```\n"
    rows = [(_name(action), _meaning(action)) for action in command._actions if _shown(action)]
    if rows:
        lines = [("argument", "meaning"), ("---", "---"), *rows]
        yield "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)
    for word, inner in below.items():
        yield from _command(f"{name} {word}", inner, level + 1)
    if command.epilog:
        yield _prose(command.epilog) + "\n"


def _steps(command: argparse.ArgumentParser) -> Iterator[str]:
    lines = [f"* `{name}`: {_prose(step.description)}" for name, step in _subcommands(command).items()]
    yield "\n".join(lines) + "\n"


def _usage(name: str, command: argparse.ArgumentParser) -> str:
    if command.usage:
        return command.usage
    actions = [action for action in command._actions if _shown(action)]
    required = [action for action in actions if action.required or not action.option_strings]
    words = [name, *(_call(action) for action in required)]
    return " ".join([*words, "[OPTIONS]"] if len(required) < len(actions) else words)


def _call(action: argparse.Action) -> str:
    if not action.option_strings:
        return _placeholder(action)
    return f"{action.option_strings[-1]} {_placeholder(action)}".strip()


def _placeholder(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    metavar = action.metavar if isinstance(action.metavar, str) else " ".join(action.metavar or ())
    name = metavar or action.dest.upper().replace("_", "-")
    if action.nargs in ("+", "*"):
        name += " …"
    return f"[{name}]" if action.nargs in ("?", "*") else name


def _name(action: argparse.Action) -> str:
    names = action.option_strings or [""]
    return ", ".join(f"`{f'{name} {_placeholder(action)}'.strip()}`" for name in names)


def _meaning(action: argparse.Action) -> str:
    text = _prose((action.help or "") % {"default": action.default, "prog": "madad"} if action.help else "")
    if action.choices:
        text += f" One of {', '.join(f'`{choice}`' for choice in action.choices)}."
    plain = action.default not in (None, False, True, argparse.SUPPRESS, [], "") and "default" not in text
    return text + (f" Default: `{action.default}`." if plain and action.option_strings else "")


def _prose(text: str | None) -> str:
    text = " ".join((text or "").split()).replace("<", "&lt;").replace("*", "\\*")
    return text + ("" if not text or text.endswith((".", "`", ":")) else ".")


def _shown(action: argparse.Action) -> bool:
    hidden = action.help == argparse.SUPPRESS or isinstance(action, argparse._SubParsersAction)
    return not hidden and "--help" not in action.option_strings


def _subcommands(command: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in command._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}
