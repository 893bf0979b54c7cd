"""The page of all commands.

python -m scripts.commands > docs/commands.md
"""

import argparse
from collections.abc import Iterator

from hfpl.cli import whole_parser

HEAD = """# Commands

Every command and its options, as `--help` says them. Written by `python -m scripts.commands`.

Commands of stages are jobs of the workflow; Snakemake calls them, and a person rarely does. Those
of no stage come last.
"""


def main() -> None:
    """Print the page."""
    print(page(), end="")


def page() -> str:
    """Markdown: a section per command, with a table of its options."""
    blocks = [HEAD]
    for words, line, parser in commands(whole_parser(), ()):
        options = [row for action in parser._actions if (row := _row(action))]
        level = "##" if len(words) == 1 else "###"
        blocks.append(f"{level} hfpl {' '.join(words)}\n\n{_sentence(line)}\n")
        if options:
            blocks.append("\n".join(["| option | meaning |", "|---|---|", *options]) + "\n")
    return "\n".join(blocks)


Words = tuple[str, ...]
Parser = argparse.ArgumentParser


def commands(parser: Parser, words: Words) -> Iterator[tuple[Words, str, Parser]]:
    """A parser's subcommands, and theirs, each after its own: the words that call it, a line about
    it, and its parser."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            lines = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, sub in action.choices.items():
                yield (*words, name), lines[name], sub
                yield from commands(sub, (*words, name))


def _row(action: argparse.Action) -> str:
    """A row of an option or of what a command is given; empty for what every command has."""
    if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
        return ""
    values = _values(action)
    name = ", ".join(action.option_strings)
    text = f"{name} {values}".strip() if name else values
    must = " (needed)" if action.required and name else ""
    return f"| `{text}` | {_sentence(action.help or '', action)}{must} |"


def _values(action: argparse.Action) -> str:
    """What follows an option."""
    if action.nargs == 0:
        return ""
    name = action.metavar or (action.dest if not action.option_strings else action.dest.upper())
    if action.choices:
        name = "{" + ",".join(map(str, action.choices)) + "}"
    marks = {"?": f"[{name}]", "*": f"[{name} ...]", "+": f"{name} [{name} ...]"}
    return marks.get(action.nargs, str(name))


def _sentence(text: str, action: argparse.Action | None = None) -> str:
    """Help as it is printed, safe within a table."""
    if action is not None:
        text = text % {**vars(action), "prog": "hfpl"} if "%" in text else text
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    main()
