"""The command line against the contract: every command and every option that the contract names is there.

The contract is read where it is kept, beside the working tree; elsewhere the tests that need it are skipped.
"""

from __future__ import annotations

import argparse
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from vpa_desktop.cli.parser import build_parser

CONTRACT = Path(__file__).resolve().parents[2] / "shared" / "PRODUCT.md"
LEFT_OPEN = {"providers add": "ID --kind mock", "providers remove": "ID"}
"""Commands whose arguments the contract does not say."""

SAMPLES = {"N": "3", "X": "0.5", "PATH": ".", "FILE": "file.json"}


def block() -> list[str]:
    """The lines of the contract's block of commands, continued ones joined, without remarks."""
    if not CONTRACT.is_file():
        pytest.skip(f"the contract is not here ({CONTRACT.name})")
    text = CONTRACT.read_text("utf-8").partition("### Command line")[2]
    found = re.search(r"```\n(.*?)```", text, re.DOTALL)
    assert found is not None
    lines: list[str] = []
    for raw in found[1].splitlines():
        line = re.sub(r"\([^)]*\)", "", raw).rstrip()
        if line.startswith("vpa-desktop"):
            lines += [part.strip() for part in re.split(r"vpa-desktop ", line) if part.strip()]
        else:
            lines[-1] += " " + line.strip()
    return [re.split(r" {3,}", line)[0] for line in lines]


def commands() -> Iterator[tuple[list[str], list[str]]]:
    """Each command of the contract: its words, and the words of its arguments."""
    for line in block():
        name, _, rest = line.partition(" ")
        alternatives = rest.split(" | ")
        if len(alternatives) == 1 and not _is_group(name):
            yield [name], rest.split()
            continue
        for alternative in alternatives:
            second, *arguments = alternative.split()
            yield [name, second], arguments or LEFT_OPEN.get(f"{name} {second}", "").split()


def _is_group(name: str) -> bool:
    try:
        build_parser().parse_args([name])
    except SystemExit:
        return name in ("docs", "chats", "providers", "keys", "audit", "data")
    return False


def lines_of(words: list[str], arguments: list[str]) -> Iterator[list[str]]:
    """Command lines that the contract allows: without what may be left out, with all of it, and with each choice."""
    text = " ".join(arguments)
    parts = re.findall(r"\[[^\]]*\](?:\.\.\.)?|-{1,2}[\w-]+(?: [A-Za-z|]+)?|\S+", text)
    required = [filled(part, 0) for part in parts if not part.startswith("[")]
    yield [*words, *itertools.chain.from_iterable(required)]
    for choice in range(5):
        every = [filled(part.removesuffix("...").strip("[]"), choice) for part in parts]
        yield [*words, *itertools.chain.from_iterable(every)]
        twice = [filled(part, choice) * (2 if "..." in part else 1) for part in parts]
        yield [*words, *itertools.chain.from_iterable(twice)]


def filled(part: str, choice: int) -> list[str]:
    """A part of the contract with values in the place of its names: ``--top-k N`` is --top-k 3."""
    words = part.replace("...", "").strip("[]").split()
    if len(words) == 1 and words[0].startswith("-"):
        options = words[0].split("|")
        return [options[min(choice, len(options) - 1)]]
    return [word if word.startswith("-") else _value(word, choice) for word in words]


def _value(word: str, choice: int) -> str:
    names = word.split("|")
    name = names[min(choice, len(names) - 1)]
    return SAMPLES.get(name, name)


def test_the_contract_names_as_many_commands_as_it_did() -> None:
    names = {" ".join(words) for words, _ in commands()}
    assert len(names) >= 39
    assert {"ask", "docs add", "chats import", "data erase", "audit verify", "bench", "doctor"} <= names


def test_every_command_of_the_contract_is_understood_in_every_form() -> None:
    refused = []
    for words, arguments in commands():
        for line in lines_of(words, arguments):
            try:
                options = build_parser().parse_args(line)
            except SystemExit:
                refused.append(" ".join(line))
            else:
                assert options.run, line
    assert refused == []


def test_home_stands_before_or_after_and_json_with_each() -> None:
    for words, arguments in commands():
        line = next(lines_of(words, arguments))
        after = build_parser().parse_args([*line, "--home", "there", "--json"])
        before = build_parser().parse_args(["--home", "there", *line])
        assert (after.home, before.home) == (Path("there"), Path("there")), line
        assert (after.json, before.json) == (True, False)


def parsers() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command's parser with its words."""
    waiting: list[tuple[str, argparse.ArgumentParser]] = [("", build_parser())]
    while waiting:
        name, parser = waiting.pop()
        yield name, parser
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                waiting += [(f"{name} {word}".strip(), each) for word, each in action.choices.items()]


def test_every_command_and_option_says_what_it_is_for_and_takes_a_home() -> None:
    for name, parser in parsers():
        assert parser.description, name
        assert "--home" in parser._option_string_actions, name
        for action in parser._actions:
            assert action.help or isinstance(action, argparse._SubParsersAction), (name, action.dest)


def test_home_may_stand_between_the_words_of_a_command() -> None:
    for line in (["--home", "x", "docs", "list"], ["docs", "--home", "x", "list"], ["docs", "list", "--home", "x"]):
        assert build_parser().parse_args(line).home == Path("x"), line
    assert build_parser().parse_args(["--home", "x", "docs", "list", "--home", "y"]).home == Path("y")


def test_every_command_names_a_coroutine_that_is_there() -> None:
    from importlib import import_module
    from inspect import iscoroutinefunction

    for words, arguments in commands():
        module, name = build_parser().parse_args(next(lines_of(words, arguments))).run.split(":")
        assert iscoroutinefunction(getattr(import_module(f"vpa_desktop.cli.{module}"), name)), words
