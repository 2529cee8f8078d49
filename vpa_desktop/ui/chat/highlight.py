"""Colours source code: Pygments tokens to spans a QTextDocument understands. No Qt here.

Only languages on the list are loaded, so that an answer cannot make Pygments import an arbitrary lexer.
"""

from __future__ import annotations

import html
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pygments.lexer import Lexer
    from pygments.token import _TokenType

    from vpa_desktop.ui.theme import Theme

_LANGUAGE_WORDS = (
    "bash sh shell zsh console powershell bat c cpp c++ csharp cs css dart diff docker dockerfile elixir "
    "erlang fortran go graphql groovy haskell hcl html http ini java javascript js json jsonc jsx julia "
    "kotlin latex less lua make makefile markdown md matlab nginx nix objective-c ocaml pascal perl php "
    "proto protobuf python py python3 pycon r rb ruby rs rust sass scala scss sql sqlite3 swift terraform "
    "tex toml ts tsx typescript vb vim xml yaml yml zig "
)
LANGUAGES = frozenset(_LANGUAGE_WORDS.split())
_NAMES = {
    "cpp": "C++",
    "c++": "C++",
    "cs": "C#",
    "csharp": "C#",
    "css": "CSS",
    "html": "HTML",
    "js": "JavaScript",
    "javascript": "JavaScript",
    "json": "JSON",
    "md": "Markdown",
    "php": "PHP",
    "py": "Python",
    "python3": "Python",
    "rb": "Ruby",
    "rs": "Rust",
    "sh": "Shell",
    "sql": "SQL",
    "toml": "TOML",
    "ts": "TypeScript",
    "typescript": "TypeScript",
    "xml": "XML",
    "yaml": "YAML",
    "yml": "YAML",
}


@lru_cache(1)
def _colours() -> dict[_TokenType, str]:
    """The theme's colour for each kind of token; Pygments is not loaded before the first code."""
    from pygments.token import Token

    return {
        Token.Keyword: "code_keyword",
        Token.Keyword.Constant: "code_number",
        Token.Keyword.Type: "code_name",
        Token.Literal.String: "code_string",
        Token.Literal.Number: "code_number",
        Token.Comment: "code_comment",
        Token.Name.Function: "code_name",
        Token.Name.Builtin: "code_name",
        Token.Name.Attribute: "code_name",
        Token.Name.Class: "code_class",
        Token.Name.Decorator: "code_keyword",
        Token.Name.Tag: "code_keyword",
        Token.Operator.Word: "code_keyword",
        Token.Generic.Heading: "code_keyword",
        Token.Generic.Inserted: "code_string",
        Token.Generic.Deleted: "danger",
    }


def language_name(language: str) -> str:
    """Returns how a code card is headed: the language's usual spelling, or Code where none is given."""
    return _NAMES.get(language.lower()) or language[:30].capitalize() or "Code"


@lru_cache(256)
def highlight(code: str, language: str, theme: Theme) -> str:
    """Returns ``code`` as escaped HTML with colour spans; plain escaped text for a language not on the list."""
    lexer = _lexer(language.lower())
    if lexer is None:
        return html.escape(code, quote=False)
    return "".join(_spans(lexer.get_tokens(code), theme))


def _spans(tokens: Iterable[tuple[_TokenType, str]], theme: Theme) -> Iterable[str]:
    run: list[str] = []
    colour = ""
    for kind, text in tokens:
        wanted = _colour(kind, theme)
        if wanted != colour and not text.isspace():
            yield _span("".join(run), colour)
            run, colour = [], wanted
        run.append(text)
    yield _span("".join(run), colour)


def _span(text: str, colour: str) -> str:
    escaped = html.escape(text, quote=False)
    return f'<span style="color:{colour}">{escaped}</span>' if colour and text else escaped


def _colour(kind: _TokenType | None, theme: Theme) -> str:
    while kind is not None:
        name = _colours().get(kind)
        if name:
            return str(getattr(theme, name))
        kind = kind.parent
    return ""


@lru_cache(128)
def _lexer(language: str) -> Lexer | None:
    if language not in LANGUAGES:
        return None
    from pygments.lexers import get_lexer_by_name

    return get_lexer_by_name(language, stripnl=False, ensurenl=False)
