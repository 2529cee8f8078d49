"""The arguments of every command. Each names the coroutine that runs it as ``module:name``, imported only then."""

from __future__ import annotations

import argparse
from datetime import datetime
from pathlib import Path
from typing import Final

from vpa_desktop import __version__
from vpa_desktop.catalog import KINDS
from vpa_desktop.cli.scope import add_scope
from vpa_desktop.drills import FAULTS
from vpa_desktop.provider_fields import KEY, PRESETS, KindField, fields_of

SHELLS = ("bash", "zsh", "fish")
CHAT_ID: Final = "as chats list shows it"
PROVIDER_ID: Final = "your name for the provider"
HOME_HELP: Final = "keep everything under this folder; without it VPA_HOME, else the system's own folders"


class _Parser(argparse.ArgumentParser):
    """Says a usage error in the form of every other error."""

    def error(self, message: str) -> None:  # type: ignore[override]
        said = message[:1].upper() + message[1:]
        self.exit(2, f"error: {said}. That is not how the command goes. See: {self.prog} --help\n")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser; ``options.run`` is None for the window."""
    parser = _Parser(
        prog="vpa-desktop",
        description="One chat window over every LLM you use. Without a command it opens the window.",
    )
    parser.add_argument("--version", action="version", version=f"vpa-desktop {__version__}", help="print the version")
    parser.add_argument("--home", type=_folder, default=None, metavar="DIR", help=HOME_HELP)
    parser.set_defaults(run=None, files=())
    commands = parser.add_subparsers(metavar="command", parser_class=_Parser)
    _open(commands)
    _ask(commands)
    _docs(commands)
    _chats(commands)
    _providers(commands)
    _keys(commands)
    _figures(commands)
    _audit(commands)
    _data(commands)
    _serve(commands)
    _explaining(commands)
    return parser


def _command(group: argparse._SubParsersAction[_Parser], name: str, text: str, run: str) -> argparse.ArgumentParser:
    parser = group.add_parser(name, help=text, description=text)
    parser.add_argument("--home", type=_folder, default=argparse.SUPPRESS, metavar="DIR", help=HOME_HELP)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(run=run)
    return parser


def _group(commands: argparse._SubParsersAction[_Parser], name: str, text: str) -> argparse._SubParsersAction[_Parser]:
    parser = commands.add_parser(name, help=text, description=text)
    parser.add_argument("--home", type=_folder, default=argparse.SUPPRESS, metavar="DIR", help=HOME_HELP)
    return parser.add_subparsers(metavar="command", required=True, parser_class=_Parser)


def _output(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=required,
        default=None,
        metavar="FILE",
        help="the file to write" if required else "write the report there: Markdown, or JSON where it ends in .json",
    )
    parser.add_argument("--force", action="store_true", help="write over the file where there is one already")


def _open(commands: argparse._SubParsersAction[_Parser]) -> None:
    text = "Open the window and add files or folders to the documents, as a file manager does."
    p = commands.add_parser("open", help=text, description=text)
    p.add_argument("--home", type=_folder, default=argparse.SUPPRESS, help="keep everything under this folder")
    p.add_argument("files", nargs="*", type=Path, metavar="FILE", help="files or folders; without any, only the window")


def _ask(commands: argparse._SubParsersAction[_Parser]) -> None:
    p = _command(commands, "ask", "Ask a question; text piped in is added to it.", "ask:ask")
    p.add_argument("text", nargs="*", metavar="TEXT", help="the question")
    p.add_argument("--provider", metavar="ID", help="ask this provider first")
    p.add_argument("--model", metavar="NAME", help="this model instead of the provider's own")
    p.add_argument("--conversation", metavar="ID|new", help="add to this conversation, or start one")
    p.add_argument("--collection", action="append", default=[], metavar="NAME", help="search only this collection")
    add_scope(p)
    p.add_argument("--docs", action=argparse.BooleanOptionalAction, default=None, help="search your documents, or not")
    p.add_argument("--top-k", type=_positive, default=None, metavar="N", help="how many passages")
    p.add_argument("--image", action="append", type=Path, default=[], metavar="FILE", help="a picture for the question")
    p.add_argument("--system", metavar="TEXT", help="instructions for the model")
    p.add_argument("--temperature", type=_temperature, default=None, metavar="X", help="from 0 (steady) to 2 (free)")
    p.add_argument("--max-tokens", type=_positive, default=None, metavar="N", help="the longest answer, in tokens")
    p.add_argument("--local-only", action="store_true", help="answer on this machine or not at all")
    p.add_argument("--over-limit", action="store_true", help="send it although a spending limit could be passed")
    p.add_argument("--fresh", action="store_true", help="do not answer from the cache")
    p.add_argument("--temporary", action="store_true", help="keep nothing of it, in no cache either")
    p.add_argument("--user", metavar="NAME", help="whose role and limits count, where the policy lets you choose")
    p.add_argument("--stream", action=argparse.BooleanOptionalAction, default=True, help="print as it comes")


def _docs(commands: argparse._SubParsersAction[_Parser]) -> None:
    group = _group(commands, "docs", "Your documents: add, list, remove, search.")
    p = _command(group, "add", "Add files and folders.", "documents:add")
    p.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file or a folder")
    p.add_argument("--collection", default="", metavar="NAME", help="put them into this collection")
    _command(group, "sync", "Look again at every folder and file that was added.", "documents:sync")
    p = _command(group, "watch", "Add folders and follow them until Ctrl+C.", "documents:watch")
    p.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="without one: the folders added before")
    p.add_argument("--collection", default="", metavar="NAME", help="put them into this collection")
    _command(group, "folders", "List the folders that are followed.", "documents:folders")
    p = _command(group, "forget", "Follow folders no longer; their documents stay.", "documents:forget")
    p.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a folder that is followed")
    p = _command(group, "list", "List the documents.", "documents:list_documents")
    p.add_argument("--collection", default=None, metavar="NAME", help="only this collection")
    p = _command(group, "remove", "Take documents out; the files stay.", "documents:remove")
    p.add_argument("ids", nargs="+", metavar="ID", help="as docs list shows it")
    p = _command(group, "search", "Find passages.", "documents:search")
    p.add_argument("query", metavar="QUERY", help="what to look for")
    p.add_argument("--top-k", type=_positive, default=None, metavar="N", help="how many passages")
    p.add_argument("--collection", action="append", default=[], metavar="NAME", help="search only this collection")
    add_scope(p)
    p = _command(group, "model", "Show what finds passages by meaning, or choose another model.", "embedding:model")
    p.add_argument("model", nargs="?", metavar="MODEL", help="default, PROVIDER/MODEL, a folder or a hub name")
    p.add_argument("--yes", action="store_true", help="agree to where the text goes and to what it costs")
    _command(group, "check", "Check the index against the database, and mend it.", "documents:check")
    _golden(group)


def _golden(docs: argparse._SubParsersAction[_Parser]) -> None:
    group = _group(docs, "golden", "Questions whose document must be found: add, run, list, remove.")
    p = _command(group, "add", "Save a question with the document that must be found.", "golden:add")
    p.add_argument("question", metavar="QUESTION", help="what would be asked")
    p.add_argument("--document", required=True, metavar="ID|NAME", help="the document, by its id, path or file name")
    p.add_argument("--page", type=_positive, default=None, metavar="N", help="the page that must be found")
    p.add_argument("--collection", default="", metavar="NAME", help="search only this collection")
    for name, text, run in (
        ("run", "Ask the questions now; they are also asked after each change of the documents.", "golden:run"),
        ("list", "List the questions, and how their last runs went.", "golden:list_questions"),
    ):
        p = _command(group, name, text, run)
        p.add_argument("--collection", default=None, metavar="NAME", help="only this collection")
    p = _command(group, "remove", "Forget questions.", "golden:remove")
    p.add_argument("ids", nargs="+", metavar="ID", help="as docs golden list shows it")


def _chats(commands: argparse._SubParsersAction[_Parser]) -> None:
    group = _group(commands, "chats", "Your conversations: list, show, search, export, import, delete.")
    _command(group, "list", "List the conversations.", "conversations:list_conversations")
    p = _command(group, "show", "Show one conversation.", "conversations:show")
    p.add_argument("id", metavar="ID", help=CHAT_ID)
    p = _command(group, "search", "Find conversations by their words.", "conversations:search")
    p.add_argument("words", nargs="+", metavar="WORDS", help="all of them must be there")
    p = _command(group, "export", "Write one conversation, or all, to a file.", "conversations:export")
    p.add_argument("id", nargs="?", metavar="ID", help="without one: all of them")
    p.add_argument(
        "--format", choices=("md", "json", "html"), default=None, help="without it the file's ending decides; "
        "json can be imported again, nothing of it is lost"
    )  # fmt: skip
    _output(p)
    p = _command(
        group,
        "import",
        "Add what is not here yet from an export, ours or another program's.",
        "conversations:import_file",
    )
    p.add_argument("file", type=Path, metavar="FILE", help="written by chats export, or by another program")
    p = _command(group, "delete", "Delete one conversation.", "conversations:delete")
    p.add_argument("id", metavar="ID", help=CHAT_ID)


def _providers(commands: argparse._SubParsersAction[_Parser]) -> None:
    group = _group(commands, "providers", "Providers: list, add, set, order, remove, test.")
    _command(group, "list", "List the providers in the order they are asked.", "providers:list_providers")
    p = _command(group, "add", "Add or change a provider.", "providers:add")
    p.add_argument("id", metavar="ID", help="your own name for it")
    p.add_argument("--kind", required=True, choices=sorted(KINDS), help="what it speaks")
    p.add_argument("--preset", choices=[preset.id for preset in PRESETS], help="a known openai_compatible service")
    _fields(p)
    p.add_argument("--default", action="store_true", help="ask it first")
    p.add_argument("--key-from-stdin", action="store_true", help="read its key from standard input")
    p = _command(group, "set", "Change settings of a provider; an empty value is the default.", "providers:set_fields")
    p.add_argument("id", metavar="ID", help=PROVIDER_ID)
    p.add_argument("changes", nargs="+", metavar="FIELD=VALUE", help="such as model=gpt-6-luna or enabled=false")
    p = _command(group, "order", "Say in which order providers are asked.", "providers:order")
    p.add_argument("ids", nargs="*", metavar="ID", help="the first ones; the others follow")
    p = _command(group, "remove", "Remove a provider and its key.", "providers:remove")
    p.add_argument("id", metavar="ID", help=PROVIDER_ID)
    p = _command(group, "test", "Say in words whether providers answer.", "providers:test")
    p.add_argument("id", nargs="?", metavar="ID", help=f"{PROVIDER_ID}; without one: all of them")
    p.add_argument("--model", metavar="NAME", help="with this model instead of its own")
    p = _command(group, "models", "List the models a provider offers, and what they can do.", "providers:models")
    p.add_argument("id", nargs="?", metavar="ID", help="without one: of every provider in use")
    p.add_argument(
        "--refresh", action="store_true", help="ask the provider now, also where its list is less than a day old"
    )
    _command(group, "health", "How each provider did lately: success, times, breaker.", "providers:health")


def _fields(parser: argparse.ArgumentParser) -> None:
    """An option for each field of any kind; the table says which kinds have it."""
    shown: dict[str, list[str]] = {}
    for kind in KINDS:
        for field in fields_of(kind):
            shown.setdefault(field.option, []).append(kind)
    first: dict[str, KindField] = {}
    for field in (field for kind in KINDS for field in fields_of(kind) if field.key != KEY):
        first.setdefault(field.option, field)  # the usual word for it: the first kinds are those most people have
    for option, field in first.items():
        kinds = shown[option]
        only = f" ({', '.join(kinds)})" if len(kinds) < len(KINDS) // 2 else ""
        parser.add_argument(option, dest=field.key, default=None, metavar="VALUE", help=f"{field.label}{only}")


def _keys(commands: argparse._SubParsersAction[_Parser]) -> None:
    group = _group(commands, "keys", "API keys: set, list, test, rotate, delete. A key is never an argument.")
    p = _command(group, "set", "Store a key, typed at a prompt or piped in.", "keys:set_key")
    p.add_argument("id", metavar="ID", help=PROVIDER_ID)
    p.add_argument("--label", metavar="NAME", help="one of several keys; without it the first, named default")
    _command(group, "list", "Say where keys are and how they stand, never a key.", "keys:list_keys")
    p = _command(group, "test", "Say in words whether keys are accepted.", "keys:test_keys")
    p.add_argument("id", nargs="?", metavar="ID", help=f"{PROVIDER_ID}; without one: all of them")
    p.add_argument("--label", metavar="NAME", help="only this one of several keys")
    p = _command(group, "rotate", "Test a new key and put it in front; the old one helps out for ten minutes.",
                 "keys:rotate_key")  # fmt: skip
    p.add_argument("id", metavar="ID", help=PROVIDER_ID)
    p.add_argument("--label", metavar="NAME", help="which of several keys it replaces")
    p = _command(group, "delete", "Delete a key.", "keys:delete_key")
    p.add_argument("id", metavar="ID", help=PROVIDER_ID)
    which = p.add_mutually_exclusive_group()
    which.add_argument("--label", metavar="NAME", help="which of several keys")
    which.add_argument("--all", action="store_true", help="every key of this provider")


def _figures(commands: argparse._SubParsersAction[_Parser]) -> None:
    p = _command(commands, "costs", "What was spent, and the limits.", "figures:costs")
    p.add_argument("--by", choices=("provider", "model", "key", "day"), default="provider", help="a row for each")
    _command(commands, "stats", "Requests, times and success per provider.", "figures:stats")
    p = _command(commands, "drill", "Let a provider fail on purpose, with no key and no cost.", "drill:drill")
    p.add_argument("id", nargs="?", metavar="ID", help="which one fails; without it the first of the chain")
    p.add_argument("--fault", choices=FAULTS, default=None, help="one fault; without it all of them")
    _command(commands, "doctor", "Look for common faults and say the fix.", "doctor:doctor")
    p = _command(commands, "bench", "Measure the program on this machine; no key, no cost.", "bench:bench")
    _output(p, required=False)
    p.add_argument("--paint-once", action="store_true", help=argparse.SUPPRESS)
    p = _command(commands, "selftest", "Try the program's parts from end to end, apart from your data.",
                 "selftest:selftest")  # fmt: skip
    _output(p, required=False)


def _audit(commands: argparse._SubParsersAction[_Parser]) -> None:
    group = _group(commands, "audit", "What was done with keys, data and requests: list, verify, export.")
    p = _command(group, "list", "List entries, newest first.", "audit:list_entries")
    for name, text in (("action", "what was done"), ("target", "with what, or for whom"), ("result", "how it ended")):
        p.add_argument(f"--{name}", default="", metavar="WORD", help=f"only entries with this word in {text}")
    p.add_argument("--since", type=_moment, default=None, metavar="DATE", help="such as 2026-11-30 or 2026-11-30T14:00")
    p.add_argument("--until", type=_moment, default=None, metavar="DATE", help="before this date or moment")
    p.add_argument("--limit", type=_positive, default=200, metavar="N", help="at most so many (200)")
    p = _command(group, "verify", "Check that no entry was changed, added or removed.", "audit:verify")
    p.add_argument(
        "--against", type=Path, default=None, metavar="FILE", help="an earlier export: also find what was cut off since"
    )
    p = _command(group, "export", "Write every entry as a line of JSON, with its hashes.", "audit:export")
    _output(p)


def _data(commands: argparse._SubParsersAction[_Parser]) -> None:
    group = _group(commands, "data", "All your data: backup, restore, export, erase, check.")
    _command(group, "backup", "Make a verified copy of the database, also while the window is open.", "data:backup")
    p = _command(group, "restore", "Put a backup in the place of the database, which is kept.", "data:restore")
    p.add_argument("file", type=Path, metavar="FILE", help="a file, or the name of one in the backups folder")
    p = _command(group, "export", "Write everything in open formats into one ZIP file.", "data:export")
    _output(p)
    p = _command(group, "erase", "Remove everything: data, settings, index, logs, backups, keys.", "data:erase_data")
    p.add_argument("--yes", action="store_true", help="do it; without it only say what would be removed")
    p.add_argument("--keep-keys", action="store_true", help="leave the keys in the system's keyring")
    _command(group, "check", "Check the database, the index, the audit and the backups.", "data:check")


def _serve(commands: argparse._SubParsersAction[_Parser]) -> None:
    p = _command(commands, "serve", "A local endpoint that speaks OpenAI's chat completions.", "serve:serve")
    p.add_argument("--port", type=_port, default=8642, metavar="N", help="the port (8642; 0 takes a free one)")
    p.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="127.0.0.1, ::1 or localhost; no other")
    p.add_argument("--show-token", action="store_true", help="print the token that clients need, and end")
    p.add_argument("--new-token", action="store_true", help="make another token; the old one is worth nothing")
    p.add_argument("--user", default="local", metavar="NAME", help="whose token: its rules and limits count")


def _explaining(commands: argparse._SubParsersAction[_Parser]) -> None:
    group = _group(commands, "migrate", "Take over what another program left.")
    p = _command(group, "legacy", "Take over the configuration of VPARAGLLMIntegration: settings, keys, a backup.",
                 "migrate:legacy")  # fmt: skip
    p.add_argument("file", nargs="?", type=Path, metavar="FILE", help="its JSON or .env file; without one: variables")
    p.add_argument("--remove-keys", action="store_true", help="take keys out of FILE once the vault has them")
    p = _command(commands, "help", "Print the manual: its topics, or one of them.", "manual:show_help")
    p.add_argument("topic", nargs="*", metavar="TOPIC", help="a title, or words")
    p = _command(commands, "completion", "Print the script with which a shell completes commands.", "shells:completion")
    p.add_argument("shell", choices=SHELLS, help="the shell it is for")


def _folder(text: str) -> Path:
    if not text.strip():
        raise argparse.ArgumentTypeError("the folder has no name")
    return Path(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError, OSError) as exc:
        raise argparse.ArgumentTypeError(f"{text!r} is no date such as 2026-11-30 or 2026-11-30T14:00") from exc


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)


def _temperature(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 2")
    return value
